//! What to do once a majority of the voters is lost for good: look at what the survivors hold, choose one, and found the
//! cluster anew with it alone. Everything here works on the folder of a daemon that does not run.
//!
//! ```text
//! SurvivorFolder::open   locks the folder, reads it and replays its log in memory   -> Survivor, a few numbers
//! advise(&[Survivor])    whom to keep, and what that may lose: a pure decision     -> Advice
//! SurvivorFolder::refound  one synced write to the log: the membership of one, the removal of the others, the epoch
//! ```

mod advice;
mod folder;
mod survivor;

pub use self::advice::{Advice, Behind, Loss, Mismatch, advise};
pub use self::folder::{RecoveryError, SurvivorFolder};
pub use self::survivor::{Point, Survivor, Voter};
