//! The client commands of the `goblins` binary. They use the public API and nothing else, so that whatever they can do
//! any client can do.

mod backup;
mod ca;
mod client;
mod cluster;
mod command;
mod deploy;
mod dotenv;
mod exec;
mod explain;
#[doc(hidden)]
pub mod fuzz;
mod history;
mod keyring;
mod leader;
mod logs;
mod node;
mod passphrase;
mod ps;
mod secret;
mod service;
mod status;
mod table;
mod token;
mod workload;

pub use backup::{BackupArgs, BackupReport, backup};
pub use command::{Command, run};
pub use passphrase::From as PassphraseFrom;
