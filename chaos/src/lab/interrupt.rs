//! Whoever stops a run by hand leaves nothing behind.

use std::io;
use std::process::exit;
use std::thread;

use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};

use super::record::Record;
use crate::pid::ProcessId;

/// From now on SIGINT and SIGTERM take down the labs that end with this process, and then end it, with 128 and the
/// signal's number as its exit code.
///
/// # Errors
/// When signals cannot be listened for.
pub fn clean_up_when_interrupted() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listening = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    drop(listening);
    let wait = move || {
        let signal = runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => Signal::SIGINT,
                _ = terminate.recv() => Signal::SIGTERM,
            }
        });
        let own: Vec<_> = Record::all().into_iter().filter(Record::is_own).collect();
        if !own.is_empty() {
            eprintln!("{signal}: what was started is taken down");
        }
        for mut lab in own {
            if let Err(error) = lab.tear_down() {
                eprintln!("lab {} is not wholly cleaned up: {error}", lab.number);
            }
        }
        exit(128 + signal as i32)
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
    Ok(())
}

impl Record {
    fn is_own(&self) -> bool {
        self.owner.is_some() && self.owner == ProcessId::own()
    }
}
