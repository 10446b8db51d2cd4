//! The files of a replica's log.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// One file, in the order in which they were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    /// How often the container had been started again.
    pub start: u32,
    /// Counts from 1; 0 is a file of a daemon that wrote one a start, without times.
    pub number: u32,
}

impl Segment {
    pub(super) fn file_name(self) -> String {
        match self.number {
            0 => format!("{}.log", self.start),
            number => format!("{}.{number}.log", self.start),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let name = name.strip_suffix(".log")?;
        let (start, number) = name.split_once('.').unwrap_or((name, "0"));
        Some(Self {
            start: start.parse().ok()?,
            number: number.parse().ok()?,
        })
    }

    /// All files in a folder, the oldest first; none where there is no folder.
    pub(super) fn list(folder: &Path) -> Vec<Self> {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Vec::new();
        };
        let names = entries.filter_map(|it| it.ok()?.file_name().into_string().ok());
        let mut all: Vec<_> = names.filter_map(|name| Self::parse(&name)).collect();
        all.sort_unstable();
        all
    }
}

/// The end of a file.
pub(super) fn tail(path: &Path, bytes: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(bytes);
    file.seek(SeekFrom::Start(from))?;
    let mut read = Vec::new();
    file.take(bytes).read_to_end(&mut read)?;
    if from > 0 {
        // It begins in the middle of a line.
        let next = read.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        read.drain(..next);
    }
    Ok(read)
}

/// How many lines a file has.
pub(super) fn lines(path: &Path) -> io::Result<usize> {
    let mut file = File::open(path)?;
    let (mut bytes, mut count) = (vec![0; 64 * 1024], 0);
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(count),
            read => count += bytes[..read].iter().filter(|byte| **byte == b'\n').count(),
        }
    }
}
