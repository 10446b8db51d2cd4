//! Whose log it is, beside the log: the cluster forgets replicas that are gone, and their last words are what is asked for
//! when a deployment has failed.

use std::io;
use std::path::Path;

use model::ServiceId;
use serde_json::{Value, json};

use super::Owner;

const FILE: &str = "about.json";
/// Of the file.
const FORMAT: u64 = 1;

pub(super) async fn write(folder: &Path, owner: Owner) -> io::Result<()> {
    let text = json!({"format": FORMAT, "service": owner.service.0, "version": owner.version});
    tokio::fs::write(folder.join(FILE), text.to_string()).await
}

/// `None` for logs of a daemon that did not write it, or of one that comes after us.
pub(super) fn read(folder: &Path) -> Option<Owner> {
    let text = std::fs::read(folder.join(FILE)).ok()?;
    let value: Value = serde_json::from_slice(&text).ok()?;
    if value["format"] != FORMAT {
        return None;
    }
    Some(Owner {
        service: ServiceId(value["service"].as_str()?.parse().ok()?),
        version: value["version"].as_u64().and_then(|it| u32::try_from(it).ok())?,
    })
}
