//! The lock: a random key that the keyring lies under, itself under what argon2id makes of a passphrase.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use model::ClusterId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::KeyringError;
use crate::seal::aead::{self, KEY, Key, WRAPPED};

const DOMAIN: &[u8] = b"goblins keyring lock 1";
/// Bytes of a salt, as RFC 9106 recommends.
const SALT: usize = 16;
/// Shorter ones can be guessed by whoever steals a disk.
const SHORTEST: usize = 12;
/// Longer ones are a mistake.
const LONGEST: usize = 1024;

/// What a guess costs. Recorded with each lock, so that it can be raised later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cost {
    /// KiB of memory.
    pub memory: u32,
    /// Times that the memory is gone through.
    pub passes: u32,
    /// Parts of it that could be filled at the same time.
    pub lanes: u32,
}

impl Cost {
    /// The second recommendation of RFC 9106 (64 MiB, 3 passes), well above OWASP's minimum of 19 MiB and 2 passes. One
    /// lane instead of four: ours are filled one after the other, so more of them would help only an attacker.
    pub(super) const USUAL: Self = Self {
        memory: 64 * 1024,
        passes: 3,
        lanes: 1,
    };

    /// A file must not be able to ask for all of a host's memory or for an hour.
    pub(super) fn is_sane(self) -> bool {
        (1..=16).contains(&self.lanes)
            && (8 * self.lanes..=1024 * 1024).contains(&self.memory)
            && (1..=64).contains(&self.passes)
    }
}

/// The lock key under a passphrase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lock {
    pub(super) cost: Cost,
    pub(super) salt: [u8; SALT],
    /// Nonce, encrypted lock key, tag.
    pub(super) wrapped: Vec<u8>,
}

impl Lock {
    /// Puts a new lock key under a passphrase. Takes a moment and the memory that `cost` says.
    pub(super) fn make(passphrase: &str, cost: Cost, cluster: ClusterId) -> Result<(Self, Key), KeyringError> {
        if !(SHORTEST..=LONGEST).contains(&passphrase.len()) {
            return Err(KeyringError::PassphraseLength {
                min: SHORTEST,
                max: LONGEST,
            });
        }
        let lock_key = Key::random().ok_or(KeyringError::NoRandomness)?;
        let salt = aead::random().ok_or(KeyringError::NoRandomness)?;
        let nonce = aead::random().ok_or(KeyringError::NoRandomness)?;
        let stretched = stretch(passphrase, cost, &salt)?;
        let wrapped = aead::seal(&stretched, nonce, &bound(cost, &salt, cluster), lock_key.expose());
        // A key is never too long.
        let wrapped = wrapped.ok_or(KeyringError::NoMemory)?;
        Ok((Self { cost, salt, wrapped }, lock_key))
    }

    /// The lock key; `None` under a wrong passphrase, which is found out in the same time whatever is wrong with it.
    pub(super) fn open(&self, passphrase: &str, cluster: ClusterId) -> Result<Option<Key>, KeyringError> {
        // No lock was ever made with such a one, and gigabytes need not be hashed to say so.
        if passphrase.len() > LONGEST {
            return Ok(None);
        }
        let stretched = stretch(passphrase, self.cost, &self.salt)?;
        let opened = aead::open(&stretched, &bound(self.cost, &self.salt, cluster), &self.wrapped);
        Ok(opened.and_then(|it| Key::from_slice(&it)))
    }

    /// Tells it from every other lock.
    pub(super) fn id(&self) -> Uuid {
        Uuid::from_bytes(self.salt)
    }

    /// Whether it can have been made by [`Lock::make`], as far as that shows.
    pub(super) fn is_sane(&self) -> bool {
        self.cost.is_sane() && self.wrapped.len() == WRAPPED
    }
}

/// argon2id, version 19. Both its memory and its result are wiped.
fn stretch(passphrase: &str, cost: Cost, salt: &[u8]) -> Result<Key, KeyringError> {
    let params = Params::new(cost.memory, cost.passes, cost.lanes, Some(KEY)).map_err(|_| KeyringError::NoMemory)?;
    let mut memory = Zeroizing::new(Vec::new());
    let blocks = params.block_count();
    memory.try_reserve_exact(blocks).map_err(|_| KeyringError::NoMemory)?;
    memory.resize(blocks, Block::new());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut done = Ok(());
    let key = Key::fill(|key| {
        done = argon2.hash_password_into_with_memory(passphrase.as_bytes(), salt, key, &mut memory[..]);
    });
    done.map(|()| key).map_err(|_| KeyringError::NoMemory)
}

fn bound(cost: Cost, salt: &[u8], cluster: ClusterId) -> Vec<u8> {
    let numbers = [cost.memory, cost.passes, cost.lanes].map(u32::to_be_bytes).concat();
    [DOMAIN, cluster.0.as_bytes(), &numbers, salt].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the test suite of the reference implementation (github.com/P-H-C/phc-winner-argon2, `src/test.c`), and the cost
    /// that locks are made with, as argon2-cffi reckons it.
    #[test]
    fn a_passphrase_is_stretched_as_others_do_it() {
        let cheap = Cost {
            memory: 1 << 16,
            passes: 2,
            lanes: 1,
        };
        for (passphrase, cost, salt, expected) in [
            (
                "password",
                cheap,
                b"somesalt".as_slice(),
                "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7",
            ),
            (
                "correct horse battery staple",
                Cost::USUAL,
                &[7; SALT],
                "6ad10af97f1744119bd7135c85121dc589794f9c5d646200b8ad4d6becf15084",
            ),
        ] {
            let key = stretch(passphrase, cost, salt).expect("there is memory");
            assert_eq!(hex::encode(key.expose()), expected);
        }
    }

    #[test]
    fn the_usual_cost_is_the_one_that_is_documented() {
        let usual = (Cost::USUAL.memory, Cost::USUAL.passes, Cost::USUAL.lanes);
        assert_eq!(usual, (65_536, 3, 1));
        assert!(Cost::USUAL.is_sane());
        for (memory, passes, lanes) in [
            (7, 1, 1),
            (1 << 21, 3, 1),
            (1 << 16, 0, 1),
            (1 << 16, 65, 1),
            (1 << 16, 3, 17),
        ] {
            assert!(!Cost { memory, passes, lanes }.is_sane(), "{memory} {passes} {lanes}");
        }
    }
}
