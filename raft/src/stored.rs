//! What consensus keeps on disk: the same messages that it sends, behind a version byte.

use std::io;
use std::sync::Arc;

use prost::Message;

use crate::proto::{self, Malformed};
use crate::types::{Entry, LogId, StoredMembership, Vote};

/// The version this build writes, and the only one it reads.
const VERSION: u8 = 1;

/// A log entry.
pub(crate) fn entry(entry: &Entry) -> Arc<[u8]> {
    encode(&proto::Entry::from(entry))
}

/// A log entry, read.
pub(crate) fn read_entry(bytes: &[u8]) -> io::Result<Entry> {
    decode::<proto::Entry>(bytes)?.into_entry().map_err(malformed)
}

/// A log id.
pub(crate) fn log_id(id: &LogId) -> Arc<[u8]> {
    encode(&proto::LogId::from(id))
}

/// A log id, read.
pub(crate) fn read_log_id(bytes: &[u8]) -> io::Result<LogId> {
    Ok(decode::<proto::LogId>(bytes)?.into())
}

/// A vote.
pub(crate) fn vote(vote: &Vote) -> Arc<[u8]> {
    encode(&proto::Ballot::from(vote))
}

/// A vote, read.
pub(crate) fn read_vote(bytes: &[u8]) -> io::Result<Vote> {
    Ok(decode::<proto::Ballot>(bytes)?.into())
}

/// Where a state machine stands.
pub(crate) fn applied(id: Option<&LogId>, membership: &StoredMembership) -> Vec<u8> {
    encode(&proto::Applied {
        id: id.map(Into::into),
        membership: Some(membership.into()),
    })
    .to_vec()
}

/// Where a state machine stands, read.
pub(crate) fn read_applied(bytes: &[u8]) -> io::Result<(Option<LogId>, StoredMembership)> {
    let applied = decode::<proto::Applied>(bytes)?;
    let membership = applied.membership.ok_or(malformed(Malformed("membership")))?;
    Ok((applied.id.map(Into::into), membership.try_into().map_err(malformed)?))
}

fn encode(message: &impl Message) -> Arc<[u8]> {
    let mut bytes = Vec::with_capacity(1 + message.encoded_len());
    bytes.push(VERSION);
    // A vector grows as needed, so this cannot run out of space.
    message.encode_raw(&mut bytes);
    Arc::from(bytes)
}

fn decode<M: Message + Default>(bytes: &[u8]) -> io::Result<M> {
    match bytes.split_first() {
        Some((&VERSION, body)) => M::decode(body).map_err(|it| io::Error::new(io::ErrorKind::InvalidData, it)),
        Some((version, _)) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a record of format {version} was found: run the newer version that wrote it"),
        )),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "an empty record was found")),
    }
}

fn malformed(error: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
