//! What had been printed before a stream began, of all hosts, by time.

use std::collections::{BTreeMap, VecDeque};

use agent::LogTail;
use api::LogPiece;
use model::NodeId;
use tokio::sync::mpsc;

use super::feed::News;
use super::piece;

/// Pieces given at once at most.
const BATCH: usize = 128;

/// See the module.
pub(super) struct Past {
    sources: BTreeMap<NodeId, Source>,
    tail: Option<LogTail<LogPiece>>,
}

struct Source {
    feed: mpsc::Receiver<News>,
    /// What has come and was not given yet.
    waiting: VecDeque<agent::LogPiece>,
    /// It has sent all that had been printed, or does not answer.
    is_through: bool,
    has_ended: bool,
}

impl Past {
    pub(super) fn new(feeds: Vec<(NodeId, mpsc::Receiver<News>)>, tail: Option<usize>) -> Self {
        let source = |feed| Source {
            feed,
            waiting: VecDeque::new(),
            is_through: false,
            has_ended: false,
        };
        Self {
            sources: feeds.into_iter().map(|(node, feed)| (node, source(feed))).collect(),
            tail: tail.map(LogTail::new),
        }
    }

    /// Some more of it; `None` once that was all.
    pub(super) async fn next(&mut self) -> Option<Vec<LogPiece>> {
        let mut given = Vec::new();
        while given.len() < BATCH {
            self.fill(&mut given).await;
            let Some(line) = self.oldest() else {
                let is_over = given.is_empty();
                let rest = self.tail.take();
                if let Some(tail) = rest {
                    let (lines, is_cut) = tail.into_lines();
                    given.extend(is_cut.then_some(LogPiece::Cut));
                    given.extend(lines);
                    return Some(given);
                }
                return (!is_over).then_some(given);
            };
            let bytes = match &line {
                LogPiece::Line(it) => Some(it.text.len()),
                _ => None,
            };
            match (&mut self.tail, bytes) {
                (Some(tail), Some(bytes)) => tail.push(bytes, line),
                _ => given.push(line),
            }
        }
        Some(given)
    }

    /// The hosts, for what is printed from now on.
    pub(super) fn into_feeds(self) -> Vec<(NodeId, mpsc::Receiver<News>)> {
        let open = self.sources.into_iter().filter(|(_, it)| !it.has_ended);
        open.map(|(node, it)| (node, it.feed)).collect()
    }

    /// Waits until the next line of every host is known. What is no line is given at once.
    async fn fill(&mut self, given: &mut Vec<LogPiece>) {
        for (node, source) in &mut self.sources {
            loop {
                match source.waiting.front() {
                    Some(agent::LogPiece::Line(_)) => break,
                    Some(agent::LogPiece::CaughtUp) => {
                        source.waiting.pop_front();
                        source.is_through = true;
                    }
                    Some(_) => {
                        let other = source.waiting.pop_front();
                        given.extend(other.and_then(|it| piece(*node, it)));
                    }
                    None if source.is_through => break,
                    None => match source.feed.recv().await {
                        Some(News::Pieces(pieces)) => source.waiting.extend(pieces),
                        Some(News::Silent(why)) => {
                            source.is_through = true;
                            given.push(LogPiece::Silent { node: *node, why });
                        }
                        Some(News::Back) => given.push(LogPiece::Back { node: *node }),
                        None => (source.is_through, source.has_ended) = (true, true),
                    },
                }
            }
        }
    }

    fn oldest(&mut self) -> Option<LogPiece> {
        let front = |it: &Source| match it.waiting.front() {
            Some(agent::LogPiece::Line(line)) => Some(line.at),
            _ => None,
        };
        let heads = self.sources.iter().filter_map(|(node, it)| Some((front(it)?, *node)));
        let (_, node) = heads.min()?;
        let line = self.sources.get_mut(&node)?.waiting.pop_front()?;
        piece(node, line)
    }
}

#[cfg(test)]
mod tests {
    use agent::{LogLine, LogStream, Position};
    use model::ReplicaId;
    use uuid::Uuid;

    use super::*;

    fn line(at: u64) -> agent::LogPiece {
        agent::LogPiece::Line(LogLine {
            replica: ReplicaId(Uuid::nil()),
            version: 1,
            at,
            stream: LogStream::Stdout,
            text: at.to_string().into(),
            next: Position::default(),
        })
    }

    /// A host that has told this and nothing more.
    fn host(news: Vec<News>) -> mpsc::Receiver<News> {
        let (send, receive) = mpsc::channel(news.len().max(1));
        for it in news {
            send.try_send(it).unwrap();
        }
        receive
    }

    fn lines(at: &[u64]) -> News {
        News::Pieces(at.iter().map(|at| line(*at)).collect())
    }

    async fn all(hosts: Vec<Vec<News>>, tail: Option<usize>) -> Vec<String> {
        let feeds = hosts.into_iter().zip(1..).map(|(news, n)| (NodeId(n), host(news)));
        let mut past = Past::new(feeds.collect(), tail);
        let mut found = Vec::new();
        while let Some(pieces) = past.next().await {
            found.extend(pieces.into_iter().map(|it| match it {
                LogPiece::Line(line) => format!("{}:{}", line.node, line.at),
                LogPiece::Silent { node, why } => format!("{node} {why}"),
                other => format!("{other:?}"),
            }));
        }
        found
    }

    fn caught_up() -> News {
        News::Pieces(vec![agent::LogPiece::CaughtUp])
    }

    #[tokio::test]
    async fn lines_of_all_hosts_come_by_time_and_the_last_of_all_are_the_tail() {
        let hosts = || {
            vec![
                vec![lines(&[1, 4]), lines(&[6]), caught_up()],
                vec![lines(&[2, 3, 7]), caught_up()],
                vec![caught_up()],
            ]
        };
        let expected = ["1:1", "2:2", "2:3", "1:4", "1:6", "2:7"];
        assert_eq!(all(hosts(), None).await, expected);
        assert_eq!(all(hosts(), Some(2)).await, ["1:6", "2:7"]);
        assert!(all(hosts(), Some(0)).await.is_empty());
    }

    #[tokio::test]
    async fn a_host_that_breaks_off_is_named_and_the_others_go_on() {
        let broken = || News::Silent("it is gone".to_owned());
        let hosts = vec![
            vec![lines(&[1, 5]), broken()],
            vec![lines(&[2, 6]), caught_up()],
            vec![broken()],
        ];
        assert_eq!(
            all(hosts, None).await,
            ["3 it is gone", "1:1", "2:2", "1:5", "1 it is gone", "2:6"]
        );
    }
}
