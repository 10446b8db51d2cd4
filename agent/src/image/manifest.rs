//! The documents that describe an image, as far as they are needed here.

use std::collections::HashMap;

use serde::Deserialize;

use super::PullError;

/// Names one blob.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub media_type: String,
    pub digest: String,
    /// Bytes.
    pub size: i64,
}

impl Descriptor {
    /// Its size.
    pub(super) fn bytes(&self) -> u64 {
        u64::try_from(self.size).unwrap_or(0)
    }
}

/// One image for one platform.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Manifest {
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
}

impl Manifest {
    /// What keeps its parts from being collected as garbage.
    pub(crate) fn labels(&self) -> HashMap<String, String> {
        let layers = self.layers.iter().enumerate();
        let mut labels: HashMap<_, _> = layers
            .map(|(n, layer)| (format!("containerd.io/gc.ref.content.l.{n}"), layer.digest.clone()))
            .collect();
        labels.insert(
            "containerd.io/gc.ref.content.config".to_owned(),
            self.config.digest.clone(),
        );
        labels
    }
}

/// A manifest as it was fetched.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub manifest: Manifest,
    pub bytes: bytes::Bytes,
    pub digest: String,
    pub media_type: String,
    /// The index that it was chosen from, with its digest and media type.
    pub index: Option<(bytes::Bytes, String, String)>,
}

/// What a registry answers: an image, or a list of images for several platforms.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    pub media_type: Option<String>,
    pub manifests: Option<Vec<Variant>>,
}

/// One image of several.
#[derive(Debug, Deserialize)]
pub(super) struct Variant {
    pub digest: String,
    pub platform: Option<Platform>,
}

/// What an image runs on, in Go's words.
#[derive(Debug, Deserialize)]
pub(super) struct Platform {
    pub os: String,
    pub architecture: String,
}

/// How an image wants to be run.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ImageConfig {
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub config: Option<Defaults>,
    pub rootfs: RootFs,
}

/// What runs in a container of the image unless the service says otherwise.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Defaults {
    pub env: Option<Vec<String>>,
    pub entrypoint: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    pub working_dir: Option<String>,
    pub user: Option<String>,
}

/// The layers, lowest first, by digest of what is in them.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RootFs {
    pub diff_ids: Vec<String>,
}

impl ImageConfig {
    pub(super) fn check(&self, image: &str, manifest: &Manifest) -> Result<(), PullError> {
        let invalid = |what| PullError::Invalid {
            image: image.to_owned(),
            what,
            source: None,
        };
        if self.rootfs.diff_ids.is_empty() {
            return Err(invalid("it has no layers"));
        }
        if self.rootfs.diff_ids.len() != manifest.layers.len() {
            return Err(invalid(
                "its configuration and its manifest do not name the same number of layers",
            ));
        }
        let fits = matches!(self.os.as_str(), "" | "linux") && [host_architecture(), ""].contains(&&*self.architecture);
        if fits {
            Ok(())
        } else {
            Err(wrong_architecture(image, format!("{}/{}", self.os, self.architecture)))
        }
    }
}

/// This host's image out of several.
pub(super) fn choose<'a>(image: &str, variants: &'a [Variant]) -> Result<&'a Variant, PullError> {
    let fits = |platform: &Platform| platform.os == "linux" && platform.architecture == host_architecture();
    variants
        .iter()
        .find(|variant| variant.platform.as_ref().is_some_and(fits))
        .ok_or_else(|| {
            let names = variants.iter().filter_map(|variant| variant.platform.as_ref());
            // Attestations pose as images for an unknown platform.
            let names = names
                .filter(|it| it.os != "unknown")
                .map(|it| format!("{}/{}", it.os, it.architecture));
            let mut names: Vec<_> = names.collect();
            names.dedup();
            wrong_architecture(
                image,
                if names.is_empty() {
                    "no variant at all".to_owned()
                } else {
                    names.join(", ")
                },
            )
        })
}

fn wrong_architecture(image: &str, has: String) -> PullError {
    PullError::WrongArchitecture {
        image: image.to_owned(),
        wanted: host_architecture(),
        has,
    }
}

/// This host's architecture in the words that images use.
pub(super) fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(os: &str, architecture: &str) -> Variant {
        let platform = Platform {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
        };
        Variant {
            digest: format!("sha256:{os}-{architecture}"),
            platform: Some(platform),
        }
    }

    #[test]
    fn this_hosts_variant_is_chosen() {
        let all = [
            variant("windows", host_architecture()),
            variant("linux", host_architecture()),
        ];
        assert!(choose("app", &all).unwrap().digest.starts_with("sha256:linux-"));
    }

    #[test]
    fn where_none_fits_the_error_names_what_there_is() {
        let error = choose("app", &[variant("linux", "s390x"), variant("unknown", "unknown")])
            .unwrap_err()
            .to_string();
        assert!(error.contains("the image has linux/s390x;"), "{error}");
        assert!(
            choose("app", &[])
                .unwrap_err()
                .to_string()
                .contains("no variant at all")
        );
    }

    #[test]
    fn absent_and_null_settings_read_alike() {
        let text = r#"{"architecture":"amd64","os":"linux","config":{"Env":null},"rootfs":{"diff_ids":["sha256:a"]}}"#;
        let config: ImageConfig = serde_json::from_str(text).unwrap();
        assert!(config.config.unwrap().entrypoint.is_none());
    }
}
