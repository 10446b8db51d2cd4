//! Reads the log of one replica from file to file, as far as it goes by now.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::mem;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use model::ReplicaId;

use super::line::{self, LogLine, LogStream};
use super::segment::{self, Segment};

/// A line is given as it is once it has this many bytes.
const LONGEST: usize = 256 * 1024;

/// A place in the log of a replica, after one line and before the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// How often the container had been started again.
    pub start: u32,
    /// Which file of that start.
    pub segment: u32,
    /// Where in it.
    pub offset: u64,
}

/// What comes next in a log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A line.
    Line(LogLine),
    /// About so many bytes were removed before they were read.
    Lost(u64),
    /// Nothing for now.
    Nothing,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Source {
    folder: PathBuf,
    pub replica: ReplicaId,
    version: u32,
    /// Bytes of a file that is full.
    segment_bytes: u64,
    /// Lines before this are passed over.
    since: u64,
    open: Option<Open>,
    /// The last file that was read to its end, or that is passed over.
    done: Option<Segment>,
    /// Whether `done` was read, so that what lies between it and the next file is missed.
    is_reading: bool,
    /// Where to begin in the file that comes first.
    offset: u64,
    /// A line of the file that is not complete.
    begun: Vec<u8>,
    /// Pieces of a line that was printed, by stream.
    pieces: [Vec<u8>; 3],
    last: u64,
}

#[derive(Debug)]
struct Open {
    segment: Segment,
    file: BufReader<File>,
    offset: u64,
    /// The next file is there, so nothing is added to this one.
    is_complete: bool,
    /// When it was last written, for lines without a time.
    written: u64,
}

impl Source {
    pub(super) fn new(folder: PathBuf, replica: ReplicaId, version: u32, segment_bytes: u64) -> Self {
        Self {
            folder,
            replica,
            version,
            segment_bytes,
            since: 0,
            open: None,
            done: None,
            is_reading: false,
            offset: 0,
            begun: Vec::new(),
            pieces: Default::default(),
            last: 0,
        }
    }

    /// Passes over everything older.
    pub(super) fn since(&mut self, since: u64) {
        self.since = since;
        let before = |it: &&Segment| written(&self.folder.join(it.file_name())).is_some_and(|at| at < since);
        let all = Segment::list(&self.folder);
        // The newest may have something added.
        let older = &all[..all.len().saturating_sub(1)];
        self.done = self.done.max(older.iter().take_while(before).last().copied());
    }

    /// Passes over files that are not needed for the last `count` lines.
    pub(super) fn last_lines(&mut self, count: usize) {
        let mut found = 0;
        let all = Segment::list(&self.folder);
        for (at, it) in all.iter().enumerate().rev() {
            found += segment::lines(&self.folder.join(it.file_name())).unwrap_or(0);
            if found >= count {
                let before = at.checked_sub(1).map(|before| all[before]);
                self.done = self.done.max(before);
                return;
            }
        }
    }

    /// Goes on where an earlier stream broke off.
    pub(super) fn resume(&mut self, at: Position) {
        let before = Segment {
            start: at.start,
            number: at.segment,
        };
        let all = Segment::list(&self.folder);
        if all.contains(&before) {
            self.done = all.iter().rfind(|it| **it < before).copied();
            self.offset = at.offset;
        } else {
            (self.done, self.is_reading) = (Some(before), true);
        }
    }

    pub(super) fn next(&mut self) -> io::Result<Next> {
        loop {
            let Some(open) = &mut self.open else {
                match self.open_next()? {
                    Opened::Yes => continue,
                    Opened::After(lost) => return Ok(Next::Lost(lost)),
                    Opened::Nothing => return Ok(Next::Nothing),
                }
            };
            let room = (LONGEST - self.begun.len().min(LONGEST)) as u64;
            let read = (&mut open.file).take(room).read_until(b'\n', &mut self.begun)?;
            open.offset += read as u64;
            let ends = self.begun.last() == Some(&b'\n');
            if ends || self.begun.len() >= LONGEST {
                if let Some(line) = self.understand() {
                    return Ok(Next::Line(line));
                }
            } else if read > 0 {
                // At the end of the file, for now.
            } else if !open.is_complete {
                if Segment::list(&self.folder).last().is_none_or(|it| *it <= open.segment) {
                    return Ok(Next::Nothing);
                }
                // Something may have come before the next file did.
                open.is_complete = true;
            } else {
                let line = if self.begun.is_empty() { None } else { self.understand() };
                (self.done, self.is_reading) = (self.open.take().map(|it| it.segment), true);
                if let Some(line) = line {
                    return Ok(Next::Line(line));
                }
            }
        }
    }

    fn open_next(&mut self) -> io::Result<Opened> {
        let next = Segment::list(&self.folder).into_iter().find(|it| Some(*it) > self.done);
        let Some(next) = next else {
            return Ok(Opened::Nothing);
        };
        let path = self.folder.join(next.file_name());
        let mut file = match File::open(&path) {
            Ok(file) => file,
            // Removed just now; it is missing from the next list.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Opened::Nothing),
            Err(error) => return Err(error),
        };
        let offset = mem::take(&mut self.offset);
        file.seek(SeekFrom::Start(offset))?;
        self.open = Some(Open {
            segment: next,
            file: BufReader::with_capacity(64 * 1024, file),
            offset,
            is_complete: false,
            written: written(&path).unwrap_or(0),
        });
        let before = self.done.filter(|_| self.is_reading);
        let missed = before.map_or(0, |before| missed(before, next));
        if missed == 0 {
            return Ok(Opened::Yes);
        }
        Ok(Opened::After(u64::from(missed) * self.segment_bytes))
    }

    /// The line that has been read; `None` if it is a piece of one, or too old.
    fn understand(&mut self) -> Option<LogLine> {
        let open = self.open.as_ref()?;
        let next = Position {
            start: open.segment.start,
            segment: open.segment.number,
            offset: open.offset,
        };
        let line = mem::take(&mut self.begun);
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let (at, stream, text) = match line::parse(line) {
            Some(it) => {
                let pieces = &mut self.pieces[it.stream as usize];
                pieces.extend_from_slice(it.text);
                if it.is_piece && pieces.len() < LONGEST {
                    return None;
                }
                (it.at, it.stream, mem::take(pieces))
            }
            None => (self.last.max(open.written), LogStream::Stdout, line.to_owned()),
        };
        self.last = at;
        (at >= self.since).then(|| LogLine {
            replica: self.replica,
            version: self.version,
            at,
            stream,
            text: text.into(),
            next,
        })
    }
}

enum Opened {
    Yes,
    /// And about so many bytes before it are gone.
    After(u64),
    Nothing,
}

/// Files between two that follow each other by now.
fn missed(before: Segment, next: Segment) -> u32 {
    if next.start == before.start {
        (next.number - before.number).saturating_sub(1)
    } else {
        next.number.saturating_sub(1)
    }
}

/// When a file was last written, in nanoseconds since 1970.
fn written(path: &Path) -> Option<u64> {
    let at = path.metadata().ok()?.modified().ok()?;
    u64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()
}
