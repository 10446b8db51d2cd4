//! The last lines, and no more memory than agreed.

use std::collections::VecDeque;

/// Bytes kept at most, however many lines that is.
const MOST_BYTES: usize = 8 << 20;

/// Keeps the last of the lines put in: so many at most, and 8 MiB.
#[derive(Debug)]
pub struct LogTail<T> {
    lines: VecDeque<(usize, T)>,
    bytes: usize,
    most: usize,
    cut: bool,
}

impl<T> LogTail<T> {
    /// Keeps `most` lines.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            bytes: 0,
            most,
            cut: false,
        }
    }

    /// Puts in a line of so many bytes.
    pub fn push(&mut self, bytes: usize, line: T) {
        self.bytes += bytes;
        self.lines.push_back((bytes, line));
        while self.lines.len() > self.most || self.bytes > MOST_BYTES && self.lines.len() > 1 {
            self.cut |= self.lines.len() <= self.most;
            if let Some((bytes, _)) = self.lines.pop_front() {
                self.bytes -= bytes;
            }
        }
    }

    /// The lines, and whether there are fewer than asked for since they are too large.
    pub fn into_lines(self) -> (impl Iterator<Item = T>, bool) {
        let short = self.cut && self.lines.len() < self.most;
        (self.lines.into_iter().map(|(_, line)| line), short)
    }
}
