//! Generates the messages and services of `proto/`.

fn main() -> std::io::Result<()> {
    tonic_prost_build::configure()
        .bytes(".")
        .compile_protos(&["proto/goblins/raft/v1.proto"], &["proto"])
}
