//! Wakes readers when something was written.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// Looked at all the same, should the kernel have told nothing: it has only so many watches to give.
const ANYWAY_MS: u16 = 500;

/// See the module.
#[derive(Debug)]
pub(super) struct Alarm {
    inotify: Option<Inotify>,
    watched: BTreeSet<PathBuf>,
}

impl Alarm {
    pub(super) fn new() -> Self {
        Self {
            inotify: Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok(),
            watched: BTreeSet::new(),
        }
    }

    /// Watches a folder, once.
    pub(super) fn watch(&mut self, folder: &Path) {
        let Some(inotify) = &self.inotify else { return };
        let news = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        if !self.watched.contains(folder) && inotify.add_watch(folder, news).is_ok() {
            self.watched.insert(folder.to_owned());
        }
    }

    /// Returns when something may have happened since it was last called.
    pub(super) fn wait(&self) {
        match &self.inotify {
            Some(inotify) => {
                let _ = poll(&mut [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)], ANYWAY_MS);
                // What exactly it was is found out by looking.
                while inotify.read_events().is_ok_and(|events| !events.is_empty()) {}
            }
            None => {
                let _ = poll(&mut [], ANYWAY_MS);
            }
        }
    }
}
