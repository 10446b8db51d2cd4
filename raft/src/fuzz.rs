//! What the fuzzers (`fuzzing`) do with bytes that come from operators and disks.

use crate::join_token::{self, JoinToken};
use crate::stored;

/// Reads a join token.
pub fn join_token(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(token) = JoinToken::parse(&text) {
        assert_eq!(token.text, text);
        assert!(text.to_ascii_lowercase().ends_with(&hex::encode(token.authority)));
        assert_eq!(join_token::hash(&text), join_token::hash(token.text));
    }
}

/// Reads what consensus keeps on disk: the first byte says what the rest is read as. What can be read is written and read
/// again as the same.
pub fn stored(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else {
        return;
    };
    match kind % 4 {
        0 => {
            if let Ok(entry) = stored::read_entry(bytes) {
                let again = stored::read_entry(&stored::entry(&entry));
                assert!(again.is_ok_and(|it| it.log_id == entry.log_id && it.payload == entry.payload));
            }
        }
        1 => {
            if let Ok(id) = stored::read_log_id(bytes) {
                assert!(stored::read_log_id(&stored::log_id(&id)).is_ok_and(|it| it == id));
            }
        }
        2 => {
            if let Ok(vote) = stored::read_vote(bytes) {
                assert!(stored::read_vote(&stored::vote(&vote)).is_ok_and(|it| it == vote));
            }
        }
        _ => {
            if let Ok((id, membership)) = stored::read_applied(bytes) {
                let again = stored::read_applied(&stored::applied(id.as_ref(), &membership));
                assert!(again.is_ok_and(|it| it == (id, membership)));
            }
        }
    }
}

/// Seeds for [`stored`].
#[must_use]
pub fn stored_seeds() -> Vec<Vec<u8>> {
    use openraft::vote::{RaftLeaderId as _, RaftVote as _};

    use crate::types::{Entry, LogId, Membership, Peer, Proposal, StoredMembership, Vote};
    let leader = openraft::impls::leader_id_std::LeaderId::new(3, 1);
    let id = LogId::new(leader.to_committed(), 7);
    let peer = Peer {
        name: "a".to_owned(),
        address: "10.0.0.1:7401".to_owned(),
    };
    let nodes = std::collections::BTreeMap::from([(1, peer.clone()), (2, peer)]);
    let membership = Membership::new(vec![std::collections::BTreeSet::from([1])], nodes);
    let membership = membership.expect("the voter is a node");
    let with = |kind: u8, bytes: &[u8]| [&[kind], bytes].concat();
    let entry = |payload| stored::entry(&Entry { log_id: id, payload });
    vec![
        with(
            0,
            &entry(openraft::EntryPayload::Normal(Proposal(bytes::Bytes::from_static(
                b"abc",
            )))),
        ),
        with(0, &entry(openraft::EntryPayload::Membership(membership.clone()))),
        with(0, &entry(openraft::EntryPayload::Blank)),
        with(1, &stored::log_id(&id)),
        with(2, &stored::vote(&Vote::from_leader_id(leader, true))),
        with(
            3,
            &stored::applied(Some(&id), &StoredMembership::new(Some(id), membership)),
        ),
    ]
}
