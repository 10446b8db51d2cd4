//! The messages of `proto/`, and what they mean. Generated types stay in here and in the modules that speak them.

mod exec;

use std::collections::BTreeMap;

use agent::{LogPiece as Piece, LogQuery, LogStream as Stream, Position};
use bytes::Bytes;
use model::{ReplicaId, ServiceId};
use uuid::Uuid;

pub(super) use generated::*;

#[allow(missing_docs, clippy::all, unused_qualifications, reason = "generated")]
mod generated {
    tonic::include_proto!("goblins.host.v1");
}

fn id(bytes: &Bytes) -> Option<ReplicaId> {
    Uuid::from_slice(bytes).ok().map(ReplicaId)
}

fn sent(id: Uuid) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

impl LogPosition {
    fn of(replica: ReplicaId, at: Position) -> Self {
        Self {
            replica: sent(replica.0),
            start: at.start,
            segment: at.segment,
            offset: at.offset,
        }
    }

    fn read(&self) -> Option<(ReplicaId, Position)> {
        let position = Position {
            start: self.start,
            segment: self.segment,
            offset: self.offset,
        };
        Some((id(&self.replica)?, position))
    }
}

impl From<&LogQuery> for ReadLogsRequest {
    fn from(query: &LogQuery) -> Self {
        let known = query.known.iter().map(|(replica, version)| KnownReplica {
            replica: sent(replica.0),
            version: *version,
        });
        Self {
            service: query.service.map(|it| sent(it.0)).unwrap_or_default(),
            replica: query.replica.clone().unwrap_or_default(),
            known: known.collect(),
            since: query.since,
            tail: query.tail.map(|it| it as u64),
            follow: query.follow,
            resume: query.resume.iter().map(|(id, at)| LogPosition::of(*id, *at)).collect(),
        }
    }
}

impl From<ReadLogsRequest> for LogQuery {
    /// What is malformed counts as absent: it then fits nothing.
    fn from(sent: ReadLogsRequest) -> Self {
        let known = sent.known.iter().filter_map(|it| Some((id(&it.replica)?, it.version)));
        Self {
            service: Uuid::from_slice(&sent.service).ok().map(ServiceId),
            known: known.collect(),
            replica: Some(sent.replica).filter(|it| !it.is_empty()),
            since: sent.since,
            tail: sent.tail.map(|it| usize::try_from(it).unwrap_or(usize::MAX)),
            follow: sent.follow,
            resume: sent
                .resume
                .iter()
                .filter_map(LogPosition::read)
                .collect::<BTreeMap<_, _>>(),
        }
    }
}

impl From<Vec<Piece>> for LogBatch {
    fn from(pieces: Vec<Piece>) -> Self {
        Self {
            pieces: pieces.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Piece> for LogPiece {
    fn from(piece: Piece) -> Self {
        use log_piece::What;
        let what = match piece {
            Piece::Line(line) => What::Line(LogLine {
                version: line.version,
                at: line.at,
                stream: match line.stream {
                    Stream::Stdout => LogStream::Stdout,
                    Stream::Stderr => LogStream::Stderr,
                    Stream::Notice => LogStream::Notice,
                }
                .into(),
                text: line.text,
                next: Some(LogPosition::of(line.replica, line.next)),
            }),
            Piece::Lost { replica, bytes } => What::Lost(LogLost {
                replica: sent(replica.0),
                bytes,
            }),
            Piece::Cut => What::Cut(true),
            Piece::CaughtUp => What::CaughtUp(true),
        };
        Self { what: Some(what) }
    }
}

impl LogPiece {
    /// `None` for what a newer node sends that means nothing here.
    pub(super) fn read(self) -> Option<Piece> {
        use log_piece::What;
        Some(match self.what? {
            What::Line(line) => {
                let stream = match line.stream() {
                    LogStream::Stdout => Stream::Stdout,
                    LogStream::Stderr => Stream::Stderr,
                    LogStream::Notice => Stream::Notice,
                };
                let (replica, next) = line.next?.read()?;
                Piece::Line(agent::LogLine {
                    replica,
                    version: line.version,
                    at: line.at,
                    stream,
                    text: line.text,
                    next,
                })
            }
            What::Lost(lost) => Piece::Lost {
                replica: id(&lost.replica)?,
                bytes: lost.bytes,
            },
            What::Cut(_) => Piece::Cut,
            What::CaughtUp(_) => Piece::CaughtUp,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_and_answered_arrives_as_it_was() {
        let replica = ReplicaId(Uuid::from_u128(5));
        let next = Position {
            start: 1,
            segment: 2,
            offset: 3,
        };
        let query = LogQuery {
            service: Some(ServiceId(Uuid::from_u128(4))),
            replica: Some("ab".to_owned()),
            known: [(replica, 7)].into(),
            since: 8,
            tail: Some(0),
            follow: true,
            resume: [(replica, next)].into(),
        };
        assert_eq!(LogQuery::from(ReadLogsRequest::from(&query)), query);
        let line = agent::LogLine {
            replica,
            version: 3,
            at: 9,
            stream: Stream::Stderr,
            text: Bytes::from_static(b"\xff text"),
            next,
        };
        let lost = Piece::Lost { replica, bytes: 6 };
        for piece in [Piece::Line(line), lost, Piece::Cut, Piece::CaughtUp] {
            assert_eq!(LogPiece::from(piece.clone()).read(), Some(piece));
        }
        assert_eq!(LogPiece { what: None }.read(), None);
    }
}
