//! Values from a file, and into one.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::check::check;
use super::{Which, find, items};
use crate::client::Client;
use crate::dotenv::{self, Pair};
use crate::table::plain;

/// What an import does with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Deed {
    Create,
    /// The item with this id.
    Update(String),
}

/// What a file sets, which is fit to be imported.
pub(super) fn pairs(file: &Path, skip_empty: bool) -> Result<Vec<Pair>> {
    let text = read(file)?;
    let pairs = dotenv::parse(&text).and_then(|it| check(it, skip_empty));
    let pairs = pairs.with_context(|| format!("cannot import {}", file.display()))?;
    if pairs.is_empty() {
        bail!("{} sets nothing", file.display());
    }
    Ok(pairs)
}

/// Sets items. Values that are there are not read, so each one in the file is set anew.
pub(super) async fn import(client: &Client, which: &Which, pairs: &[Pair], dry_run: bool) -> Result<()> {
    let secret = find(client, which).await?;
    let path = items(&secret);
    let known = client.list(&path).await?;
    let known: BTreeMap<_, _> = known.iter().map(|it| (plain(&it["key"]), plain(&it["id"]))).collect();
    let name = plain(&secret["name"]);
    let mut done = 0;
    for (key, value) in pairs {
        let deed = known.get(key).map_or(Deed::Create, |id| Deed::Update(id.clone()));
        let word = if deed == Deed::Create { "create" } else { "update" };
        if dry_run {
            println!("would {word} {key}");
            continue;
        }
        let result = send(client, &path, &deed, key, value).await;
        result.with_context(|| format!("{key} was not set; {done} of {} were set before it", pairs.len()))?;
        done += 1;
        println!("{word}d {key}");
    }
    if dry_run {
        println!("nothing was changed in {name}");
    } else {
        println!("set {done} items of {name}");
    }
    Ok(())
}

async fn send(client: &Client, path: &str, deed: &Deed, key: &str, value: &str) -> Result<()> {
    let mut body = json!({ "value": value });
    let answer = match deed {
        Deed::Create => {
            body["key"] = key.into();
            client.post(path, &body).await
        }
        Deed::Update(id) => client.patch(&format!("{path}{id}/"), &body).await,
    };
    wipe(&mut body);
    answer.map(|mut it| wipe(&mut it))
}

/// Wipes the value in a body or an answer.
fn wipe(json: &mut Value) {
    if let Some(Value::String(value)) = json.get_mut("value").map(Value::take) {
        drop(Zeroizing::new(value));
    }
}

/// Writes items, each read on record.
pub(super) async fn export(client: &Client, which: &Which, output: Option<&Path>) -> Result<()> {
    let secret = find(client, which).await?;
    let path = items(&secret);
    let known = client.list(&path).await?;
    // Before a value is read: a read that is on record for nothing helps nobody.
    let mut out: Box<dyn Write> = match output {
        Some(path) => Box::new(
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .with_context(|| format!("cannot make {}; an existing file is not replaced", path.display()))?,
        ),
        None => Box::new(io::stdout().lock()),
    };
    for item in &known {
        let (key, id) = (plain(&item["key"]), plain(&item["id"]));
        let mut read = client
            .get(&format!("{path}{id}/"))
            .await
            .with_context(|| format!("cannot read {key}"))?;
        let line = read["value"].as_str().map(|it| dotenv::line(&key, it));
        wipe(&mut read);
        let line = line.with_context(|| format!("the answer holds no value of {key}"))?;
        out.write_all(line.as_bytes()).context("cannot write")?;
    }
    out.flush().context("cannot write")?;
    eprintln!("{} items of {}", known.len(), plain(&secret["name"]));
    Ok(())
}

fn read(file: &Path) -> Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    let done = if file == Path::new("-") {
        io::stdin().read_to_string(&mut text)
    } else {
        fs::File::open(file).and_then(|mut it| it.read_to_string(&mut text))
    };
    done.with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text)
}
