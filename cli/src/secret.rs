//! `goblins secret`

mod check;
mod copy;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::client::Client;
use crate::command::{Connection, client};
use crate::table::{plain, table};

/// What can be done with secrets.
#[derive(Clone, Debug, Subcommand)]
pub enum SecretCommand {
    /// List secrets, or the keys of one. Values are never shown
    List {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Which one; without it and without --project, all are listed
        #[command(flatten)]
        which: Which,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set items from a file of KEY=VALUE lines; items that are not in it stay
    Import {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Which secret; the default project's default secret without it
        #[command(flatten)]
        which: Which,
        /// The file; `-` is standard input
        file: PathBuf,
        /// Leave out lines without a value; without this they are refused, as a secret holds no empty values
        #[arg(long)]
        skip_empty: bool,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Write items as KEY=VALUE lines. Each value that is read is on record
    Export {
        /// Whom to ask, and as whom
        #[command(flatten)]
        connection: Connection,
        /// Which secret; the default project's default secret without it
        #[command(flatten)]
        which: Which,
        /// Write to this new file, which only its owner can read, instead of standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Names one secret.
#[derive(Clone, Debug, Args)]
pub struct Which {
    /// Name or id of the secret
    #[arg(long, value_name = "NAME|ID")]
    secret: Option<String>,
    /// Name or id of its project
    #[arg(long, value_name = "NAME|ID")]
    project: Option<String>,
}

pub(crate) async fn run(command: SecretCommand) -> Result<()> {
    match command {
        SecretCommand::List {
            connection,
            which,
            json,
        } => list(&client(connection)?, &which, json).await,
        SecretCommand::Import {
            connection,
            which,
            file,
            skip_empty,
            dry_run,
        } => {
            let pairs = copy::pairs(&file, skip_empty)?;
            copy::import(&client(connection)?, &which, &pairs, dry_run).await
        }
        SecretCommand::Export {
            connection,
            which,
            output,
        } => copy::export(&client(connection)?, &which, output.as_deref()).await,
    }
}

async fn list(client: &Client, which: &Which, json: bool) -> Result<()> {
    let (found, rows) = if which.secret.is_none() {
        let secrets = client.list(&listed(client, which).await?).await?;
        let header = ["ID", "NAME", "STATUS", "UPDATED"].map(str::to_owned);
        let row = |it: &Value| ["id", "name", "status", "updated_at"].map(|field| plain(&it[field]));
        let rows: Vec<_> = std::iter::once(header).chain(secrets.iter().map(row)).collect();
        (secrets, rows)
    } else {
        let items = client.list(&items(&find(client, which).await?)).await?;
        let header = ["KEY", "UPDATED", "LAST READ", "BY"].map(str::to_owned);
        let row =
            |it: &Value| ["key", "updated_at", "last_accessed_at", "last_accessed_by"].map(|field| plain(&it[field]));
        let rows: Vec<_> = std::iter::once(header).chain(items.iter().map(row)).collect();
        (items, rows)
    };
    if json {
        println!("{}", Value::Array(found));
    } else {
        print!("{}", table(&rows));
    }
    Ok(())
}

/// The path of the items of a secret.
fn items(secret: &Value) -> String {
    format!("/api/secrets/{}/items/", plain(&secret["id"]))
}

/// The path that lists the secrets of the project that was named.
async fn listed(client: &Client, which: &Which) -> Result<String> {
    let Some(wanted) = &which.project else {
        return Ok("/api/secrets/".to_owned());
    };
    let projects = client.list("/api/projects/").await?;
    let project = one(&projects, "project", wanted)?;
    Ok(format!("/api/secrets/?project={}", plain(&project["id"])))
}

/// The secret that is meant.
async fn find(client: &Client, which: &Which) -> Result<Value> {
    let secrets = client.list(&listed(client, which).await?).await?;
    match &which.secret {
        Some(wanted) => one(&secrets, "secret", wanted).cloned(),
        None => {
            // The oldest project is the one that the account began with.
            let found = secrets.iter().find(|it| it["is_default"] == true);
            found
                .cloned()
                .context("there is no default secret; name one with --secret")
        }
    }
}

/// The only object of that name or id.
fn one<'a>(objects: &'a [Value], kind: &str, wanted: &str) -> Result<&'a Value> {
    let mut found = objects.iter().filter(|it| it["id"] == wanted || it["name"] == wanted);
    let first = found.next().with_context(|| {
        let names: Vec<_> = objects.iter().map(|it| plain(&it["name"])).collect();
        format!("there is no {kind} {wanted:?}; there are: {}", names.join(", "))
    })?;
    if let Some(second) = found.next() {
        bail!(
            "there are several {kind}s {wanted:?}: name one by its id, such as {} or {}",
            plain(&first["id"]),
            plain(&second["id"])
        );
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_object_is_found_by_name_or_id_or_nobody_guesses() {
        let objects = [
            json!({"id": "1", "name": "db"}),
            json!({"id": "2", "name": "mail"}),
            json!({"id": "3", "name": "db"}),
        ];
        assert_eq!(one(&objects, "secret", "mail").expect("found")["id"], "2");
        assert_eq!(one(&objects, "secret", "3").expect("found")["id"], "3");
        let two = one(&objects, "secret", "db").expect_err("ambiguous").to_string();
        assert!(two.contains("by its id"), "{two}");
        let none = one(&objects, "secret", "web").expect_err("none").to_string();
        assert!(none.contains("db, mail, db"), "{none}");
    }
}
