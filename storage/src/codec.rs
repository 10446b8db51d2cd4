//! How values are stored and sent: bincode behind a version byte.
//!
//! bincode is positional, so a type that has been stored can never gain a field: a change of shape gets a new version
//! byte and a migration here.

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use zeroize::Zeroizing;

/// The version this build writes, and the only one it reads.
const VERSION: u8 = 1;
/// Bytes that most values fit in.
const USUAL: usize = 256;

/// A value could not be written or read.
#[derive(Debug, Error)]
pub enum CodecError {
    /// The value does not fit the format.
    #[error("cannot encode a value")]
    Encode(#[source] bincode::error::EncodeError),
    /// The bytes are damaged, or of another type.
    #[error("cannot decode a value: it is damaged")]
    Decode(#[source] bincode::error::DecodeError),
    /// The bytes name a variant that this version does not have.
    #[error(
        "cannot decode a value: it holds a kind of thing that this version does not know; run the newer version of Goblins \
         that wrote it"
    )]
    Newer(#[source] bincode::error::DecodeError),
    /// The bytes were written by a newer or unknown version.
    #[error(
        "cannot decode a value of format {found}: this build reads format {VERSION}; run the version that wrote it"
    )]
    Version {
        /// The version byte; `None` if there was nothing at all.
        found: u8,
    },
    /// There is nothing to decode.
    #[error("cannot decode an empty value: it is damaged")]
    Empty,
    /// The value ends before the bytes do.
    #[error("cannot decode a value: {0} bytes are left over")]
    Trailing(usize),
}

/// A value as bytes, the version first.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::with_capacity(USUAL);
    append(value, &mut bytes)?;
    Ok(bytes)
}

/// The same behind what `bytes` hold already: a buffer that is used again need not grow again.
pub(crate) fn append<T: Serialize>(value: &T, bytes: &mut Vec<u8>) -> Result<(), CodecError> {
    bytes.push(VERSION);
    bincode::serde::encode_into_std_write(value, bytes, bincode::config::standard()).map_err(CodecError::Encode)?;
    Ok(())
}

/// Like [`encode`], for what must not stay in memory. `capacity` is at least what it takes, so that the buffer is never
/// moved and left behind.
pub(crate) fn encode_wiped<T: Serialize>(value: &T, capacity: usize) -> Result<Zeroizing<Vec<u8>>, CodecError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    append(value, &mut bytes)?;
    Ok(bytes)
}

/// The value of such bytes. All of them must be used up.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (&found, body) = bytes.split_first().ok_or(CodecError::Empty)?;
    if found != VERSION {
        return Err(CodecError::Version { found });
    }
    let (value, used) = read(body).map_err(not_decoded)?;
    if used == body.len() {
        Ok(value)
    } else {
        Err(CodecError::Trailing(body.len() - used))
    }
}

/// Enums gain variants at their end, so one beyond it is of a later version.
fn not_decoded(error: bincode::error::DecodeError) -> CodecError {
    if error.to_string().contains("expected variant index") {
        CodecError::Newer(error)
    } else {
        CodecError::Decode(error)
    }
}

/// Reads within bounds that the bytes themselves set: a text that claims to be longer than all of them is refused before
/// memory is taken for it, which could take all there is. No value counts for more than 16 times the bytes that it takes.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<(T, usize), bincode::error::DecodeError> {
    const SMALL: usize = 1 << 16;
    const MIDDLE: usize = 1 << 22;
    let plain = bincode::config::standard();
    if body.len() <= SMALL {
        bincode::serde::decode_from_slice(body, plain.with_limit::<{ 16 * SMALL }>())
    } else if body.len() <= MIDDLE {
        bincode::serde::decode_from_slice(body, plain.with_limit::<{ 16 * MIDDLE }>())
    } else {
        bincode::serde::decode_from_slice(body, plain.with_limit::<{ 1 << 32 }>())
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod sample;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_and_strangers_are_refused() {
        let value = (7_u64, "x".to_owned(), Some([1_u8; 4]));
        let Ok(mut bytes) = encode(&value) else {
            panic!("this encodes")
        };
        assert_eq!(decode::<(u64, String, Option<[u8; 4]>)>(&bytes).ok(), Some(value));
        assert!(matches!(decode::<u64>(&bytes), Err(CodecError::Trailing(_))));
        bytes[0] = 9;
        assert!(matches!(decode::<u64>(&bytes), Err(CodecError::Version { found: 9 })));
    }

    #[test]
    fn what_a_newer_version_has_added_is_called_that() {
        #[derive(Debug, Serialize, serde::Deserialize)]
        enum Known {
            One(u8),
        }
        #[derive(Debug, Serialize, serde::Deserialize)]
        enum Later {
            One(u8),
            Two(u8),
        }
        let (old, new) = (Later::One(1), Later::Two(2));
        let decoded = |it: &Later| decode::<Known>(&encode(it).expect("this encodes"));
        assert!(decoded(&old).is_ok());
        let unknown = decoded(&new);
        assert!(matches!(unknown, Err(CodecError::Newer(_))), "{unknown:?}");
    }

    #[test]
    fn nothing_is_no_value() {
        assert!(matches!(decode::<u64>(&[]), Err(CodecError::Empty)));
        assert!(matches!(decode::<u64>(&[VERSION]), Err(CodecError::Decode(_))));
    }

    /// Memory was once taken for as much as the length said.
    #[test]
    fn a_length_that_cannot_be_true_takes_no_memory() {
        let huge = [[VERSION, 0xfd].as_slice(), &(u64::MAX / 2).to_le_bytes(), b"abc"].concat();
        assert!(matches!(decode::<String>(&huge), Err(CodecError::Decode(_))));
        assert!(matches!(decode::<Vec<u8>>(&huge), Err(CodecError::Decode(_))));
        assert!(matches!(decode::<Vec<String>>(&huge), Err(CodecError::Decode(_))));
    }

    #[test]
    fn what_fits_is_read_whatever_its_size() {
        for length in [0, 1, 0xffff, 0x1_0000, 0x1_0001, 0x40_0001] {
            let value = ("x".repeat(length), vec![u128::MAX; length / 16], vec![0_u64; length]);
            let bytes = encode(&value).expect("this encodes");
            assert!(
                decode(&bytes).is_ok_and(|it: (String, Vec<u128>, Vec<u64>)| it == value),
                "{length}"
            );
        }
    }
}
