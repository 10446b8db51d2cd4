//! Reading a backup: nothing of it is believed before its checksum was compared.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use model::{Resource, State};
use ring::digest::{Context, SHA256};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{BackupError, BackupHeader, CHECKSUM_BYTES, END, FORMAT, MAGIC};
use crate::snapshot::format;

/// No header and no keyring is longer; a length must not take all memory.
const PART_BYTES_MAX: usize = 4 << 20;
const CHUNK: usize = 256 << 10;

/// A backup whose checksum is right and whose header can be read.
#[derive(Debug)]
pub struct Backup {
    path: PathBuf,
    header: BackupHeader,
    keyring: Option<Zeroizing<Vec<u8>>>,
    size: u64,
    /// Where the snapshot begins.
    begins: u64,
}

/// What only the format can be told of, whatever else the header holds.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

impl Backup {
    /// Checks a file from its first byte to its last, and reads its header.
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        let failed = |doing| {
            move |source| BackupError::Io {
                doing,
                path: path.to_owned(),
                source,
            }
        };
        let mut file = File::open(path).map_err(failed("open"))?;
        let about = file.metadata().map_err(failed("read"))?;
        if !about.is_file() {
            return Err(BackupError::Foreign(path.to_owned()));
        }
        let size = about.len();
        check(&mut file, path, size)?;
        file.seek(SeekFrom::Start(MAGIC.len() as u64)).map_err(failed("read"))?;
        let mut file = BufReader::new(file);
        let damaged = |reason: String| BackupError::Damaged {
            path: path.to_owned(),
            reason,
        };
        let header = part(&mut file).map_err(|it| damaged(format!("its header cannot be read: {it}")))?;
        let unreadable = |it: serde_json::Error| damaged(format!("its header cannot be read: {it}"));
        let FormatOnly { format } = serde_json::from_slice(&header).map_err(unreadable)?;
        if format > FORMAT {
            return Err(BackupError::Newer {
                path: path.to_owned(),
                found: format,
                known: FORMAT,
            });
        }
        let header: BackupHeader = serde_json::from_slice(&header).map_err(unreadable)?;
        let keyring = part(&mut file).map_err(|it| damaged(format!("its keyring cannot be read: {it}")))?;
        Ok(Self {
            path: path.to_owned(),
            header,
            keyring: (!keyring.is_empty()).then_some(keyring),
            size,
            begins: file.stream_position().map_err(failed("read"))?,
        })
    }

    /// What it says of itself.
    #[must_use]
    pub fn header(&self) -> &BackupHeader {
        &self.header
    }

    /// The keyring document in it.
    #[must_use]
    pub fn keyring(&self) -> Option<&[u8]> {
        self.keyring.as_ref().map(|it| it.as_slice())
    }

    /// Bytes of the file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads every object, without keeping any.
    pub fn for_each(&self, each: impl FnMut(Resource)) -> Result<(), BackupError> {
        self.read(each).map(drop)
    }

    /// The state in it.
    pub fn state(&self) -> Result<State, BackupError> {
        let mut resources = Vec::new();
        let now = self.read(|it| resources.push(it))?;
        Ok(State::from_resources(self.header.index, now, resources))
    }

    /// Answers the state's own time.
    fn read(&self, each: impl FnMut(Resource)) -> Result<model::Timestamp, BackupError> {
        let failed = |source| BackupError::Io {
            doing: "read",
            path: self.path.clone(),
            source,
        };
        let mut file = File::open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(self.begins)).map_err(failed)?;
        let file = BufReader::new(file);
        let read = format::read_each(file, &self.path, self.header.cluster, each);
        let snapshot = read.map_err(|source| BackupError::State {
            path: self.path.clone(),
            source,
        })?;
        if (snapshot.meta.revision, snapshot.resources) != (self.header.index, self.header.objects) {
            return Err(BackupError::Damaged {
                path: self.path.clone(),
                reason: "its header is not that of the state in it".to_owned(),
            });
        }
        Ok(snapshot.meta.now)
    }
}

/// Looks at the begin, the end and the checksum.
fn check(file: &mut File, path: &Path, size: u64) -> Result<(), BackupError> {
    let failed = |source| BackupError::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    };
    let mut magic = Vec::new();
    file.take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(failed)?;
    if magic != MAGIC {
        return Err(BackupError::Foreign(path.to_owned()));
    }
    let cut_short = || BackupError::CutShort(path.to_owned());
    let end = (END.len() + CHECKSUM_BYTES) as u64;
    let covered = size.checked_sub(CHECKSUM_BYTES as u64).ok_or_else(cut_short)?;
    let end = size.checked_sub(end).filter(|it| *it >= MAGIC.len() as u64);
    let end = end.ok_or_else(cut_short)?;
    let mut last = [0; END.len() + CHECKSUM_BYTES];
    file.seek(SeekFrom::Start(end)).map_err(failed)?;
    file.read_exact(&mut last).map_err(|_| cut_short())?;
    let (mark, checksum) = last.split_at(END.len());
    if mark != END {
        return Err(cut_short());
    }
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let (mut digest, mut left) = (Context::new(&SHA256), covered);
    let mut chunk = vec![0; CHUNK];
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let read = match file.read(&mut chunk[..wanted]) {
            Ok(0) => return Err(cut_short()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        digest.update(&chunk[..read]);
        left -= read as u64;
    }
    if digest.finish().as_ref() != checksum {
        return Err(BackupError::Damaged {
            path: path.to_owned(),
            reason: "its checksum does not match".to_owned(),
        });
    }
    Ok(())
}

/// Bytes with their length before them.
fn part(from: &mut impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > PART_BYTES_MAX {
        return Err(io::Error::other("it is too long"));
    }
    let mut bytes = Zeroizing::new(vec![0; length]);
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}
