//! Reads the logs of one host, through whatever happens to it.

use std::time::Duration;

use agent::{LogPiece, LogQuery};
use model::NodeId;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tonic::{Code, Status, Streaming};

use crate::hosts::Hosts;
use crate::hosts::proto::{LogBatch, ReadLogsRequest};

/// How long a node may take to begin to answer.
const ANSWER: Duration = Duration::from_secs(3);
/// How long it may take to go on, while it reads what it has.
const GO_ON: Duration = Duration::from_secs(10);
/// How soon a node that does not answer is asked again.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const BACKLOG: usize = 2;

/// What becomes known of the logs of one host.
#[derive(Debug)]
pub(super) enum News {
    /// Some of them.
    Pieces(Vec<LogPiece>),
    /// It does not answer.
    Silent(String),
    /// It answers again.
    Back,
}

/// See the module.
pub(super) struct Feed {
    hosts: Hosts,
    node: NodeId,
    query: LogQuery,
    send: mpsc::Sender<News>,
    is_silent: bool,
    is_caught_up: bool,
    /// The newest line that has come.
    newest: u64,
}

/// How a stream has ended.
enum End {
    /// Nobody listens any more.
    Gone,
    /// All was read.
    Done,
    /// The host does not answer any more; says why.
    Broken(String),
}

impl Feed {
    /// Ends when the receiver is dropped, or when all is read and nobody follows.
    pub(super) fn start(hosts: Hosts, node: NodeId, query: LogQuery) -> mpsc::Receiver<News> {
        let (send, receive) = mpsc::channel(BACKLOG);
        let feed = Self {
            hosts,
            node,
            query,
            send,
            is_silent: false,
            is_caught_up: false,
            newest: 0,
        };
        tokio::spawn(feed.run());
        receive
    }

    async fn run(mut self) {
        let mut pause = SHORTEST_PAUSE;
        loop {
            let end = if self.node == self.hosts.cluster.node_id() {
                self.read_here().await
            } else {
                self.read_there().await
            };
            let why = match end {
                End::Gone | End::Done => return,
                End::Broken(why) => why,
            };
            if self.is_silent {
                pause = (pause * 2).min(LONGEST_PAUSE);
            } else {
                (self.is_silent, pause) = (true, SHORTEST_PAUSE);
                if self.send.send(News::Silent(why)).await.is_err() {
                    return;
                }
            }
            if !self.query.follow {
                return;
            }
            self.go_on_later();
            tokio::select! {
                () = sleep(pause) => {}
                () = self.send.closed() => return,
            }
            if self.hosts.cluster.local().node(self.node).is_none() {
                // Taken out of the cluster.
                return;
            }
        }
    }

    /// The next stream begins where this one broke off.
    fn go_on_later(&mut self) {
        if self.is_caught_up {
            self.query.tail = None;
            self.query.since = self.query.since.max(self.newest);
        }
    }

    async fn read_here(&mut self) -> End {
        let Some(parts) = self.hosts.local.get() else {
            return End::Broken("it is starting".to_owned());
        };
        let mut pieces = match parts.logs.read(self.query.clone()) {
            Ok(pieces) => pieces,
            Err(error) => return End::Broken(error.to_string()),
        };
        loop {
            let pieces = tokio::select! {
                pieces = pieces.recv() => pieces,
                () = self.send.closed() => return End::Gone,
            };
            match pieces {
                Some(pieces) => {
                    if self.pass(pieces).await.is_err() {
                        return End::Gone;
                    }
                }
                None if self.is_caught_up && !self.query.follow => return End::Done,
                None => return End::Broken("its logs cannot be read".to_owned()),
            }
        }
    }

    async fn read_there(&mut self) -> End {
        let mut batches = match self.open().await {
            Ok(batches) => batches,
            Err(why) => return End::Broken(why),
        };
        loop {
            let limit = if self.is_caught_up { Duration::MAX } else { GO_ON };
            let batch = tokio::select! {
                batch = timeout(limit, batches.message()) => batch,
                () = self.send.closed() => return End::Gone,
            };
            match batch {
                Ok(Ok(Some(batch))) => {
                    let pieces = batch.pieces.into_iter().filter_map(|it| it.read());
                    if self.pass(pieces.collect()).await.is_err() {
                        return End::Gone;
                    }
                }
                Ok(Ok(None)) if self.is_caught_up && !self.query.follow => return End::Done,
                Ok(Ok(None)) => return End::Broken("it has stopped".to_owned()),
                Ok(Err(status)) => return End::Broken(explain(&status)),
                Err(_) => return End::Broken(format!("nothing came for {} s", GO_ON.as_secs())),
            }
        }
    }

    async fn open(&self) -> Result<Streaming<LogBatch>, String> {
        let mut client = self.hosts.client(self.node)?;
        match timeout(ANSWER, client.read_logs(ReadLogsRequest::from(&self.query))).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(explain(&status)),
            Err(_) => Err(format!("no answer within {} s", ANSWER.as_secs())),
        }
    }

    async fn pass(&mut self, pieces: Vec<LogPiece>) -> Result<(), mpsc::error::SendError<News>> {
        if self.is_silent {
            self.is_silent = false;
            self.send.send(News::Back).await?;
        }
        for piece in &pieces {
            match piece {
                LogPiece::Line(line) => {
                    self.query.resume.insert(line.replica, line.next);
                    self.newest = self.newest.max(line.at);
                }
                LogPiece::CaughtUp => self.is_caught_up = true,
                LogPiece::Lost { .. } | LogPiece::Cut => {}
            }
        }
        self.send.send(News::Pieces(pieces)).await
    }
}

fn explain(status: &Status) -> String {
    match status.code() {
        Code::Unimplemented => "it runs a version that cannot do this yet".to_owned(),
        _ if status.message().is_empty() => format!("{:?}", status.code()),
        _ => status.message().to_owned(),
    }
}
