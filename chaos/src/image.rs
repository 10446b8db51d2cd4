//! Test images, made offline and byte for byte the same every time.

use std::io;
use std::path::PathBuf;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::command::CommandError;

mod archive;
mod layer;
mod testserver;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const SEARCH_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why an image could not be made.
#[derive(Debug, Error)]
pub enum ImageError {
    /// A file could not be read or written.
    #[error("cannot use {}", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// A tar archive could not be built in memory.
    #[error("cannot pack the image")]
    Pack(#[source] io::Error),
    /// The test server could not be compiled.
    #[error(transparent)]
    Compile(#[from] CommandError),
}

/// Some bytes and what they are called in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Its media type.
    pub media_type: &'static str,
    /// The content.
    pub bytes: Vec<u8>,
}

impl Blob {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self {
            digest: digest(&bytes),
            media_type,
            bytes,
        }
    }

    fn json(media_type: &'static str, value: &Value) -> Self {
        Self::new(media_type, value.to_string().into_bytes())
    }

    fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

/// What differs between the test images.
#[derive(Clone, Debug)]
pub struct Variant {
    /// OCI's name of the architecture that the image claims to be for.
    pub architecture: String,
    /// The command line inside the container.
    pub entrypoint: Vec<String>,
    /// `NAME=value` each, beside `PATH`.
    pub environment: Vec<String>,
}

impl Variant {
    /// The test server, answering `"version": VERSION`.
    pub fn server(version: &str) -> Self {
        Self {
            architecture: own_architecture().to_owned(),
            entrypoint: vec!["/testserver".to_owned()],
            environment: vec![format!("VERSION={version}")],
        }
    }

    /// An image that no machine here can run.
    pub fn of_other_architecture() -> Self {
        let other = if own_architecture() == "s390x" {
            "amd64"
        } else {
            "s390x"
        };
        Self {
            architecture: other.to_owned(),
            ..Self::server("1")
        }
    }

    /// A container that ends with that code as soon as it runs.
    pub fn exits_at_once(code: u8) -> Self {
        Self {
            entrypoint: vec!["/testserver".to_owned(), format!("--exit={code}")],
            ..Self::server("1")
        }
    }

    /// An entry point that is not in the image.
    pub fn without_program() -> Self {
        Self {
            entrypoint: vec!["/no-such-program".to_owned()],
            ..Self::server("1")
        }
    }
}

/// A one-layer image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The layer and the configuration.
    pub blobs: Vec<Blob>,
    /// The manifest that names them.
    pub manifest: Blob,
}

impl Image {
    /// Packs the test server (compiled once, then cached) as `variant` says.
    pub fn build(variant: &Variant) -> Result<Self, ImageError> {
        Self::from_program(&testserver::program()?, variant)
    }

    fn from_program(program: &[u8], variant: &Variant) -> Result<Self, ImageError> {
        let tar = layer::tar(program).map_err(ImageError::Pack)?;
        let layer = Blob::new(LAYER, layer::gzip(&tar).map_err(ImageError::Pack)?);
        let mut environment = vec![SEARCH_PATH.to_owned()];
        environment.extend(variant.environment.iter().cloned());
        let config = Blob::json(
            CONFIG,
            &json!({
                "architecture": variant.architecture,
                "os": "linux",
                "config": {
                    "Env": environment,
                    "Entrypoint": variant.entrypoint,
                    "WorkingDir": "/",
                    "StopSignal": "SIGTERM",
                    "ExposedPorts": {"8080/tcp": {}},
                },
                "rootfs": {"type": "layers", "diff_ids": [digest(&tar)]},
            }),
        );
        let manifest = Blob::json(
            MANIFEST,
            &json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": config.descriptor(),
                "layers": [layer.descriptor()],
            }),
        );
        Ok(Self {
            blobs: vec![layer, config],
            manifest,
        })
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// What OCI calls the architecture of this machine.
fn own_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_input_gives_the_same_image() {
        let build = || Image::from_program(b"a program", &Variant::server("1")).unwrap();
        assert_eq!(build(), build());
        let other = Image::from_program(b"a program", &Variant::server("2")).unwrap();
        assert_eq!(
            build().blobs[0],
            other.blobs[0],
            "the layer does not depend on the environment"
        );
        assert_ne!(build().manifest.digest, other.manifest.digest);
    }

    #[test]
    fn a_manifest_names_its_blobs_by_digest_and_size() {
        let image = Image::from_program(b"a program", &Variant::of_other_architecture()).unwrap();
        let manifest: Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
        for (blob, named) in image.blobs.iter().zip([&manifest["layers"][0], &manifest["config"]]) {
            assert_eq!(blob.digest, digest(&blob.bytes));
            assert_eq!(*named, blob.descriptor());
        }
        let config: Value = serde_json::from_slice(&image.blobs[1].bytes).unwrap();
        assert_ne!(config["architecture"], own_architecture());
    }
}
