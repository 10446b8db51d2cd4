//! The types that openraft is set up with.

use std::fmt;

use bytes::Bytes;
use model::{Outcome, Rejection};
use openraft::impls::leader_id_std::LeaderId;

use crate::state_machine::StateMachine;

openraft::declare_raft_types!(
    /// One leader a term, node ids as plain numbers, entries as encoded envelopes.
    pub TypeConfig:
        D = Proposal,
        R = Reply,
        NodeId = u64,
        Node = Peer,
        LeaderId = LeaderId<u64, u64>,
        AsyncRuntime = openraft_rt_tokio::TokioRuntime,
);

pub(crate) type Raft = openraft::Raft<TypeConfig, StateMachine>;
pub(crate) type Entry = openraft::alias::EntryOf<TypeConfig>;
pub(crate) type LogId = openraft::alias::LogIdOf<TypeConfig>;
pub(crate) type Vote = openraft::alias::VoteOf<TypeConfig>;
pub(crate) type Membership = openraft::Membership<u64, Peer>;
pub(crate) type StoredMembership = openraft::alias::StoredMembershipOf<TypeConfig>;
pub(crate) type SnapshotMeta = openraft::alias::SnapshotMetaOf<TypeConfig>;
pub(crate) type AppendRequest = openraft::raft::AppendEntriesRequest<TypeConfig>;
pub(crate) type AppendResult = openraft::raft::StreamAppendResult<TypeConfig>;
pub(crate) type VoteRequest = openraft::raft::VoteRequest<TypeConfig>;
pub(crate) type VoteResponse = openraft::raft::VoteResponse<TypeConfig>;
/// What became of a proposed entry.
pub(crate) type Written = openraft::raft::WriteResult<TypeConfig>;
pub(crate) type Metrics = openraft::RaftMetrics<TypeConfig>;

/// An encoded [`model::Envelope`]. It stays encoded on its way through log and network and is decoded once, when it is
/// applied.
#[derive(Clone, PartialEq, Eq)]
pub struct Proposal(pub(crate) Bytes);

impl fmt::Debug for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command of {} bytes", self.0.len())
    }
}

/// What applying an entry answers; `None` for entries without a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply(pub(crate) Option<Result<Outcome, Rejection>>);

/// What the membership says of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub(crate) name: String,
    /// Where it listens for peers, `HOST:PORT`.
    pub(crate) address: String,
}
