//! One stream of logs over all hosts. Each host is read by a feed of its own, which tries again for as long as somebody
//! follows; what had been printed before comes by time, what is printed later as it comes. Every buffer on the way is
//! small: whoever reads slowly makes the hosts wait with reading their files.

mod feed;
mod merge;

use std::collections::{BTreeMap, BTreeSet};

use agent::LogQuery;
use api::{LogPiece, LogsFault, LogsRequest};
use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::{BoxStream, SelectAll};
use model::{NodeId, State};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::Hosts;
use feed::{Feed, News};
use merge::Past;

/// Batches on their way to the client at most.
const BACKLOG: usize = 4;

type Feeds = SelectAll<BoxStream<'static, (NodeId, News)>>;

#[async_trait]
impl api::Logs for Hosts {
    async fn read(&self, request: LogsRequest) -> Result<BoxStream<'static, Vec<LogPiece>>, LogsFault> {
        let busy = |_| LogsFault::Busy(super::STREAMS);
        let permit = self.streams.clone().try_acquire_owned().map_err(busy)?;
        let (send, receive) = mpsc::channel(BACKLOG);
        let gather = Gather {
            hosts: self.clone(),
            request,
            send,
        };
        tokio::spawn(async move {
            // Whoever asked has gone.
            let _ = gather.run().await;
            drop(permit);
        });
        Ok(ReceiverStream::new(receive).boxed())
    }
}

/// Nobody listens any more.
struct Gone;

struct Gather {
    hosts: Hosts,
    request: LogsRequest,
    send: mpsc::Sender<Vec<LogPiece>>,
}

impl Gather {
    async fn run(self) -> Result<(), Gone> {
        let mut changes = self.hosts.cluster.watch();
        let state = self.hosts.cluster.local();
        let mut known = hosts_of(&state, &BTreeSet::new());
        let feeds = known.iter().map(|node| (*node, self.feed(*node, &state)));
        let mut past = Past::new(feeds.collect(), self.request.tail);
        while let Some(pieces) = past.next().await {
            self.put(pieces).await?;
        }
        self.put(vec![LogPiece::CaughtUp]).await?;
        if !self.request.follow {
            return Ok(());
        }
        let mut feeds: Feeds = past.into_feeds().into_iter().map(tagged).collect();
        loop {
            tokio::select! {
                news = feeds.next(), if !feeds.is_empty() => if let Some((node, news)) = news {
                    self.put(told(node, news)).await?;
                },
                changed = changes.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let state = self.hosts.cluster.local();
                    for node in hosts_of(&state, &known) {
                        feeds.push(tagged((node, self.feed(node, &state))));
                        known.insert(node);
                    }
                }
                () = self.send.closed() => return Err(Gone),
            }
        }
    }

    async fn put(&self, pieces: Vec<LogPiece>) -> Result<(), Gone> {
        if pieces.is_empty() {
            return Ok(());
        }
        self.send.send(pieces).await.map_err(|_| Gone)
    }

    fn feed(&self, node: NodeId, state: &State) -> mpsc::Receiver<News> {
        let request = &self.request;
        let known = state.replicas_of(request.service).filter(|it| it.node == node);
        let query = LogQuery {
            service: Some(request.service),
            replica: request.replica.clone(),
            known: known.map(|it| (it.id, it.version)).collect(),
            since: request.since,
            tail: request.tail,
            follow: request.follow,
            resume: BTreeMap::new(),
        };
        Feed::start(self.hosts.clone(), node, query)
    }
}

/// The nodes that run containers, but for those that are known.
fn hosts_of(state: &State, known: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
    let hosts = state.nodes().filter(|it| it.runs_agent && !known.contains(&it.id));
    hosts.map(|it| it.id).collect()
}

fn tagged((node, feed): (NodeId, mpsc::Receiver<News>)) -> BoxStream<'static, (NodeId, News)> {
    ReceiverStream::new(feed).map(move |news| (node, news)).boxed()
}

/// What clients are told of it.
fn told(node: NodeId, news: News) -> Vec<LogPiece> {
    match news {
        News::Pieces(pieces) => pieces.into_iter().filter_map(|it| piece(node, it)).collect(),
        News::Silent(why) => vec![LogPiece::Silent { node, why }],
        News::Back => vec![LogPiece::Back { node }],
    }
}

fn piece(node: NodeId, piece: agent::LogPiece) -> Option<LogPiece> {
    Some(match piece {
        agent::LogPiece::Line(line) => LogPiece::Line(api::LogLine {
            replica: line.replica,
            version: line.version,
            node,
            at: line.at,
            source: match line.stream {
                agent::LogStream::Stdout => api::LogSource::Stdout,
                agent::LogStream::Stderr => api::LogSource::Stderr,
                agent::LogStream::Notice => api::LogSource::Notice,
            },
            text: line.text,
        }),
        agent::LogPiece::Lost { replica, bytes } => LogPiece::Lost { node, replica, bytes },
        agent::LogPiece::Cut => LogPiece::Cut,
        // That of one host; what counts is that of all.
        agent::LogPiece::CaughtUp => return None,
    })
}
