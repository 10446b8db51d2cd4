//! A test image with one static program, put together offline.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::process::Command;

/// The source of the HTTP server that test images hold.
const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../chaos/testserver/main.rs");
/// The source of a program that looks at its secrets.
const INSPECTOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/containerd/programs/inspector.rs");

/// What differs between images.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    pub architecture: &'static str,
    /// Of the program, which is `/app` in the image.
    pub source: &'static str,
    pub user: &'static str,
    pub folder: &'static str,
    pub search_path: &'static str,
    pub entrypoint: &'static [&'static str],
    /// MiB of nothing beside the program.
    pub ballast: usize,
}

impl Variant {
    pub fn server() -> Self {
        let architecture = if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "amd64"
        };
        Self {
            architecture,
            source: SERVER,
            user: "",
            folder: "",
            search_path: "/bin",
            entrypoint: &["/app"],
            ballast: 0,
        }
    }

    /// Found by name, in a folder of its own, and not as root.
    pub fn inspector() -> Self {
        Self {
            source: INSPECTOR,
            user: "1234:4321",
            folder: "/work",
            search_path: "/bin:/",
            entrypoint: &["app"],
            ..Self::server()
        }
    }

    pub fn without_program() -> Self {
        Self {
            entrypoint: &["/no-such-program"],
            ..Self::server()
        }
    }
}

/// Compiles a program, once for each test.
pub async fn program(folder: &Path, variant: &Variant) -> PathBuf {
    let folder = folder.join("programs").join(&hex(variant.source.as_bytes())[..8]);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("app");
    if !path.exists() {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut command = Command::new(rustc);
        command.args([
            "--edition",
            "2024",
            "-C",
            "target-feature=+crt-static",
            "-C",
            "opt-level=1",
            "-o",
        ]);
        run(command.arg(&path).arg(variant.source)).await;
    }
    path
}

/// Writes an OCI layout that `skopeo` reads.
pub async fn layout(folder: &Path, program: &Path, variant: &Variant) {
    let blobs = folder.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let layer = folder.join("layer.tar");
    let mut tar = Command::new("tar");
    tar.args(["--format=gnu", "--mtime=@0", "--owner=0", "--group=0", "-C"]);
    tar.arg(program.parent().unwrap())
        .arg("-cf")
        .arg(&layer)
        .arg(program.file_name().unwrap());
    if variant.ballast > 0 {
        std::fs::write(folder.join("ballast"), vec![0; variant.ballast << 20]).unwrap();
        tar.arg("-C").arg(folder).arg("ballast");
    }
    run(&mut tar).await;
    let put = |bytes: &[u8], media_type: &str| -> Value {
        let digest = hex(bytes);
        std::fs::write(blobs.join(&digest), bytes).unwrap();
        json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes.len()})
    };
    let layer = put(&std::fs::read(layer).unwrap(), "application/vnd.oci.image.layer.v1.tar");
    let config = json!({
        "architecture": variant.architecture, "os": "linux",
        "config": {
            "Env": [format!("PATH={}", variant.search_path), "VERSION=1".to_owned()],
            "Entrypoint": variant.entrypoint,
            "User": variant.user,
            "WorkingDir": variant.folder,
        },
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    });
    let config = put(
        config.to_string().as_bytes(),
        "application/vnd.oci.image.config.v1+json",
    );
    let manifest = "application/vnd.oci.image.manifest.v1+json";
    let text = json!({"schemaVersion": 2, "mediaType": manifest, "config": config, "layers": [layer]}).to_string();
    let mut entry = put(text.as_bytes(), manifest);
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "1"});
    let index = json!({"schemaVersion": 2, "manifests": [entry]});
    std::fs::write(folder.join("index.json"), index.to_string()).unwrap();
    std::fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub async fn run(command: &mut Command) {
    let output = command.kill_on_drop(true).output().await.unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
