//! What a command answers when it took effect.

use serde::{Deserialize, Serialize};

use crate::{NodeId, Resource};

/// What a command answers when it took effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Nothing to tell.
    Done,
    /// The resource made or changed, as it is now.
    Resource(Resource),
    /// The node that was registered.
    Node(NodeId),
}
