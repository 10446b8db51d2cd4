//! What a join token says: a secret, and by which authority to recognise the cluster.

use ring::digest::{SHA256, digest};

/// Every join token begins so.
const PREFIX: &str = "gobj_";

/// A join token taken apart.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct JoinToken<'a> {
    /// The whole text: this is what the cluster knows the hash of.
    pub(crate) text: &'a str,
    /// SHA-256 of the certificate of the cluster's authority.
    pub(crate) authority: [u8; 32],
}

impl<'a> JoinToken<'a> {
    /// Reads `gobj_<secret>_<64 hex digits>`; `None` for anything else.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (secret, digits) = text.strip_prefix(PREFIX)?.rsplit_once('_')?;
        let mut authority = [0; 32];
        hex::decode_to_slice(digits, &mut authority).ok()?;
        (!secret.is_empty()).then_some(Self { text, authority })
    }
}

/// Whether a text is a join token in form: `gobj_<secret>_<64 hex digits>`.
#[must_use]
pub fn is_join_token(text: &str) -> bool {
    JoinToken::parse(text.trim()).is_some()
}

/// What the cluster knows of a token.
pub(crate) fn hash(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_without_a_whole_digest_is_none() {
        let digest = "0f".repeat(32);
        let good = format!("gobj_secret_{digest}");
        assert!(JoinToken::parse(&good).is_some_and(|it| it.authority == [0x0f; 32] && it.text == good));
        for bad in [
            "gobj_secret".to_owned(),
            "gobj_secret_".to_owned(),
            format!("gobj_{digest}"),
            format!("gobj__{digest}"),
            format!("gobj_secret_{}", &digest[1..]),
            format!("gobj_secret_{digest}0"),
            format!("gob_secret_{digest}"),
            String::new(),
        ] {
            assert!(JoinToken::parse(&bad).is_none(), "{bad}");
        }
    }
}
