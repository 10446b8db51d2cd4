//! `goblins restore`: a new cluster of one node from a backup.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use clap::Args;
use raft::Restore;
use storage::{Backup, DataDir, Folder, Identity, KeyBundle, KeyDocument};
use zeroize::Zeroizing;

use crate::backup::when;
use crate::settings::node_name;

/// Flags of `goblins restore`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup
    file: PathBuf,
    /// Where the new cluster's first node is to live: a folder that is empty or not there yet
    #[arg(long, env = "GOBLINS_DATA_DIR", value_name = "PATH")]
    data_dir: PathBuf,
    /// What that node is called [default: this host's name]
    #[arg(long, env = "GOBLINS_NODE_NAME", value_name = "NAME")]
    node_name: Option<String>,
    /// The `keyring` file of a node of that time, if the backup does not hold the keys
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,
    /// Where the keyring's passphrase comes from, if it has one
    #[command(flatten)]
    passphrase: cli::PassphraseFrom,
}

/// The keys for the new cluster, and the passphrase that its keyring is put under.
struct Keys {
    bundle: KeyBundle,
    passphrase: Option<Zeroizing<String>>,
}

pub(crate) fn run(args: RestoreArgs) -> Result<()> {
    let name = node_name(args.node_name.clone())?;
    let target = Target::check(&args.data_dir)?;
    let backup = Backup::open(&args.file)?;
    let state = backup.state()?;
    let had_passphrase = state.cluster().is_some_and(|it| it.keyring.lock.is_some());
    let keys = keys(&args, &backup, had_passphrase)?;
    let from = Restore {
        state: &state,
        keys: keys.as_ref().map(|it| &it.bundle),
        passphrase: keys
            .as_ref()
            .and_then(|it| it.passphrase.as_ref())
            .map(|it| it.as_str()),
        node_name: &name,
        now: SystemTime::now(),
    };
    let identity = target.fill(&from)?;
    let header = backup.header();
    println!(
        "restored {} objects of cluster {}, as it was at {}",
        header.objects,
        header.cluster,
        when(header.created_at)
    );
    println!(
        "into {}: cluster {}, node {} ({name})",
        args.data_dir.display(),
        identity.cluster,
        identity.node
    );
    println!(
        "API keys and passwords are those of the backup; what was revoked since works again, so look through them"
    );
    if from.passphrase.is_some() {
        println!("its keyring is under the passphrase that you gave: run `goblins keyring unlock` after the start");
    }
    println!("start it: goblins server --data-dir {}", args.data_dir.display());
    Ok(())
}

/// The keys of the old cluster; `None` if neither the backup nor the command line has any.
fn keys(args: &RestoreArgs, backup: &Backup, had_passphrase: bool) -> Result<Option<Keys>> {
    let cluster = backup.header().cluster;
    let (document, whence) = match (&args.keyring, backup.keyring()) {
        (Some(path), _) => {
            let bytes = fs::read(path).with_context(|| format!("cannot read the keyring {}", path.display()))?;
            let bytes = Zeroizing::new(bytes);
            (KeyDocument::read(&bytes, cluster), path.display().to_string())
        }
        (None, Some(bytes)) => (KeyDocument::read(bytes, cluster), "the backup".to_owned()),
        (None, None) => return Ok(None),
    };
    let unusable = || format!("the keyring in {whence} cannot be used for this backup");
    let document = document.with_context(unusable)?;
    let passphrase = match document.is_locked() {
        true => Some(args.passphrase.known()?),
        false => None,
    };
    let opened = document
        .open(passphrase.as_ref().map(|it| it.as_str()))
        .with_context(unusable)?;
    let Some(bundle) = opened else {
        bail!("this is not the passphrase of the keyring in {whence}; nothing was made");
    };
    // A backup's keys lie under a passphrase in any case; the new cluster's do if the old one's did.
    let passphrase = passphrase.filter(|_| had_passphrase || args.keyring.is_some());
    Ok(Some(Keys { bundle, passphrase }))
}

/// A folder to be, made beside its place and then put there whole.
struct Target {
    place: PathBuf,
    aside: PathBuf,
}

impl Target {
    /// Looks whether the place is free, before anything else is asked or done.
    fn check(place: &Path) -> Result<Self> {
        let Some(name) = place.file_name() else {
            bail!("--data-dir {}: name the folder that is to be made", place.display());
        };
        match fs::read_dir(place).map(|mut it| it.next().is_none()) {
            Ok(true) => {}
            Ok(false) => bail!(
                "{} is not empty: a backup is restored into a folder that is empty or not there yet; nothing was changed",
                place.display()
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot use --data-dir {}", place.display())),
        }
        let mut aside = name.to_owned();
        aside.push(".restoring");
        Ok(Self {
            place: place.to_owned(),
            aside: place.with_file_name(aside),
        })
    }

    /// Makes the node. Where it fails, nothing is left of it.
    fn fill(&self, from: &Restore<'_>) -> Result<Identity> {
        let parent = self.aside.parent().filter(|it| !it.as_os_str().is_empty());
        if let Some(parent) = parent {
            fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        DirBuilder::new().mode(0o700).create(&self.aside).with_context(|| {
            format!(
                "cannot make {}; if it is left of a restore that was cut short, delete it",
                self.aside.display()
            )
        })?;
        let made = self.make(from);
        if made.is_err()
            && let Err(error) = fs::remove_dir_all(&self.aside)
        {
            eprintln!("goblins: cannot remove {}: {error}; delete it", self.aside.display());
        }
        made
    }

    fn make(&self, from: &Restore<'_>) -> Result<Identity> {
        let vacant = match DataDir::open(&self.aside)? {
            Folder::Vacant(vacant) => vacant,
            Folder::Node(_) => bail!("somebody else has put a node into {}", self.aside.display()),
        };
        let identity = raft::restore(vacant, from)?;
        // Takes the place of an empty folder, and of nothing else.
        fs::rename(&self.aside, &self.place).with_context(|| {
            format!(
                "cannot put the restored folder in the place of {}; if that is a mount point, name a folder in it",
                self.place.display()
            )
        })?;
        let parent = self.place.parent().filter(|it| !it.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        fs::File::open(parent)
            .and_then(|it| it.sync_all())
            .with_context(|| format!("cannot sync {}", parent.display()))?;
        Ok(identity)
    }
}
