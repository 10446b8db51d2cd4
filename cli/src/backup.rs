//! `goblins backup`

mod report;

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use reqwest::header::CONTENT_DISPOSITION;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::command::{Connection, block_on, client};
use crate::passphrase::From;
pub use report::BackupReport;

/// How long a node may send nothing.
const SILENCE: Duration = Duration::from_secs(60);
/// How often the progress is told.
const TELL: Duration = Duration::from_millis(200);

/// Flags of `goblins backup`.
#[derive(Clone, Debug, Args)]
pub struct BackupArgs {
    /// Whom to ask, and as whom
    #[command(flatten)]
    connection: Connection,
    /// Where to write it [default: goblins-CLUSTER-TIME.backup here]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Put the cluster's keys into it too, under a passphrase
    #[arg(long)]
    with_keyring: bool,
    /// Where the passphrase for the keys comes from
    #[command(flatten)]
    passphrase: From,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    /// Check this backup instead of making one, and say what is in it; asks no cluster
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "with_keyring", "passphrase_file", "force"])]
    check: Option<PathBuf>,
}

/// Makes a backup, or checks one. `inspect` reads a whole file and says what is in it.
///
/// # Errors
/// When the cluster cannot be reached or refuses, the file cannot be written, or is not a whole backup; the text says
/// which and what to do.
pub fn backup(args: BackupArgs, inspect: impl Fn(&Path) -> Result<BackupReport>) -> Result<()> {
    if let Some(path) = &args.check {
        let report = inspect(path)?;
        print!("{}", report.whole(path));
        return Ok(());
    }
    if args.passphrase.passphrase_file.is_some() && !args.with_keyring {
        bail!("--passphrase-file is for the keys: give --with-keyring too, or leave it out");
    }
    if let Some(path) = &args.out {
        require_free(path, args.force)?;
    }
    let body = match args.with_keyring {
        true => Some(json!({ "passphrase": *args.passphrase.fresh()? })),
        false => None,
    };
    let client = client(args.connection)?;
    block_on(async {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let answer = client.open(method, "/api/cluster/backup/", body.as_ref()).await;
        wipe(body);
        let answer = answer?;
        let path = match args.out {
            Some(path) => path,
            None => named(&answer)?,
        };
        require_free(&path, args.force)?;
        let unfinished = Unfinished::create(&path)?;
        unfinished.receive(answer).await?;
        let report = inspect(&unfinished.path).context("the node sent something that is not a whole backup")?;
        require_free(&path, args.force)?;
        unfinished.finish(&path)?;
        print!("{}", report.summary(&path));
        Ok(())
    })
}

fn wipe(body: Option<Value>) {
    if let Some(Value::String(passphrase)) = body.and_then(|mut it| it.get_mut("passphrase").map(Value::take)) {
        drop(Zeroizing::new(passphrase));
    }
}

fn require_free(path: &Path, force: bool) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => bail!("{} is a folder: name a file in it", path.display()),
        Ok(_) if !force => bail!(
            "{} is there already: name another file, or replace it with --force",
            path.display()
        ),
        _ => Ok(()),
    }
}

/// The name that the node gave it, if that can only be the name of a file here.
fn named(answer: &Response) -> Result<PathBuf> {
    let header = answer
        .headers()
        .get(CONTENT_DISPOSITION)
        .and_then(|it| it.to_str().ok());
    let name = header.and_then(|it| it.split_once("filename=\"")?.1.strip_suffix('"'));
    let plain = |it: &&str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        it.starts_with("goblins-") && it.ends_with(".backup") && it.chars().all(fits)
    };
    let name = name
        .filter(plain)
        .context("the node gave the backup no name: name a file with --out")?;
    Ok(PathBuf::from(name))
}

/// A file that goes away again unless it is finished.
struct Unfinished {
    path: PathBuf,
    file: File,
    is_finished: std::cell::Cell<bool>,
}

impl Unfinished {
    fn create(place: &Path) -> Result<Self> {
        let mut path = place.as_os_str().to_owned();
        path.push(".tmp");
        let path = PathBuf::from(path);
        let failed = || format!("cannot make {}", path.display());
        // What an earlier attempt left may have another mode.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).with_context(failed),
            _ => {}
        }
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = made.with_context(failed)?;
        Ok(Self {
            path,
            file,
            is_finished: false.into(),
        })
    }

    /// Writes the body of an answer, and has it on the disk when it returns.
    async fn receive(&self, mut answer: Response) -> Result<()> {
        let failed = || format!("cannot write {}", self.path.display());
        let mut file = &self.file;
        let mut progress = Progress::new();
        loop {
            let piece = tokio::time::timeout(SILENCE, answer.chunk()).await;
            let piece = piece.with_context(|| format!("the node sent nothing for {} s", SILENCE.as_secs()))?;
            let Some(piece) = piece.context("the backup broke off; nothing was kept of it")? else {
                break;
            };
            file.write_all(&piece).with_context(failed)?;
            progress.add(piece.len());
        }
        progress.end();
        self.file.sync_all().with_context(failed)
    }

    fn finish(&self, place: &Path) -> Result<()> {
        let failed = || format!("cannot put the backup in the place of {}", place.display());
        fs::rename(&self.path, place).with_context(failed)?;
        self.is_finished.set(true);
        let folder = place.parent().filter(|it| !it.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new("."))).with_context(failed)?;
        folder.sync_all().with_context(failed)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_finished.get()
            && let Err(error) = fs::remove_file(&self.path)
        {
            eprintln!("goblins: cannot remove {}: {error}; delete it", self.path.display());
        }
    }
}

/// How much has come, for whoever looks on.
struct Progress {
    bytes: u64,
    told: Option<Instant>,
    shows: bool,
}

impl Progress {
    fn new() -> Self {
        Self {
            bytes: 0,
            told: None,
            shows: io::stderr().is_terminal(),
        }
    }

    fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.shows && self.told.is_none_or(|it| it.elapsed() >= TELL) {
            eprint!("\rreceived {}   ", report::size(self.bytes));
            self.told = Some(Instant::now());
        }
    }

    fn end(&self) {
        if self.told.is_some() {
            eprint!("\r{:32}\r", "");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_replaced_only_if_that_is_asked_for() {
        let folder = std::env::temp_dir().join(format!("goblins-backup-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&folder).expect("a folder");
        let place = folder.join("a.backup");
        assert!(require_free(&place, false).is_ok());
        fs::write(&place, "old").expect("written");
        assert!(require_free(&place, false).is_err());
        assert!(require_free(&place, true).is_ok());
        assert!(require_free(&folder, true).is_err(), "never a folder");

        // One that is given up leaves nothing, and what was there stays.
        drop(Unfinished::create(&place).expect("made"));
        assert_eq!(fs::read_dir(&folder).expect("readable").count(), 1);
        assert_eq!(fs::read_to_string(&place).expect("readable"), "old");
        let unfinished = Unfinished::create(&place).expect("made");
        (&unfinished.file).write_all(b"new").expect("written");
        unfinished.finish(&place).expect("renamed");
        drop(unfinished);
        assert_eq!(fs::read_to_string(&place).expect("readable"), "new");
        fs::remove_dir_all(&folder).expect("removed");
    }
}
