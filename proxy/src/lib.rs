//! The data plane: answers requests by a [`planner::RouteTable`], on threads of its own.
//!
//! ```text
//! connection -> head: host, path, headers, once -> table: host, longest prefix -> balance: one replica
//!            -> upstream: a pooled connection to it, or to the proxy of its host -> answer, body by body
//! ```
//!
//! It knows nothing of the control plane: it is given a table now and then, and keeps the last one for as long as it
//! lives. What it promises to its own host is [`ProxyHandle::drain`].

mod answer;
mod balance;
mod body;
mod ejection;
mod flight;
mod forward;
#[doc(hidden)]
pub mod fuzz;
mod handle;
mod head;
mod hop;
mod tunnel;
mod upstream;
mod worker;

pub use handle::{Https, Kept, ProxyConfig, ProxyHandle, StartError};
pub use hop::Peers;
