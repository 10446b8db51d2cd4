//! Where the harness finds the programs under test and keeps what it builds once.

use std::env;
use std::path::PathBuf;

use thiserror::Error;

/// A program that should have been built is not there.
#[derive(Debug, Error)]
#[error("no program `{name}` beside {}: build it first (`cargo build -p {package}`)", .searched.display())]
pub struct NotBuilt {
    name: String,
    package: &'static str,
    searched: PathBuf,
}

/// The daemon of the release before was not built.
#[derive(Debug, Error)]
#[error("no daemon of the release before at {}: build it with `scripts/previous` (`make build-previous`)", .0.display())]
pub struct NoPrevious(PathBuf);

/// The `goblins` program under test: `$GOBLINS_BIN`, or the one cargo built beside this program.
pub fn goblins() -> Result<PathBuf, NotBuilt> {
    match env::var_os("GOBLINS_BIN") {
        Some(path) => Ok(path.into()),
        None => sibling("goblins", "node"),
    }
}

/// The commit of the release before this one.
const PREVIOUS: &str = include_str!("../previous-version");

/// The `goblins` program of the release before: `$GOBLINS_PREVIOUS`, or the one that `scripts/previous` has built.
pub fn previous() -> Result<PathBuf, NoPrevious> {
    let path = match env::var_os("GOBLINS_PREVIOUS") {
        Some(path) => path.into(),
        None => cache().join("previous").join(PREVIOUS.trim()).join("goblins"),
    };
    if path.is_file() {
        Ok(path)
    } else {
        Err(NoPrevious(path))
    }
}

/// This harness's own program, which serves as PID 1 of a host.
pub fn chaos() -> Result<PathBuf, NotBuilt> {
    sibling("chaos", "chaos")
}

/// The folder for what is expensive to make and can be thrown away: `$XDG_CACHE_HOME/goblins` or `~/.cache/goblins`.
pub fn cache() -> PathBuf {
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    base.unwrap_or_else(|| PathBuf::from("/var/cache")).join("goblins")
}

/// Cargo puts programs in a profile's folder, and tests in `deps` below it.
fn sibling(name: &str, package: &'static str) -> Result<PathBuf, NotBuilt> {
    let own = env::current_exe().unwrap_or_default();
    let folders = own.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| NotBuilt {
        name: name.to_owned(),
        package,
        searched: own,
    })
}
