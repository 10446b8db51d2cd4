//! Who leads, as one node sees it.

use model::NodeId;

/// Who leads, as one node sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leadership {
    /// The current term.
    pub term: u64,
    /// Who leads it, as far as is known.
    pub leader: Option<NodeId>,
    /// Whether that is this node.
    pub is_self: bool,
}
