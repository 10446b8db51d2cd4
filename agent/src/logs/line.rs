//! One line of a log.

use bytes::Bytes;
use model::ReplicaId;

use super::Position;

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Neither: what the logger itself has to say.
    Notice,
}

/// A line that a replica has printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Which replica.
    pub replica: ReplicaId,
    /// The version of its deployment; 0 if that is not known any more.
    pub version: u32,
    /// When, in nanoseconds since 1970, by the clock of its host.
    pub at: u64,
    /// Where it came from.
    pub stream: LogStream,
    /// The text, without its end of line.
    pub text: Bytes,
    /// Where the next line begins.
    pub next: Position,
}

/// A line as it stands in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written<'a> {
    pub at: u64,
    pub stream: LogStream,
    /// More of the same line follows.
    pub is_piece: bool,
    pub text: &'a [u8],
}

/// Reads `TIME STREAM F|P TEXT`; `None` for what a daemon of before wrote as it was printed.
pub(super) fn parse(line: &[u8]) -> Option<Written<'_>> {
    let mut words = line.splitn(4, |byte| *byte == b' ');
    let at = time(words.next()?)?;
    let stream = match words.next()? {
        b"stdout" => LogStream::Stdout,
        b"stderr" => LogStream::Stderr,
        b"notice" => LogStream::Notice,
        _ => return None,
    };
    let is_piece = match words.next()? {
        b"F" => false,
        b"P" => true,
        _ => return None,
    };
    Some(Written {
        at,
        stream,
        is_piece,
        text: words.next()?,
    })
}

fn time(text: &[u8]) -> Option<u64> {
    let at: jiff::Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
    u64::try_from(at.as_nanosecond()).ok()
}

/// What was printed, of lines as they stand in a file.
pub(super) fn printed(lines: &[u8]) -> String {
    let mut text = Vec::with_capacity(lines.len());
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        match parse(line) {
            Some(written) => {
                text.extend_from_slice(written.text);
                if !written.is_piece {
                    text.push(b'\n');
                }
            }
            None => {
                text.extend_from_slice(line);
                text.push(b'\n');
            }
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}
