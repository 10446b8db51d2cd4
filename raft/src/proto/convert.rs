//! Messages to openraft's types and back, field by field.

use std::collections::{BTreeMap, BTreeSet};

use openraft::EntryPayload;
use openraft::raft::StreamAppendError;
use thiserror::Error;

use super::generated as wire;
use crate::types::{
    AppendRequest, AppendResult, Entry, LogId, Membership, Peer, Proposal, SnapshotMeta, StoredMembership, Vote,
    VoteRequest, VoteResponse,
};

/// A message without something that every version sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a message has no {0}")]
pub struct Malformed(pub(crate) &'static str);

impl From<&LogId> for wire::LogId {
    fn from(it: &LogId) -> Self {
        Self {
            term: it.leader_id.term,
            index: it.index,
        }
    }
}

impl From<wire::LogId> for LogId {
    fn from(it: wire::LogId) -> Self {
        Self::new_term_index(it.term, it.index)
    }
}

impl From<&Vote> for wire::Ballot {
    fn from(it: &Vote) -> Self {
        Self {
            term: it.leader_id().term,
            node: it.leader_id().voted_for,
            committed: it.is_committed(),
        }
    }
}

impl From<wire::Ballot> for Vote {
    fn from(it: wire::Ballot) -> Self {
        if it.committed {
            Self::new_committed(it.term, it.node)
        } else {
            Self::new(it.term, it.node)
        }
    }
}

impl From<&Membership> for wire::Membership {
    fn from(it: &Membership) -> Self {
        let configs = it.get_joint_config().iter().map(|ids| wire::VoterSet {
            ids: ids.iter().copied().collect(),
        });
        let peers = it.nodes().map(|(id, peer)| wire::Peer {
            id: *id,
            name: peer.name.clone(),
            address: peer.address.clone(),
        });
        Self {
            configs: configs.collect(),
            peers: peers.collect(),
        }
    }
}

impl TryFrom<wire::Membership> for Membership {
    type Error = Malformed;

    fn try_from(it: wire::Membership) -> Result<Self, Malformed> {
        let configs: Vec<BTreeSet<u64>> = it
            .configs
            .into_iter()
            .map(|set| set.ids.into_iter().collect())
            .collect();
        let peers = it.peers.into_iter().map(|peer| {
            (
                peer.id,
                Peer {
                    name: peer.name,
                    address: peer.address,
                },
            )
        });
        let peers: BTreeMap<u64, Peer> = peers.collect();
        if configs.is_empty() && peers.is_empty() {
            return Ok(Self::default());
        }
        Self::new(configs, peers).map_err(|_| Malformed("membership that makes sense"))
    }
}

impl From<&StoredMembership> for wire::StoredMembership {
    fn from(it: &StoredMembership) -> Self {
        Self {
            id: it.log_id().as_ref().map(Into::into),
            membership: Some(it.membership().into()),
        }
    }
}

impl TryFrom<wire::StoredMembership> for StoredMembership {
    type Error = Malformed;

    fn try_from(it: wire::StoredMembership) -> Result<Self, Malformed> {
        Ok(Self::new(
            it.id.map(Into::into),
            it.membership.ok_or(Malformed("membership"))?.try_into()?,
        ))
    }
}

impl From<&Entry> for wire::Entry {
    fn from(it: &Entry) -> Self {
        use wire::entry::Payload;
        let payload = match &it.payload {
            EntryPayload::Blank => Payload::Blank(wire::Blank {}),
            EntryPayload::Normal(proposal) => Payload::Command(proposal.0.clone()),
            EntryPayload::Membership(membership) => Payload::Membership(membership.into()),
        };
        Self {
            id: Some((&it.log_id).into()),
            payload: Some(payload),
        }
    }
}

impl wire::Entry {
    pub(crate) fn into_entry(self) -> Result<Entry, Malformed> {
        use wire::entry::Payload;
        let payload = match self.payload.ok_or(Malformed("payload of an entry"))? {
            Payload::Blank(_) => EntryPayload::Blank,
            Payload::Command(bytes) => EntryPayload::Normal(Proposal(bytes)),
            Payload::Membership(membership) => EntryPayload::Membership(membership.try_into()?),
        };
        Ok(Entry {
            log_id: self.id.ok_or(Malformed("id of an entry"))?.into(),
            payload,
        })
    }
}

impl wire::AppendRequest {
    pub(crate) fn new(route: wire::Route, it: &AppendRequest) -> Self {
        Self {
            route: Some(route),
            vote: Some((&it.vote).into()),
            previous: it.prev_log_id.as_ref().map(Into::into),
            entries: it.entries.iter().map(Into::into).collect(),
            leader_commit: it.leader_commit.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<wire::AppendRequest> for AppendRequest {
    type Error = Malformed;

    fn try_from(it: wire::AppendRequest) -> Result<Self, Malformed> {
        Ok(Self {
            vote: it.vote.ok_or(Malformed("vote"))?.into(),
            prev_log_id: it.previous.map(Into::into),
            entries: it
                .entries
                .into_iter()
                .map(wire::Entry::into_entry)
                .collect::<Result<_, _>>()?,
            leader_commit: it.leader_commit.map(Into::into),
        })
    }
}

impl From<&AppendResult> for wire::AppendReply {
    fn from(it: &AppendResult) -> Self {
        use wire::append_reply::Result as Wire;
        let result = match it {
            Ok(matched) => Wire::Matched(wire::Matched {
                id: matched.as_ref().map(Into::into),
            }),
            Err(StreamAppendError::Conflict(id)) => Wire::Conflict(id.into()),
            Err(StreamAppendError::HigherVote(vote)) => Wire::HigherVote(vote.into()),
        };
        Self { result: Some(result) }
    }
}

impl TryFrom<wire::AppendReply> for AppendResult {
    type Error = Malformed;

    fn try_from(it: wire::AppendReply) -> Result<Self, Malformed> {
        use wire::append_reply::Result as Wire;
        Ok(match it.result.ok_or(Malformed("result"))? {
            Wire::Matched(matched) => Ok(matched.id.map(Into::into)),
            Wire::Conflict(id) => Err(StreamAppendError::Conflict(id.into())),
            Wire::HigherVote(vote) => Err(StreamAppendError::HigherVote(vote.into())),
        })
    }
}

impl wire::VoteRequest {
    pub(crate) fn new(route: wire::Route, it: &VoteRequest) -> Self {
        Self {
            route: Some(route),
            vote: Some((&it.vote).into()),
            last_log_id: it.last_log_id.as_ref().map(Into::into),
            leadership_transfer: it.leadership_transfer,
        }
    }
}

impl TryFrom<wire::VoteRequest> for VoteRequest {
    type Error = Malformed;

    fn try_from(it: wire::VoteRequest) -> Result<Self, Malformed> {
        let mut request = Self::new(it.vote.ok_or(Malformed("vote"))?.into(), it.last_log_id.map(Into::into));
        request.leadership_transfer = it.leadership_transfer;
        Ok(request)
    }
}

impl From<&VoteResponse> for wire::VoteReply {
    fn from(it: &VoteResponse) -> Self {
        Self {
            vote: Some((&it.vote).into()),
            granted: it.vote_granted,
            last_log_id: it.last_log_id.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<wire::VoteReply> for VoteResponse {
    type Error = Malformed;

    fn try_from(it: wire::VoteReply) -> Result<Self, Malformed> {
        let vote: Vote = it.vote.ok_or(Malformed("vote"))?.into();
        Ok(Self::new(vote, it.last_log_id.map(Into::into), it.granted))
    }
}

impl wire::SnapshotStart {
    /// `checksum` names the file; what is before `offset` is not sent.
    pub(crate) fn new(route: wire::Route, vote: &Vote, meta: &SnapshotMeta, (checksum, offset): (&[u8], u64)) -> Self {
        Self {
            route: Some(route),
            checksum: bytes::Bytes::copy_from_slice(checksum),
            offset,
            vote: Some(vote.into()),
            last_log_id: meta.last_log_id.as_ref().map(Into::into),
            membership: Some((&meta.last_membership).into()),
        }
    }

    /// The leader's vote and what it says of the snapshot.
    pub(crate) fn parts(self) -> Result<(Vote, SnapshotMeta), Malformed> {
        let meta = SnapshotMeta {
            last_log_id: self.last_log_id.map(Into::into),
            last_membership: self.membership.ok_or(Malformed("membership"))?.try_into()?,
        };
        Ok((self.vote.ok_or(Malformed("vote"))?.into(), meta))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(index: u64) -> LogId {
        LogId::new_term_index(3, index)
    }

    fn membership() -> Membership {
        let peer = |name: &str| Peer {
            name: name.to_owned(),
            address: format!("{name}:1"),
        };
        let peers = BTreeMap::from([(1, peer("a")), (2, peer("b")), (9, peer("i"))]);
        Membership::new(vec![BTreeSet::from([1]), BTreeSet::from([1, 2])], peers).expect("it makes sense")
    }

    #[test]
    fn entries_come_back_as_they_were() {
        let payloads = [
            EntryPayload::Blank,
            EntryPayload::Normal(Proposal(bytes::Bytes::from_static(b"x"))),
            EntryPayload::Membership(membership()),
        ];
        for payload in payloads {
            let entry = Entry { log_id: id(7), payload };
            let back = wire::Entry::from(&entry).into_entry();
            assert_eq!(format!("{back:?}"), format!("{:?}", Ok::<_, Malformed>(entry)));
        }
        assert!(wire::Entry::default().into_entry().is_err());
    }

    #[test]
    fn votes_and_answers_come_back_as_they_were() {
        for vote in [Vote::new(4, 2), Vote::new_committed(4, 2)] {
            assert_eq!(Vote::from(wire::Ballot::from(&vote)), vote);
            let answers: [AppendResult; 4] = [
                Ok(None),
                Ok(Some(id(1))),
                Err(StreamAppendError::Conflict(id(2))),
                Err(StreamAppendError::HigherVote(vote)),
            ];
            for answer in answers {
                assert_eq!(AppendResult::try_from(wire::AppendReply::from(&answer)), Ok(answer));
            }
        }
        let stored = StoredMembership::new(Some(id(5)), membership());
        assert_eq!(
            StoredMembership::try_from(wire::StoredMembership::from(&stored)),
            Ok(stored)
        );
        let none = StoredMembership::default();
        assert_eq!(
            StoredMembership::try_from(wire::StoredMembership::from(&none)),
            Ok(none)
        );
    }
}
