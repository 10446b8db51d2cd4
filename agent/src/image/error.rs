//! Why an image cannot be had.

use oci_client::ParseError;
use oci_client::errors::{OciDistributionError, OciErrorCode};
use thiserror::Error;

use crate::containerd::api::ApiError;
use crate::reason;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why an image cannot be had. Each text names the image and what can be done.
#[derive(Debug, Error)]
pub enum PullError {
    /// Its name is not one.
    #[error("`{image}` is not the name of an image; write it like `nginx:1.25` or `registry.example:5000/team/app:2`")]
    InvalidReference {
        /// As the service writes it.
        image: String,
        /// What is wrong with it.
        #[source]
        source: ParseError,
    },
    /// The registry has no such image.
    #[error(
        "the registry {registry} has no image `{image}`; check name and tag, and push the image if it was not pushed yet"
    )]
    NotFound {
        /// As the service writes it.
        image: String,
        /// Host and port.
        registry: String,
    },
    /// The registry does not answer.
    #[error(
        "the registry {registry} cannot be reached to pull `{image}`; check its address and this host's network, and if \
         it speaks plain http, start the nodes with --insecure-registry {registry}"
    )]
    Unreachable {
        /// As the service writes it.
        image: String,
        /// Host and port.
        registry: String,
        /// What happened.
        #[source]
        source: Cause,
    },
    /// The registry refuses to give the image.
    #[error("the registry {registry} does not give out `{image}` {}", without(.secret.as_deref()))]
    Denied {
        /// As the service writes it.
        image: String,
        /// Host and port.
        registry: String,
        /// Name of the secret whose credentials it was shown.
        secret: Option<String>,
    },
    /// The secret with the credentials cannot be used.
    #[error(
        "the secret `{secret}`, which is to hold the credentials for {registry} to pull `{image}`, cannot be used: {what}"
    )]
    Login {
        /// As the service writes it.
        image: String,
        /// Host and port.
        registry: String,
        /// Its name.
        secret: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The registry answers, but with an error of its own.
    #[error("the registry {registry} failed to give `{image}`; this is tried again, see the registry's own log")]
    Registry {
        /// As the service writes it.
        image: String,
        /// Host and port.
        registry: String,
        /// What it said.
        #[source]
        source: Cause,
    },
    /// The image is not made for this host's processor.
    #[error(
        "`{image}` is not made for this host: it needs linux/{wanted}, the image has {has}; build and push it for \
         linux/{wanted} too"
    )]
    WrongArchitecture {
        /// As the service writes it.
        image: String,
        /// This host's architecture.
        wanted: &'static str,
        /// What there is, such as `linux/arm64, linux/s390x`.
        has: String,
    },
    /// The image is damaged or of an unknown kind.
    #[error("`{image}` cannot be used: {what}; build and push it again")]
    Invalid {
        /// As the service writes it.
        image: String,
        /// What is wrong with it.
        what: &'static str,
        /// How that was noticed.
        #[source]
        source: Option<Cause>,
    },
    /// No room.
    #[error("the disk is full: `{image}` cannot be unpacked; make room on the disk that holds containerd's files")]
    DiskFull {
        /// As the service writes it.
        image: String,
    },
    /// The system's certificates cannot be read, or the TLS library was not set up.
    #[error("cannot speak https to registries; is the package `ca-certificates` installed?")]
    Tls(#[source] Cause),
    /// containerd refused something that should have worked.
    #[error("containerd failed to {doing}")]
    Containerd {
        /// What it was asked.
        doing: &'static str,
        /// Whether it does not answer at all.
        unavailable: bool,
        /// What it said.
        #[source]
        source: Cause,
    },
}

impl PullError {
    /// Stable and machine-readable.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidReference { .. } => reason::INVALID_REFERENCE,
            Self::NotFound { .. } => reason::IMAGE_NOT_FOUND,
            Self::Unreachable { .. } | Self::Tls(_) => reason::REGISTRY_UNREACHABLE,
            Self::Denied { .. } | Self::Login { .. } => reason::REGISTRY_DENIED,
            Self::Registry { .. } => reason::REGISTRY_ERROR,
            Self::WrongArchitecture { .. } => reason::WRONG_ARCHITECTURE,
            Self::Invalid { .. } => reason::INVALID_IMAGE,
            Self::DiskFull { .. } => reason::DISK_FULL,
            Self::Containerd { unavailable: true, .. } => reason::CONTAINERD_UNAVAILABLE,
            Self::Containerd { unavailable: false, .. } => reason::START_FAILED,
        }
    }

    /// Whether containerd does not answer at all.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Containerd { unavailable: true, .. })
    }

    /// Whether the registry has failed to answer, so that it does not say no either.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Registry { .. } | Self::Tls(_) => true,
            Self::InvalidReference { .. }
            | Self::NotFound { .. }
            | Self::Denied { .. }
            | Self::Login { .. }
            | Self::WrongArchitecture { .. }
            | Self::Invalid { .. }
            | Self::DiskFull { .. }
            | Self::Containerd { .. } => false,
        }
    }

    /// Whether the registry does not give the bytes, although it does not refuse them either: another node may.
    pub(super) fn is_absence(&self) -> bool {
        self.is_silence() || matches!(self, Self::NotFound { .. })
    }

    /// From what containerd said while an image was stored.
    pub(crate) fn storing(image: &str, doing: &'static str, error: ApiError) -> Self {
        if error.is_disk_full() {
            Self::DiskFull {
                image: image.to_owned(),
            }
        } else {
            Self::asking(doing, error)
        }
    }

    /// From what containerd said when it was asked about an image.
    pub(crate) fn asking(doing: &'static str, error: ApiError) -> Self {
        Self::Containerd {
            doing,
            unavailable: error.is_unavailable(),
            source: error.into(),
        }
    }

    /// From what the registry said.
    pub(crate) fn fetching(image: &str, registry: &str, secret: Option<&str>, error: OciDistributionError) -> Self {
        let (image, registry) = (image.to_owned(), registry.to_owned());
        match verdict(&error) {
            Verdict::Missing => Self::NotFound { image, registry },
            Verdict::Denied => Self::Denied {
                image,
                registry,
                secret: secret.map(str::to_owned),
            },
            Verdict::Unreachable => Self::Unreachable {
                image,
                registry,
                source: error.into(),
            },
            Verdict::Broken => Self::Registry {
                image,
                registry,
                source: error.into(),
            },
        }
    }
}

fn without(secret: Option<&str>) -> String {
    match secret {
        None => "without credentials; name a secret that holds them with `registry_secret`, make it public there, or check its \
                 name: registries answer the same for images that do not exist"
            .to_owned(),
        Some(secret) => format!(
            "with the credentials in the secret `{secret}`; correct them, have that account let in there, or check the \
             image's name: registries answer the same for images that do not exist"
        ),
    }
}

enum Verdict {
    Missing,
    Denied,
    Unreachable,
    Broken,
}

fn verdict(error: &OciDistributionError) -> Verdict {
    match error {
        OciDistributionError::ImageManifestNotFoundError(_) | OciDistributionError::ServerError { code: 404, .. } => {
            Verdict::Missing
        }
        OciDistributionError::RegistryError { envelope, .. } => {
            let has = |codes: &[OciErrorCode]| envelope.errors.iter().any(|error| codes.contains(&error.code));
            if has(&[OciErrorCode::Unauthorized, OciErrorCode::Denied]) {
                Verdict::Denied
            } else if has(&[
                OciErrorCode::ManifestUnknown,
                OciErrorCode::NameUnknown,
                OciErrorCode::NotFound,
                OciErrorCode::BlobUnknown,
            ]) {
                Verdict::Missing
            } else {
                Verdict::Broken
            }
        }
        OciDistributionError::AuthenticationFailure(_)
        | OciDistributionError::UnauthorizedError { .. }
        | OciDistributionError::ServerError { code: 401 | 403, .. } => Verdict::Denied,
        OciDistributionError::RequestError(_) | OciDistributionError::IoError(_) => Verdict::Unreachable,
        _ => Verdict::Broken,
    }
}
