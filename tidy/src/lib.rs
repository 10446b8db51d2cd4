//! The conventions that no compiler checks: which crate may use which, how long a file may grow, and links that lead
//! somewhere. `std` only, so that it runs before anything else is built.

mod arrows;
mod files;
mod links;
mod report;
mod tree;

pub use report::Finding;
pub use tree::check;
