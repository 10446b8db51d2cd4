//! Getting a passphrase without it being seen: never from the command line, which other users can read.

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use zeroize::Zeroizing;

/// Longer ones are a mistake.
const LONGEST: u64 = 4096;

/// Where the passphrase comes from.
#[derive(Clone, Debug, Args)]
pub struct From {
    /// Read it from the first line of this file instead of asking for it; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

impl From {
    /// The passphrase as it is.
    ///
    /// # Errors
    /// When there is none to be had; the text says why.
    pub fn known(&self) -> Result<Zeroizing<String>> {
        match &self.passphrase_file {
            Some(path) => read(path),
            None => ask("Passphrase: "),
        }
    }

    /// A new one; who types it types it twice.
    pub(crate) fn fresh(&self) -> Result<Zeroizing<String>> {
        if let Some(path) = &self.passphrase_file {
            return read(path);
        }
        let first = ask("New passphrase: ")?;
        if *first != *ask("The same again: ")? {
            bail!("the two differ; nothing was changed");
        }
        Ok(first)
    }
}

fn ask(prompt: &str) -> Result<Zeroizing<String>> {
    if !io::stdin().is_terminal() {
        bail!(
            "there is no terminal to ask for the passphrase: give it with --passphrase-file FILE, or - for standard input"
        );
    }
    let typed = rpassword::prompt_password(prompt).context("cannot read the passphrase from the terminal")?;
    Ok(Zeroizing::new(typed))
}

fn read(path: &Path) -> Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(LONGEST as usize + 1));
    let done = if path == Path::new("-") {
        io::stdin().take(LONGEST + 1).read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|it| it.take(LONGEST + 1).read_to_string(&mut text))
    };
    done.with_context(|| format!("cannot read the passphrase from {}", path.display()))?;
    if text.len() as u64 > LONGEST {
        bail!("{} is too long to be a passphrase", path.display());
    }
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        bail!("{} holds no passphrase in its first line", path.display());
    }
    Ok(Zeroizing::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_file_is_the_passphrase() {
        let path = std::env::temp_dir().join(format!("goblins-passphrase-{}", uuid::Uuid::now_v7()));
        fs::write(&path, "correct horse\nmore\n").expect("written");
        let from = From {
            passphrase_file: Some(path.clone()),
        };
        assert_eq!(*from.known().expect("a passphrase"), "correct horse");
        assert_eq!(*from.fresh().expect("a passphrase"), "correct horse");
        fs::write(&path, "\n").expect("written");
        assert!(from.known().is_err());
        fs::remove_file(&path).expect("removed");
        assert!(from.known().is_err());
    }
}
