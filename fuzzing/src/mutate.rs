//! Bytes made from other bytes, the same for the same random numbers.

use rand::Rng;

/// What breaks readers more often than chance would have it.
const TRICKY: [&[u8]; 16] = [
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x7f\xff\xff\xff",
    b"\xfd\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\xfc\xff\xff\xff\xff",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"%2e%2e%2f",
    b"%",
    b"../",
    b"\r\n",
    b"\"",
    b"[[[[",
    b"1e999",
    b"\xe2\x80\xa8",
];
/// Nothing grows beyond this.
const LONGEST: usize = 8 << 10;

/// Another one like these: one of them changed in a few places, or put together from two.
pub(crate) fn mutate(seeds: &[Vec<u8>], random: &mut impl Rng) -> Vec<u8> {
    if seeds.is_empty() || random.random_ratio(1, 50) {
        return (0..random.random_range(0..64)).map(|_| random.random()).collect();
    }
    let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
    for _ in 0..random.random_range(1..=4) {
        step(&mut bytes, seeds, random);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn step(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut impl Rng) {
    let at = random.random_range(0..=bytes.len());
    let end = random.random_range(at..=bytes.len());
    match random.random_range(0..8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
        1 if at < bytes.len() => bytes[at] = random.random(),
        2 => drop(bytes.drain(at..end)),
        3 => bytes.truncate(at),
        4 => {
            let part = bytes[at..end].to_vec();
            bytes.splice(at..at, part);
        }
        5 => {
            let tricky = TRICKY[random.random_range(0..TRICKY.len())];
            bytes.splice(at..at, tricky.iter().copied());
        }
        6 => {
            let tricky = TRICKY[random.random_range(0..TRICKY.len())];
            let end = (at + tricky.len()).min(bytes.len());
            bytes.splice(at..end, tricky.iter().copied());
        }
        _ => {
            let other = &seeds[random.random_range(0..seeds.len())];
            let from = random.random_range(0..=other.len());
            bytes.splice(at.., other[from..].iter().copied());
        }
    }
}
