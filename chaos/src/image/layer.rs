//! The one layer of a test image: a file system that holds the program and empty folders to mount on.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

const FOLDERS: [(&str, u32); 8] = [
    ("dev/", 0o755),
    ("etc/", 0o755),
    ("proc/", 0o755),
    ("root/", 0o700),
    ("run/", 0o755),
    ("sys/", 0o755),
    ("tmp/", 0o1777),
    ("var/", 0o755),
];
const FILES: [(&str, &str); 2] = [
    ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    ("etc/passwd", "root:x:0:0::/root:/\nnobody:x:65534:65534::/:/\n"),
];

/// The layer, uncompressed. No time, owner or order depends on this machine.
pub(super) fn tar(program: &[u8]) -> io::Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    for (name, mode) in FOLDERS {
        append(&mut builder, name, EntryType::Directory, mode, &[])?;
    }
    for (name, text) in FILES {
        append(&mut builder, name, EntryType::Regular, 0o644, text.as_bytes())?;
    }
    append(&mut builder, "testserver", EntryType::Regular, 0o755, program)?;
    // Executable, and yet no program for any machine.
    append(
        &mut builder,
        "no-program",
        EntryType::Regular,
        0o755,
        b"\x01\x02\x03\x04",
    )?;
    builder.into_inner()
}

/// Adds one entry that belongs to root and dates from 1970.
pub(super) fn append(
    builder: &mut Builder<Vec<u8>>,
    name: &str,
    kind: EntryType,
    mode: u32,
    bytes: &[u8],
) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(bytes.len() as u64);
    builder.append_data(&mut header, name, bytes)
}

/// Compressed with no name and no time in the header.
pub(super) fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(6));
    encoder.write_all(bytes)?;
    encoder.finish()
}
