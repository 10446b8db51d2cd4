//! Which node of which cluster a certificate names, and for how long.

use model::{ClusterId, NodeId};
use thiserror::Error;
use uuid::Uuid;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

/// No name of the world ends so: these names are looked for in certificates only, never resolved.
const SUFFIX: &str = "goblins";
const PREFIX: &str = "node-";

/// What a node's certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Certified {
    pub(crate) cluster: ClusterId,
    pub(crate) node: NodeId,
    /// Seconds since 1970.
    pub(crate) from: i64,
    /// Seconds since 1970.
    pub(crate) until: i64,
}

/// A certificate that names no node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoIdentity {
    /// It is no certificate.
    #[error("it is not a certificate")]
    Unreadable,
    /// It names something else, or more than one node.
    #[error("it does not name a node of a cluster")]
    OtherName,
}

/// The name of a node in its certificate, as DNS name among its alternative names.
pub(crate) fn name(cluster: ClusterId, node: NodeId) -> String {
    format!("{PREFIX}{}.{}.{SUFFIX}", node.0, cluster.0.as_hyphenated())
}

/// Reads a certificate (DER). That it is genuine has been checked by whoever took it.
pub(crate) fn read(der: &[u8]) -> Result<Certified, NoIdentity> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| NoIdentity::Unreadable)?;
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| NoIdentity::Unreadable)?;
    let names = names.map(|it| it.value.general_names.as_slice()).unwrap_or_default();
    let [GeneralName::DNSName(name)] = names else {
        return Err(NoIdentity::OtherName);
    };
    let (cluster, node) = parse(name).ok_or(NoIdentity::OtherName)?;
    let validity = certificate.validity();
    Ok(Certified {
        cluster,
        node,
        from: validity.not_before.timestamp(),
        until: validity.not_after.timestamp(),
    })
}

fn parse(name: &str) -> Option<(ClusterId, NodeId)> {
    let (node, rest) = name.strip_prefix(PREFIX)?.split_once('.')?;
    let (cluster, suffix) = rest.split_once('.')?;
    let (node, cluster) = (node.parse().ok()?, Uuid::try_parse(cluster).ok()?);
    let (node, cluster) = (NodeId(node), ClusterId(cluster));
    // Whatever else reads as the same node is not the name that was signed.
    (suffix == SUFFIX && self::name(cluster, node) == name).then_some((cluster, node))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_name_is_read() {
        let (cluster, node) = (ClusterId(Uuid::from_u128(7)), NodeId(3));
        let good = name(cluster, node);
        assert_eq!(good, "node-3.00000000-0000-0000-0000-000000000007.goblins");
        assert_eq!(parse(&good), Some((cluster, node)));
        for bad in [
            "node-3.goblins",
            "node-03.00000000-0000-0000-0000-000000000007.goblins",
            "node-3.00000000000000000000000000000007.goblins",
            "node-3.00000000-0000-0000-0000-000000000007.goblins.example.org",
            "node--3.00000000-0000-0000-0000-000000000007.goblins",
            "3.00000000-0000-0000-0000-000000000007.goblins",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(read(b"no certificate"), Err(NoIdentity::Unreadable));
    }
}
