//! Generates the messages and services of `proto/`.

fn main() -> std::io::Result<()> {
    tonic_prost_build::configure()
        .bytes(".")
        // It holds keys, which are never to be printed.
        .skip_debug(["goblins.keyring.v1.Bundle"])
        .compile_protos(
            &[
                "proto/goblins/host/v1.proto",
                "proto/goblins/images/v1.proto",
                "proto/goblins/keyring/v1.proto",
            ],
            &["proto"],
        )
}
