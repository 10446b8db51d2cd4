//! The `keyring` file: lines of text, so that an operator can see which keys a node has, and a checksum.
//!
//! ```text
//! goblins-keyring-2
//! cluster 6ba7b810-9dad-11d1-80b4-00c04fd430c8
//! current 2
//! versions 1 2
//! retired -
//! root HEX
//! lock-generation 1
//! lock argon2id 65536 3 1 SALT WRAPPED         key 1 HEX
//! sealed HEX                             or    key 2 HEX
//! checksum HEX
//! ```
//!
//! `sealed` is nonce, AES-256-GCM of the keys (version, 4 bytes big endian, and 32 bytes each) under the lock key, and
//! tag; every line above it is its associated data. `checksum` is the SHA-256 of every line above it: against a failing
//! disk, not against people. There is one way to write each keyring, and no other is read.

use std::collections::BTreeSet;
use std::fmt::Write;

use model::{ClusterId, KeyVersion};
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use super::KeyringError;
use super::lock::{Cost, Lock};
use super::ring::{Body, Keys, Ring};
use crate::seal::aead::{self, KEY, Key, NONCE};

/// The first line without its version.
const FORMAT: &str = "goblins-keyring-";
/// The version that this build writes and reads.
const VERSION: u32 = 2;
/// The whole file before there were versions of keys: this and 64 hex digits.
const ONE_KEY: &str = "goblins-key-1:";
const KDF: &str = "argon2id";
const DOMAIN: &str = "goblins keyring document\n";
/// Bytes of a key in `sealed`, with its version.
const RECORD: usize = 4 + KEY;
/// What a file takes without its keys, generously; and what each takes.
const BASE: usize = 1024;
const EACH: usize = 128;

/// Why a file is not a keyring.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadDocument {
    /// A newer build wrote it.
    Newer { found: u32, known: u32 },
    /// It belongs to another cluster.
    OtherCluster(ClusterId),
    /// What is wrong with it; nothing of its contents.
    Damaged(&'static str),
}

/// The text of a keyring. `nonce` is used if it is under an open lock, and must never have been used before.
pub(super) fn print(ring: &Ring, nonce: [u8; NONCE]) -> Result<Zeroizing<String>, KeyringError> {
    let mut text = header(ring);
    match &ring.body {
        Body::Plain(keys) => keys.iter().for_each(|(version, key)| {
            put(&mut text, format_args!("key {version} "));
            put_key(&mut text, key);
            text.push('\n');
        }),
        Body::Unlocked { keys, lock_key, .. } => {
            let records = records(keys);
            let sealed = aead::seal(lock_key, nonce, &bound(&text), &records);
            // Keys are never too long.
            let sealed = sealed.ok_or(KeyringError::NoMemory)?;
            put(&mut text, format_args!("sealed {}\n", hex::encode(sealed)));
        }
        Body::Locked { sealed, .. } => put(&mut text, format_args!("sealed {}\n", hex::encode(sealed))),
    }
    let checksum = hex::encode(digest(&SHA256, text.as_bytes()));
    put(&mut text, format_args!("checksum {checksum}\n"));
    Ok(text)
}

/// The keyring in a file. One that is under a lock comes out locked.
pub(super) fn parse(bytes: &[u8], cluster: ClusterId) -> Result<Ring, BadDocument> {
    let damaged = |it| move || BadDocument::Damaged(it);
    let text = std::str::from_utf8(bytes).map_err(|_| BadDocument::Damaged("it is not text"))?;
    if let Some(digits) = text.strip_prefix(ONE_KEY) {
        let key = Key::from_hex(digits.trim_end()).ok_or_else(damaged("the key is not 64 hex digits"))?;
        return Ok(Ring::of_one_key(cluster, &key));
    }
    let first = text.lines().next().and_then(|it| it.strip_prefix(FORMAT));
    let version: u32 = first
        .and_then(|it| it.parse().ok())
        .ok_or_else(damaged("it does not begin as a keyring does"))?;
    if version > VERSION {
        return Err(BadDocument::Newer {
            found: version,
            known: VERSION,
        });
    }
    let above = text.strip_suffix('\n').and_then(|it| it.rfind('\n'));
    let (above, last) = text.split_at(above.map_or(0, |it| it + 1));
    let checksum = last
        .strip_prefix("checksum ")
        .ok_or_else(damaged("it ends too early"))?;
    if checksum.trim_end() != hex::encode(digest(&SHA256, above.as_bytes())) {
        return Err(BadDocument::Damaged("its checksum does not match"));
    }
    let ring = fields(above).ok_or_else(damaged("a line is not as it should be"))?;
    // Written in another way, it was not written by us.
    match print(&ring, [0; NONCE]) {
        Ok(again) if again.as_bytes() == bytes => {}
        _ => return Err(BadDocument::Damaged("its lines are not as this build writes them")),
    }
    if ring.cluster != cluster {
        return Err(BadDocument::OtherCluster(ring.cluster));
    }
    Ok(ring)
}

impl Ring {
    /// The same keyring, opened. Answers itself if it is not locked.
    pub(super) fn unlocked(&self, lock_key: Key) -> Result<Self, KeyringError> {
        let Body::Locked { versions, lock, sealed } = &self.body else {
            return Ok(self.clone());
        };
        let records = aead::open(&lock_key, &bound(&header(self)), sealed);
        let keys = records.and_then(|it| keys(&it)).ok_or(KeyringError::Tampered)?;
        if !keys.keys().eq(versions) {
            return Err(KeyringError::Tampered);
        }
        let lock = lock.clone();
        Ok(Self {
            body: Body::Unlocked { keys, lock, lock_key },
            ..self.clone()
        })
    }
}

/// Every line above the keys.
fn header(ring: &Ring) -> Zeroizing<String> {
    let versions = ring.versions();
    let sealed = match &ring.body {
        Body::Locked { sealed, .. } => sealed.len(),
        Body::Plain(_) | Body::Unlocked { .. } => 0,
    };
    let numbers = versions.len() + ring.retired.len();
    // Never outgrown, so that no copy is left behind.
    let mut text = Zeroizing::new(String::with_capacity(BASE + EACH * numbers + 2 * sealed));
    put(&mut text, format_args!("{FORMAT}{VERSION}\n"));
    put(&mut text, format_args!("cluster {}\n", ring.cluster));
    put(&mut text, format_args!("current {}\n", ring.current));
    put(&mut text, format_args!("versions {}\n", list(&versions)));
    put(&mut text, format_args!("retired {}\n", list(&ring.retired)));
    text.push_str("root ");
    put_key(&mut text, &ring.root);
    put(&mut text, format_args!("\nlock-generation {}\n", ring.lock_generation));
    if let Some(Lock { cost, salt, wrapped }) = ring.lock() {
        let Cost { memory, passes, lanes } = cost;
        let (salt, wrapped) = (hex::encode(salt), hex::encode(wrapped));
        put(
            &mut text,
            format_args!("lock {KDF} {memory} {passes} {lanes} {salt} {wrapped}\n"),
        );
    }
    text
}

/// `None` if a line is missing, too many, or not what it should be.
fn fields(above: &str) -> Option<Ring> {
    let mut lines = above.lines().skip(1).peekable();
    let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
    let cluster = ClusterId(field("cluster")?.parse().ok()?);
    let current = KeyVersion(field("current")?.parse().ok()?);
    let versions = set(field("versions")?)?;
    let retired = set(field("retired")?)?;
    let root = Key::from_hex(field("root")?)?;
    let lock_generation = field("lock-generation")?.parse().ok()?;
    let body = if lines.peek()?.starts_with("lock ") {
        let lock = lock(lines.next()?.strip_prefix("lock ")?)?;
        let sealed = hex::decode(lines.next()?.strip_prefix("sealed ")?).ok()?;
        let versions = versions.clone();
        Body::Locked { versions, lock, sealed }
    } else {
        let mut keys = Keys::new();
        for line in lines.by_ref() {
            let (version, digits) = line.strip_prefix("key ")?.split_once(' ')?;
            keys.insert(KeyVersion(version.parse().ok()?), Key::from_hex(digits)?);
        }
        Body::Plain(keys)
    };
    let ring = Ring {
        cluster,
        current,
        retired,
        root,
        lock_generation,
        body,
    };
    let is_sane = ring.versions() == versions
        && versions.contains(&current)
        && !versions.contains(&KeyVersion(0))
        && ring.retired.is_disjoint(&versions);
    (is_sane && lines.next().is_none()).then_some(ring)
}

fn lock(text: &str) -> Option<Lock> {
    let mut words = text.split(' ');
    let mut word = || words.next();
    if word()? != KDF {
        return None;
    }
    let mut number = || word()?.parse().ok();
    let cost = Cost {
        memory: number()?,
        passes: number()?,
        lanes: number()?,
    };
    let mut salt = [0; 16];
    hex::decode_to_slice(words.next()?, &mut salt).ok()?;
    let wrapped = hex::decode(words.next()?).ok()?;
    let lock = Lock { cost, salt, wrapped };
    (lock.is_sane() && words.next().is_none()).then_some(lock)
}

fn list(versions: &BTreeSet<KeyVersion>) -> String {
    if versions.is_empty() {
        return "-".to_owned();
    }
    let words: Vec<String> = versions.iter().map(KeyVersion::to_string).collect();
    words.join(" ")
}

fn set(text: &str) -> Option<BTreeSet<KeyVersion>> {
    if text == "-" {
        return Some(BTreeSet::new());
    }
    text.split(' ').map(|it| it.parse().ok().map(KeyVersion)).collect()
}

fn records(keys: &Keys) -> Zeroizing<Vec<u8>> {
    let mut records = Zeroizing::new(Vec::with_capacity(keys.len() * RECORD));
    for (version, key) in keys {
        records.extend_from_slice(&version.0.to_be_bytes());
        records.extend_from_slice(key.expose());
    }
    records
}

fn keys(records: &[u8]) -> Option<Keys> {
    let (records, []) = records.as_chunks::<RECORD>() else {
        return None;
    };
    let key = |record: &[u8; RECORD]| {
        let (version, key) = record.split_first_chunk::<4>()?;
        Some((KeyVersion(u32::from_be_bytes(*version)), Key::from_slice(key)?))
    };
    records.iter().map(key).collect()
}

fn bound(above: &str) -> Vec<u8> {
    [DOMAIN.as_bytes(), above.as_bytes()].concat()
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(what);
}

fn put_key(text: &mut String, key: &Key) {
    let mut digits = Zeroizing::new([0_u8; 2 * KEY]);
    if hex::encode_to_slice(key.expose(), &mut *digits).is_ok() {
        digits.iter().for_each(|digit| text.push(char::from(*digit)));
    }
}

#[cfg(test)]
mod tests;
