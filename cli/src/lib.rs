//! The client commands of the `goblins` binary. They use the public API and nothing else, so that whatever they can do
//! any client can do.

mod backup;
mod ca;
mod client;
mod cluster;
mod command;
mod dotenv;
#[doc(hidden)]
pub mod fuzz;
mod keyring;
mod leader;
mod node;
mod passphrase;
mod secret;
mod status;
mod table;
mod token;

pub use backup::{BackupArgs, BackupReport, backup};
pub use command::{Command, run};
pub use passphrase::From as PassphraseFrom;
