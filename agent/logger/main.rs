//! Writes what a container prints to its log: every line with its time and its stream, into files of a limited size of
//! which only the newest are kept. containerd's shim starts one beside each container, so that it needs no daemon of ours.
//!
//! `goblins-logger folder PATH start N segment BYTES keep N`, in any order; standard output comes at descriptor 3, standard
//! error at 4, and a byte on 5 says that it is ready.
//!
//! ```text
//! FOLDER/START.SEGMENT.log:   2026-01-31T23:59:59.123456789Z stdout F text
//! ```
//!
//! `F` ends a line, `P` is a piece of one that is longer than 16 KiB. A file is never renamed, and complete once the next one
//! is there. Built static and without dependencies: it is small, and runs on every host.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, mem};

/// A longer line is written in pieces.
const LONGEST: usize = 16 * 1024;
const READ: usize = 64 * 1024;

fn main() -> ExitCode {
    // The shim sends SIGTERM when the container has ended, which is no reason to lose its last words: the ends of both
    // streams end this program.
    sys::ignore_signals();
    let Some(settings) = Settings::read(env::args().skip(1)) else {
        eprintln!("goblins-logger: usage: goblins-logger folder PATH start N segment BYTES keep N");
        return ExitCode::from(2);
    };
    let [out, err, mut ready] = sys::streams();
    let mut log = Log::new(settings);
    // Whoever waits for it goes on without, should it have gone.
    let _ = ready.write_all(b"\n");
    drop(ready);
    copy([("stdout", out), ("stderr", err)], &mut log);
    ExitCode::SUCCESS
}

struct Settings {
    folder: PathBuf,
    start: u32,
    /// Bytes of a file, after which the next one begins.
    segment: u64,
    /// Files kept, over all starts.
    keep: usize,
}

impl Settings {
    fn read(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let (mut folder, mut start, mut segment, mut keep) = (None, None, None, None);
        while let Some(name) = words.next() {
            let value = words.next()?;
            match name.as_str() {
                "folder" => folder = Some(PathBuf::from(value)),
                "start" => start = Some(value.parse().ok()?),
                "segment" => segment = Some(value.parse().ok()?),
                "keep" => keep = Some(value.parse().ok()?),
                // From a daemon that knows more than this program.
                _ => {}
            }
        }
        Some(Self {
            folder: folder?,
            start: start?,
            segment: segment?,
            keep: keep?,
        })
    }
}

/// Copies both streams until both have ended.
fn copy(streams: [(&'static str, File); 2], log: &mut Log) {
    let mut streams = streams.map(|(name, file)| Stream::new(name, file));
    let mut bytes = vec![0; READ];
    while streams.iter().any(|it| it.file.is_some()) {
        let ready = sys::wait_readable([0, 1].map(|n| streams[n].file.as_ref()));
        for (stream, _) in streams.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            let lines = stream.read(&mut bytes);
            log.write(&lines);
        }
    }
}

/// One of the two streams of a container.
struct Stream {
    name: &'static str,
    /// `None` once it has ended.
    file: Option<File>,
    /// What has come of the line that is not complete.
    begun: Vec<u8>,
}

impl Stream {
    fn new(name: &'static str, file: File) -> Self {
        Self {
            name,
            file: Some(file),
            begun: Vec::new(),
        }
    }

    /// What there is to read, as lines of the log.
    fn read(&mut self, bytes: &mut [u8]) -> Vec<u8> {
        let read = match &mut self.file {
            Some(file) => file.read(bytes),
            None => return Vec::new(),
        };
        let now = stamp(SystemTime::now());
        let mut lines = Vec::new();
        match read {
            Ok(0) => {
                self.file = None;
                if !self.begun.is_empty() {
                    line(&mut lines, &now, self.name, "F", &mem::take(&mut self.begun));
                }
            }
            Ok(count) => self.take(&bytes[..count], &now, &mut lines),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.file = None,
        }
        lines
    }

    fn take(&mut self, mut bytes: &[u8], now: &str, lines: &mut Vec<u8>) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(&bytes[..end]);
            self.pieces(now, lines);
            line(lines, now, self.name, "F", &mem::take(&mut self.begun));
            bytes = &bytes[end + 1..];
        }
        self.begun.extend_from_slice(bytes);
        self.pieces(now, lines);
    }

    /// Writes as much of a line that is too long as makes the rest of it short enough.
    fn pieces(&mut self, now: &str, lines: &mut Vec<u8>) {
        while self.begun.len() > LONGEST {
            let rest = self.begun.split_off(LONGEST);
            line(lines, now, self.name, "P", &mem::replace(&mut self.begun, rest));
        }
    }
}

fn line(lines: &mut Vec<u8>, now: &str, stream: &str, tag: &str, text: &[u8]) {
    for part in [now, " ", stream, " ", tag, " "] {
        lines.extend_from_slice(part.as_bytes());
    }
    lines.extend_from_slice(text);
    lines.push(b'\n');
}

/// The files of one start.
struct Log {
    settings: Settings,
    /// Counts the files of this start from 1.
    number: u32,
    file: Option<File>,
    written: u64,
    /// Lines that could not be written, since the disk is full or away.
    lost: u64,
}

impl Log {
    fn new(settings: Settings) -> Self {
        let mut log = Self {
            settings,
            number: 1,
            file: None,
            written: 0,
            lost: 0,
        };
        log.open();
        log
    }

    fn path(&self) -> PathBuf {
        let name = format!("{}.{}.log", self.settings.start, self.number);
        self.settings.folder.join(name)
    }

    fn open(&mut self) {
        let opened = OpenOptions::new().create(true).append(true).open(self.path());
        self.file = opened.ok();
        let known = self.file.as_ref().and_then(|it| it.metadata().ok());
        self.written = known.map_or(0, |it| it.len());
    }

    /// Never waits for room: a container whose output nobody takes would stand still.
    fn write(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        if self.written >= self.settings.segment {
            self.number += 1;
            self.open();
            prune(&self.settings.folder, self.settings.keep);
        } else if self.file.is_none() {
            self.open();
        }
        if self.lost > 0 {
            let text = format!("{} lines could not be written here: was the disk full?", self.lost);
            let mut told = Vec::new();
            line(&mut told, &stamp(SystemTime::now()), "notice", "F", text.as_bytes());
            if self.append(&told).is_err() {
                self.lost += count(lines);
                return;
            }
            self.lost = 0;
        }
        if self.append(lines).is_err() {
            self.lost += count(lines);
        }
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let result = file.write_all(lines);
        if result.is_err() {
            // Half a line must not stay: what comes next would be read as the rest of it.
            let _ = file.set_len(self.written);
        } else {
            self.written += lines.len() as u64;
        }
        result
    }
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Removes the oldest files beyond so many, whichever start they are of.
fn prune(folder: &Path, keep: usize) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let names = entries.filter_map(|it| it.ok()?.file_name().into_string().ok());
    let mut files: Vec<_> = names.filter_map(|name| Some((order(&name)?, name))).collect();
    files.sort();
    let surplus = files.len().saturating_sub(keep.max(1));
    for (_, name) in files.drain(..surplus) {
        // Somebody else may have been faster.
        let _ = fs::remove_file(folder.join(name));
    }
}

/// Start and number of a file; those that an older daemon had written have no number.
fn order(name: &str) -> Option<(u32, u32)> {
    let name = name.strip_suffix(".log")?;
    match name.split_once('.') {
        Some((start, number)) => Some((start.parse().ok()?, number.parse().ok()?)),
        None => Some((name.parse().ok()?, 0)),
    }
}

/// RFC 3339 in UTC, with nanoseconds.
fn stamp(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let nanos = since.subsec_nanos();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

/// The date so many days after 1970-01-01, by eras of 400 years that begin with a March.
fn civil(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    // Days from 0000-03-01 to 1970-01-01.
    let days = days + 719_468;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

/// What the standard library does not have.
#[allow(
    unsafe_code,
    reason = "signals, poll and given descriptors, in a program without dependencies"
)]
mod sys {
    use std::ffi::{c_int, c_ulong};
    use std::fs::File;
    use std::os::fd::{AsRawFd, FromRawFd};

    const IGNORE: usize = 1;
    const SIGHUP: c_int = 1;
    const SIGINT: c_int = 2;
    const SIGTERM: c_int = 15;
    const POLLIN: i16 = 1;

    #[repr(C)]
    struct PollFd {
        fd: c_int,
        events: i16,
        revents: i16,
    }

    unsafe extern "C" {
        fn signal(number: c_int, handler: usize) -> usize;
        fn poll(fds: *mut PollFd, count: c_ulong, timeout: c_int) -> c_int;
    }

    pub fn ignore_signals() {
        for number in [SIGHUP, SIGINT, SIGTERM] {
            // SAFETY: no handler is called, the signals are only ignored.
            unsafe { signal(number, IGNORE) };
        }
    }

    /// What the shim hands over: standard output, standard error, and where to say that all is ready.
    pub fn streams() -> [File; 3] {
        // SAFETY: called once, and nobody else in this process uses these numbers; a descriptor that is not open gives
        // errors when it is used.
        [3, 4, 5].map(|fd| unsafe { File::from_raw_fd(fd) })
    }

    /// Waits until one of them can be read or has ended; says which.
    pub fn wait_readable(files: [Option<&File>; 2]) -> [bool; 2] {
        // A negative number is passed over.
        let mut fds = files.map(|file| PollFd {
            fd: file.map_or(-1, AsRawFd::as_raw_fd),
            events: POLLIN,
            revents: 0,
        });
        // SAFETY: the array outlives the call and is as long as is said.
        let ready = unsafe { poll(fds.as_mut_ptr(), fds.len() as c_ulong, -1) };
        fds.map(|it| ready > 0 && it.revents != 0)
    }
}
