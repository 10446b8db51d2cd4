//! One stream over the logs of all replicas of a service on this host. Runs on a thread of its own, since files block; a
//! receiver that is slow makes it wait, and nothing is held in memory meanwhile.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::io;
use std::path::{Path, PathBuf};

use model::{ReplicaId, ServiceId};
use tokio::sync::mpsc;

use super::alarm::Alarm;
use super::line::LogLine;
use super::source::{Next, Position, Source};
use super::tail::LogTail;
use super::{Owner, about};

/// Pieces sent at once at most, and bytes after which no more are added.
const BATCH: usize = 128;
const BATCH_BYTES: usize = 64 * 1024;
/// Batches on their way at most.
const BACKLOG: usize = 4;
/// Lines of one replica after which another gets its turn.
const TURN: usize = 256;

/// What to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Of which service or worker.
    pub service: Option<ServiceId>,
    /// Only the replica that has this id, or whose id ends like this.
    pub replica: Option<String>,
    /// Replicas of it that the cluster knows, with their versions: logs of daemons of before do not say whose they are.
    pub known: BTreeMap<ReplicaId, u32>,
    /// Nothing before this, in nanoseconds since 1970.
    pub since: u64,
    /// At most the last lines, of all replicas together.
    pub tail: Option<usize>,
    /// Go on with what is printed later.
    pub follow: bool,
    /// Where an earlier stream came to.
    pub resume: BTreeMap<ReplicaId, Position>,
}

/// A piece of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPiece {
    /// A line.
    Line(LogLine),
    /// About so many bytes were removed before the reader came to them.
    Lost {
        /// Of which replica.
        replica: ReplicaId,
        /// How much.
        bytes: u64,
    },
    /// There were more lines to be had, but they are too large together.
    Cut,
    /// All that had been printed when the stream began has been sent; from here on lines come as they are printed.
    CaughtUp,
}

pub(super) fn start(folder: PathBuf, segment: u64, query: LogQuery) -> io::Result<mpsc::Receiver<Vec<LogPiece>>> {
    let (send, receive) = mpsc::channel(BACKLOG);
    let reader = Reader {
        folder,
        segment,
        query,
        sources: BTreeMap::new(),
        others: BTreeSet::new(),
        alarm: Alarm::new(),
        out: Outlet {
            send,
            batch: Vec::new(),
            bytes: 0,
        },
    };
    std::thread::Builder::new()
        .name("logs".to_owned())
        .spawn(move || reader.run())?;
    Ok(receive)
}

/// Nobody listens any more.
#[derive(Debug)]
struct Gone;

struct Outlet {
    send: mpsc::Sender<Vec<LogPiece>>,
    batch: Vec<LogPiece>,
    bytes: usize,
}

impl Outlet {
    fn put(&mut self, piece: LogPiece) -> Result<(), Gone> {
        if let LogPiece::Line(line) = &piece {
            self.bytes += line.text.len();
        }
        self.batch.push(piece);
        if self.batch.len() >= BATCH || self.bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Gone> {
        if self.batch.is_empty() {
            return if self.send.is_closed() { Err(Gone) } else { Ok(()) };
        }
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        self.send.blocking_send(batch).map_err(|_| Gone)
    }
}

struct Reader {
    folder: PathBuf,
    segment: u64,
    query: LogQuery,
    sources: BTreeMap<ReplicaId, Source>,
    /// Folders that are not of this service.
    others: BTreeSet<PathBuf>,
    alarm: Alarm,
    out: Outlet,
}

impl Reader {
    fn run(mut self) {
        let result = self.past().and_then(|()| self.out.put(LogPiece::CaughtUp));
        if result.and_then(|()| self.out.flush()).is_err() || !self.query.follow {
            return;
        }
        // Before the first look, so that nothing comes between.
        self.alarm.watch(&self.folder.clone());
        while self.look_for_more().is_ok() {
            self.alarm.wait();
        }
    }

    /// What has been printed by now, by time.
    fn past(&mut self) -> Result<(), Gone> {
        self.discover(true);
        let mut tail = self.query.tail.map(LogTail::new);
        let mut heads = BinaryHeap::new();
        for replica in self.sources.keys().copied().collect::<Vec<_>>() {
            self.refill(&mut heads, replica)?;
        }
        while let Some(Reverse(Head { line, .. })) = heads.pop() {
            let replica = line.replica;
            match &mut tail {
                Some(tail) => tail.push(line.text.len(), line),
                None => self.out.put(LogPiece::Line(line))?,
            }
            self.refill(&mut heads, replica)?;
        }
        if let Some(tail) = tail {
            let (lines, is_cut) = tail.into_lines();
            if is_cut {
                self.out.put(LogPiece::Cut)?;
            }
            for line in lines {
                self.out.put(LogPiece::Line(line))?;
            }
        }
        Ok(())
    }

    fn refill(&mut self, heads: &mut BinaryHeap<Reverse<Head>>, replica: ReplicaId) -> Result<(), Gone> {
        while let Some(source) = self.sources.get_mut(&replica) {
            match next(source) {
                Next::Line(line) => {
                    heads.push(Reverse(Head {
                        key: (line.at, replica),
                        line,
                    }));
                    return Ok(());
                }
                Next::Lost(bytes) => self.out.put(LogPiece::Lost { replica, bytes })?,
                Next::Nothing => return Ok(()),
            }
        }
        Ok(())
    }

    /// What has been printed since the last look.
    fn look_for_more(&mut self) -> Result<(), Gone> {
        self.discover(false);
        loop {
            let mut lines = Vec::new();
            let mut is_more = false;
            for (replica, source) in &mut self.sources {
                for turn in 1..=TURN {
                    match next(source) {
                        Next::Line(line) => lines.push(line),
                        Next::Lost(bytes) => self.out.put(LogPiece::Lost {
                            replica: *replica,
                            bytes,
                        })?,
                        Next::Nothing => break,
                    }
                    is_more |= turn == TURN;
                }
            }
            lines.sort_by_key(|line| (line.at, line.replica));
            for line in lines {
                self.out.put(LogPiece::Line(line))?;
            }
            self.out.flush()?;
            if !is_more {
                return Ok(());
            }
        }
    }

    /// Finds logs that were not there before. What comes while it follows is read from its beginning.
    fn discover(&mut self, is_first: bool) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = entry.file_name().into_string().unwrap_or_default();
            let Some(replica) = name.parse().ok().map(ReplicaId) else {
                continue;
            };
            if self.sources.contains_key(&replica) || self.others.contains(&path) {
                continue;
            }
            // Asked once: a folder is there a moment before it says whose it is.
            let owner = about::read(&path);
            let Some(version) = self.version_of(owner, replica) else {
                if owner.is_some() {
                    self.others.insert(path);
                }
                continue;
            };
            if self
                .query
                .replica
                .as_ref()
                .is_some_and(|it| !name.ends_with(it.as_str()))
            {
                self.others.insert(path);
                continue;
            }
            let source = self.source(&path, replica, version, is_first);
            if self.query.follow {
                self.alarm.watch(&path);
            }
            self.sources.insert(replica, source);
        }
    }

    /// The version of a replica's deployment, if it is one of this service.
    fn version_of(&self, owner: Option<Owner>, replica: ReplicaId) -> Option<u32> {
        match owner {
            Some(Owner { service, version }) => (Some(service) == self.query.service).then_some(version),
            None => self.query.known.get(&replica).copied(),
        }
    }

    fn source(&self, folder: &Path, replica: ReplicaId, version: u32, is_first: bool) -> Source {
        let mut source = Source::new(folder.to_owned(), replica, version, self.segment);
        match self.query.resume.get(&replica) {
            Some(position) => source.resume(*position),
            None if is_first => {
                if self.query.since > 0 {
                    source.since(self.query.since);
                }
                if let Some(count) = self.query.tail {
                    source.last_lines(count);
                }
            }
            None => {}
        }
        source
    }
}

/// A log that cannot be read is passed over until it can.
fn next(source: &mut Source) -> Next {
    source.next().unwrap_or_else(|error| {
        tracing::warn!(replica = %source.replica, %error, "a log cannot be read");
        Next::Nothing
    })
}

/// The next line of a replica, ordered by its time.
struct Head {
    key: (u64, ReplicaId),
    line: LogLine,
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}
