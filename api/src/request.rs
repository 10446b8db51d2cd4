//! What a request says beside its path: its parameters, what it accepts, its body.

mod accept;
mod body;
mod media_type;
mod query;

pub use accept::negotiate;
pub use body::Incoming;
pub use query::Query;
