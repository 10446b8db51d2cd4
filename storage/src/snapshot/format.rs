//! The bytes of a snapshot.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use model::{ClusterId, Resource, State};
use ring::digest::{Context, SHA256};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Checksum, SnapshotHeader};
use crate::{Meta, StorageError, decode, encode};

/// The last byte is the version of the framing.
const MAGIC: &[u8; 8] = b"GOBSNAP\x01";
const CHECKSUM_BYTES: usize = 32;
const RESOURCES_A_FRAME: usize = 256;
/// No frame that we write comes near this; a damaged length must not take all memory.
const FRAME_BYTES_MAX: usize = 256 << 20;

/// Writes a whole snapshot. `path` is what errors name.
pub(crate) fn write(
    to: &mut impl Write,
    path: &Path,
    cluster: ClusterId,
    state: &State,
    meta: &Meta,
) -> Result<SnapshotHeader, StorageError> {
    let resources = state.resources().count() as u64;
    let header = SnapshotHeader {
        cluster,
        meta: meta.clone(),
        resources,
    };
    let mut out = Output {
        to,
        path,
        digest: Context::new(&SHA256),
    };
    out.bytes(MAGIC)?;
    out.frame(&header)?;
    let mut frame: Vec<Resource> = Vec::with_capacity(RESOURCES_A_FRAME);
    for resource in state.resources() {
        frame.push(resource);
        if frame.len() == RESOURCES_A_FRAME {
            out.frame(&frame)?;
            frame.clear();
        }
    }
    if !frame.is_empty() {
        out.frame(&frame)?;
    }
    out.bytes(&0_u32.to_be_bytes())?;
    let checksum = out.digest.clone().finish();
    out.bytes(checksum.as_ref())?;
    Ok(header)
}

/// The checksum that the file of a snapshot ends with. Whether it is right is not looked at.
pub fn checksum(file: &File) -> io::Result<Checksum> {
    let mut checksum = [0; CHECKSUM_BYTES];
    let at = file.metadata()?.len().saturating_sub(CHECKSUM_BYTES as u64);
    file.read_exact_at(&mut checksum, at)?;
    Ok(checksum)
}

/// Reads a whole snapshot, and refuses one that is damaged or another cluster's.
pub(super) fn read(path: &Path, cluster: ClusterId) -> Result<(SnapshotHeader, State), StorageError> {
    let mut resources = Vec::new();
    let header = read_each(BufReader::new(open(path)?), path, cluster, |it| resources.push(it))?;
    let state = State::from_resources(header.meta.revision, header.meta.now, resources);
    Ok((header, state))
}

/// Reads a snapshot up to its end, which need not be that of `from`, and hands over each resource. What was handed over
/// counts only if this succeeds.
pub(crate) fn read_each(
    from: impl Read,
    path: &Path,
    cluster: ClusterId,
    mut each: impl FnMut(Resource),
) -> Result<SnapshotHeader, StorageError> {
    let mut input = Input::new(from, path);
    let header = input.begin(cluster)?;
    let mut resources: u64 = 0;
    while let Some(frame) = input.frame::<Vec<Resource>>()? {
        resources += frame.len() as u64;
        frame.into_iter().for_each(&mut each);
    }
    input.end()?;
    if resources != header.resources {
        return Err(input.damaged("it does not hold as many resources as it says"));
    }
    Ok(header)
}

/// Looks whether a snapshot is whole and this cluster's, which takes a fraction of decoding it.
pub(super) fn check(path: &Path, cluster: ClusterId) -> Result<SnapshotHeader, StorageError> {
    let file = open(path)?;
    let mut input = Input::new(BufReader::new(file), path);
    let header = input.begin(cluster)?;
    while input.frame_bytes()?.is_some() {}
    input.end()?;
    Ok(header)
}

fn open(path: &Path) -> Result<File, StorageError> {
    File::open(path).map_err(|source| StorageError::Io {
        doing: "open",
        path: path.to_owned(),
        source,
    })
}

struct Output<'a, W> {
    to: &'a mut W,
    path: &'a Path,
    digest: Context,
}

impl<W: Write> Output<'_, W> {
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.digest.update(bytes);
        self.to.write_all(bytes).map_err(|source| StorageError::Io {
            doing: "write",
            path: self.path.to_owned(),
            source,
        })
    }

    fn frame<T: Serialize>(&mut self, value: &T) -> Result<(), StorageError> {
        let bytes = encode(value).map_err(|source| StorageError::Codec {
            path: self.path.to_owned(),
            source,
        })?;
        let length = u32::try_from(bytes.len())
            .ok()
            .filter(|_| bytes.len() <= FRAME_BYTES_MAX);
        let length = length.ok_or_else(|| StorageError::Damaged {
            path: self.path.to_owned(),
            reason: "a frame is too long".to_owned(),
        })?;
        self.bytes(&length.to_be_bytes())?;
        self.bytes(&bytes)
    }
}

struct Input<'a, R> {
    from: R,
    path: &'a Path,
    digest: Context,
}

impl<'a, R: Read> Input<'a, R> {
    fn new(from: R, path: &'a Path) -> Self {
        Self {
            from,
            path,
            digest: Context::new(&SHA256),
        }
    }

    /// What comes before the resources.
    fn begin(&mut self, cluster: ClusterId) -> Result<SnapshotHeader, StorageError> {
        let mut magic = [0; 8];
        self.bytes(&mut magic)?;
        if &magic != MAGIC {
            return Err(self.damaged("it is not a snapshot of a known format"));
        }
        let header: SnapshotHeader = self.frame()?.ok_or_else(|| self.damaged("it has no header"))?;
        if header.cluster != cluster {
            return Err(StorageError::WrongOwner {
                path: self.path.to_owned(),
                found: format!("cluster {}", header.cluster),
                expected: format!("cluster {cluster}"),
            });
        }
        Ok(header)
    }

    /// What comes after them.
    fn end(&mut self) -> Result<(), StorageError> {
        let digest = self.digest.clone().finish();
        let mut checksum = [0; CHECKSUM_BYTES];
        self.bytes(&mut checksum)?;
        if digest.as_ref() == checksum {
            Ok(())
        } else {
            Err(self.damaged("its checksum is wrong"))
        }
    }

    fn damaged(&self, reason: &str) -> StorageError {
        StorageError::Damaged {
            path: self.path.to_owned(),
            reason: reason.to_owned(),
        }
    }

    fn bytes(&mut self, into: &mut [u8]) -> Result<(), StorageError> {
        self.from
            .read_exact(into)
            .map_err(|_| self.damaged("it ends too early"))?;
        self.digest.update(into);
        Ok(())
    }

    /// What is in the next frame.
    fn frame<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StorageError> {
        let Some(bytes) = self.frame_bytes()? else {
            return Ok(None);
        };
        decode(&bytes).map(Some).map_err(|source| StorageError::Codec {
            path: self.path.to_owned(),
            source,
        })
    }

    /// The next frame; `None` for the empty one at the end.
    fn frame_bytes(&mut self) -> Result<Option<Vec<u8>>, StorageError> {
        let mut length = [0; 4];
        self.bytes(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length == 0 {
            return Ok(None);
        }
        if length > FRAME_BYTES_MAX {
            return Err(self.damaged("a frame is too long"));
        }
        let mut bytes = vec![0; length];
        self.bytes(&mut bytes)?;
        Ok(Some(bytes))
    }
}
