//! What is in a backup, for a person.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use model::{KeyVersion, Resource, Timestamp};
use storage::Backup;

/// Kinds of objects that people ask for, in the order in which they are told of.
const KINDS: [&str; 12] = [
    "accounts",
    "API keys",
    "projects",
    "services",
    "deployments",
    "domains",
    "routes",
    "configs",
    "config items",
    "secrets",
    "secret items",
    "events",
];

/// Reads a backup from its first byte to its last object, and says what is in it.
///
/// # Errors
/// When anything of it cannot be used.
pub(crate) fn inspect(path: &Path) -> Result<cli::BackupReport> {
    let backup = Backup::open(path)?;
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    backup.for_each(|it| *counts.entry(kind(&it)).or_default() += 1)?;
    let header = backup.header();
    let counts = KINDS.iter().map(|kind| (*kind, counts.get(kind).copied().unwrap_or(0)));
    Ok(cli::BackupReport {
        size: backup.size(),
        cluster: header.cluster.to_string(),
        index: header.index.0,
        term: header.term,
        created_at: when(header.created_at),
        program: header.program.clone(),
        format: header.format,
        keys: header.keys.iter().map(KeyVersion::to_string).collect(),
        has_keyring: backup.keyring().is_some(),
        objects: header.objects,
        counts: counts.collect(),
    })
}

/// A time for people, in UTC.
pub(crate) fn when(at: Timestamp) -> String {
    let micros = i64::try_from(at.0).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_microsecond(micros).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn kind(it: &Resource) -> &'static str {
    match it {
        Resource::Account(_) => "accounts",
        Resource::ApiKey(_) => "API keys",
        Resource::Project(_) => "projects",
        Resource::Service(_) => "services",
        Resource::Deployment(_) => "deployments",
        Resource::Domain(_) => "domains",
        Resource::Route(_) => "routes",
        Resource::Config(_) => "configs",
        Resource::ConfigItem(_) => "config items",
        Resource::Secret(_) => "secrets",
        Resource::SecretItem(_) => "secret items",
        Resource::Event(_) => "events",
        // Counted with the rest; a restored cluster makes its own, or they say nothing by themselves.
        Resource::Cluster(_)
        | Resource::JoinToken(_)
        | Resource::Node(_)
        | Resource::Replica(_)
        | Resource::Operation(_)
        | Resource::SecretValue(_)
        | Resource::Session(_)
        | Resource::Quota(_)
        | Resource::NodeVoting(_)
        | Resource::AuthorityRotation(_)
        | Resource::ServiceSettings(_)
        | Resource::DeploymentSettings(_)
        | Resource::ImagePin(_)
        | Resource::Restart(_)
        | Resource::JoinTokenUses(_) => "other",
    }
}
