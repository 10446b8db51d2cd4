//! Which bytes a rollout runs, whatever becomes of the tag that its image is named by.

use serde::{Deserialize, Serialize};

use crate::{DeploymentId, Timestamp};

/// How it is known which bytes a rollout is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PinSource {
    /// The registry said so when the rollout began.
    Registry,
    /// The registry did not answer, so it is what an earlier rollout of the same image ran.
    LastKnown,
    /// The registry did not answer, but the image's name holds the digest.
    Named,
    /// Taken over from an earlier rollout: of the same image, or the one that is rolled back to.
    Kept,
}

impl PinSource {
    /// As clients see it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::LastKnown => "last_known",
            Self::Named => "named",
            Self::Kept => "kept",
        }
    }
}

/// The bytes that a rollout runs. A record of its own beside the deployment, because stored deployments can never gain a
/// field; there is none until the image was looked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImagePin {
    /// Of which rollout.
    pub id: DeploymentId,
    /// Of the image's manifest, or of the index of its variants for several platforms: `sha256:` and 64 digits.
    pub digest: String,
    /// How it is known.
    pub source: PinSource,
    /// When it was looked up.
    pub at: Timestamp,
}

/// The name by which a host fetches just these bytes: `nginx:1.25@sha256:...`.
#[must_use]
pub fn pinned_reference(image: &str, digest: &str) -> String {
    match named_digest(image) {
        Some(_) => image.to_owned(),
        None => format!("{image}@{digest}"),
    }
}

/// The digest that is a part of an image's name.
#[must_use]
pub fn named_digest(image: &str) -> Option<&str> {
    image.split_once('@').map(|(_, digest)| digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_digest_is_pinned_already() {
        assert_eq!(pinned_reference("app:1", "sha256:a"), "app:1@sha256:a");
        assert_eq!(pinned_reference("app@sha256:b", "sha256:b"), "app@sha256:b");
        assert_eq!(named_digest("h:5000/app:1"), None);
    }
}
