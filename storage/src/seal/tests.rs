use proptest::prelude::*;

use super::*;
use aead::{KEY, TAG, WRAPPED};

const ITEM: Uuid = Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
const VERSION: KeyVersion = KeyVersion(1);

/// Bytes that count up from `from`.
fn counting(from: u8) -> Key {
    Key::fill(|key| (from..).zip(key).for_each(|(value, byte)| *byte = value))
}

fn fixed() -> Draw {
    Draw {
        data_key: counting(100),
        wrap_nonce: [1; NONCE],
        value_nonce: [2; NONCE],
    }
}

/// Made by another implementation (pyca/cryptography) from the description at the top of `seal.rs`.
#[test]
fn the_format_is_the_one_that_is_described() {
    let context = secret_context(ITEM, "DB_PASSWORD", 3);
    assert_eq!(
        hex::encode(&context),
        "000000000000000b736563726574206974656d000000000000001000112233445566778899aabbccddeeff\
         000000000000000b44425f50415353574f5244000000000000000400000003"
    );
    let sealed = seal(VERSION, &counting(0), &context, b"hunter2", &fixed()).expect("this can be sealed");
    assert_eq!(sealed.key, VERSION);
    assert_eq!(
        hex::encode(&sealed.wrapped),
        "01010101010101010101010113a6835200ec020db8390977681620abbf1bf9ace9fa6ca78fa679931d887cb2\
         739ce6b38a4027aa281891993eda5593"
    );
    assert_eq!(
        hex::encode(&sealed.value),
        "0202020202020202020202025af23c42e124938adb2dad7b73e4efcf6a6cb5e5914073"
    );
    let empty = seal(VERSION, &counting(0), &context, b"", &fixed()).expect("this can be sealed");
    assert_eq!(
        hex::encode(&empty.value),
        "02020202020202020202020269082b38b994eae56e6250a9f1ef0b85"
    );
    assert_eq!((sealed.wrapped.len(), empty.value.len()), (WRAPPED, NONCE + TAG));
    let opened = open(&counting(0), &context, &sealed).expect("it opens");
    assert_eq!(opened.as_slice(), b"hunter2");
}

/// Test cases 13, 14 and 16 of the GCM specification that NIST was given (McGrew and Viega, "The Galois/Counter Mode of
/// Operation"): 256-bit keys, without and with a text, and with associated data.
#[test]
fn the_cipher_is_aes_256_gcm() {
    let cases = [
        (
            "0000000000000000000000000000000000000000000000000000000000000000",
            "000000000000000000000000",
            "",
            "",
            "530f8afbc74536b9a963b4f1c4cb738b",
        ),
        (
            "0000000000000000000000000000000000000000000000000000000000000000",
            "000000000000000000000000",
            "",
            "00000000000000000000000000000000",
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
        ),
        (
            "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            "cafebabefacedbaddecaf888",
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
             1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
             8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
        ),
    ];
    for (key, nonce, bound, plain, expected) in cases {
        let bytes = |digits: &str| hex::decode(digits).expect("hex digits");
        let key = Key::from_hex(key).expect("a key");
        let nonce: [u8; NONCE] = bytes(nonce).try_into().expect("a nonce");
        let sealed = aead::seal(&key, nonce, &bytes(bound), &bytes(plain)).expect("this can be sealed");
        assert_eq!(sealed[..NONCE], nonce, "the nonce comes first");
        assert_eq!(hex::encode(&sealed[NONCE..]), expected);
        let opened = aead::open(&key, &bytes(bound), &sealed).expect("it opens");
        assert_eq!(opened.as_slice(), bytes(plain));
    }
}

/// Made by another implementation (pyca/cryptography): what another version may have left must open for ever.
#[test]
fn a_value_sealed_before_opens_under_the_key_that_it_was_moved_to() {
    let context = secret_context(ITEM, "DB_PASSWORD", 3);
    let sealed = seal(VERSION, &counting(0), &context, b"hunter2", &fixed()).expect("this can be sealed");
    let moved = rewrap(
        &counting(0),
        (KeyVersion(2), &counting(50)),
        &context,
        &sealed,
        [3; NONCE],
    )
    .expect("it can be moved");
    assert_eq!((moved.key, &moved.value), (KeyVersion(2), &sealed.value));
    assert_eq!(
        hex::encode(&moved.wrapped),
        "0303030303030303030303038e11d3fc6e4816aa4fda853a6e0db2d979bdedd9d6efa1a8bba4537d4745f4d6\
         b98cd68123d99cd32257ee387bf43dad"
    );
    let opened = open(&counting(50), &context, &moved).expect("it opens");
    assert_eq!(opened.as_slice(), b"hunter2");
}

#[test]
fn nothing_drawn_is_ever_drawn_again() {
    let draws: Vec<Draw> = (0..3).map(|_| Draw::fresh().expect("random numbers")).collect();
    for (at, one) in draws.iter().enumerate() {
        assert_ne!(one.wrap_nonce, one.value_nonce);
        for other in &draws[at + 1..] {
            assert_ne!(one.data_key, other.data_key);
            assert_ne!(one.wrap_nonce, other.wrap_nonce);
            assert_ne!(one.value_nonce, other.value_nonce);
        }
    }
}

#[test]
fn contexts_that_read_alike_are_not_alike() {
    assert_ne!(secret_context(ITEM, "AB", 1), secret_context(ITEM, "A", 1));
    assert_ne!(seal_context("k", &[b"ab", b"c"]), seal_context("k", &[b"a", b"bc"]));
    assert_ne!(seal_context("k", &[b"a"]), seal_context("k", &[b"a", b""]));
    assert_ne!(seal_context("ka", &[]), seal_context("k", &[b"a"]));
}

#[test]
fn a_key_is_shown_to_nobody() {
    let key = Key::new(&[0xab; KEY]);
    assert_eq!(format!("{key:?} {:#?}", key), "Key(redacted) Key(redacted)");
}

fn bytes(up_to: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..=up_to)
}

proptest! {
    #[test]
    fn what_was_sealed_opens_where_it_belongs_and_nowhere_else(
        (plain, context, elsewhere) in (bytes(600), bytes(60), bytes(60)),
        (key, other) in (any::<[u8; KEY]>(), any::<[u8; KEY]>()),
    ) {
        let (key, other) = (Key::new(&key), Key::new(&other));
        let sealed = seal(VERSION, &key, &context, &plain, &Draw::fresh()?)?;
        let opened = open(&key, &context, &sealed)?;
        prop_assert_eq!(opened.as_slice(), &plain[..]);
        prop_assert_eq!(sealed.value.len(), NONCE + plain.len() + TAG);
        prop_assume!(context != elsewhere && key != other);
        prop_assert_eq!(open(&key, &elsewhere, &sealed), Err(SealError::DoesNotOpen));
        prop_assert_eq!(open(&other, &context, &sealed), Err(SealError::DoesNotOpen));
    }

    #[test]
    fn one_flipped_bit_anywhere_is_noticed(plain in bytes(80), at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let (key, context) = (counting(0), secret_context(ITEM, "KEY", 1));
        let sealed = seal(VERSION, &key, &context, &plain, &Draw::fresh()?)?;
        let mut changed = sealed.clone();
        let at = at.index(sealed.wrapped.len() + sealed.value.len());
        let byte = match at.checked_sub(sealed.wrapped.len()) {
            Some(at) => &mut changed.value[at],
            None => &mut changed.wrapped[at],
        };
        *byte ^= 1 << bit;
        prop_assert_eq!(open(&key, &context, &changed), Err(SealError::DoesNotOpen));
    }

    #[test]
    fn cut_or_lengthened_it_does_not_open(plain in bytes(80), cut in any::<prop::sample::Index>(), more in bytes(40)) {
        prop_assume!(!more.is_empty());
        let (key, context) = (counting(0), secret_context(ITEM, "KEY", 1));
        let sealed = seal(VERSION, &key, &context, &plain, &Draw::fresh()?)?;
        let mut shapes = vec![sealed.clone(); 4];
        shapes[0].value.truncate(cut.index(sealed.value.len()));
        shapes[1].wrapped.truncate(cut.index(sealed.wrapped.len()));
        shapes[2].value.extend_from_slice(&more);
        shapes[3].wrapped.extend_from_slice(&more);
        for shape in shapes {
            prop_assert_eq!(open(&key, &context, &shape), Err(SealError::DoesNotOpen));
        }
    }

    #[test]
    fn the_halves_of_two_values_do_not_fit(plain in bytes(80)) {
        let (key, context) = (counting(0), secret_context(ITEM, "KEY", 1));
        let one = seal(VERSION, &key, &context, &plain, &Draw::fresh()?)?;
        let two = seal(VERSION, &key, &context, &plain, &Draw::fresh()?)?;
        prop_assert_ne!(&one.value, &two.value);
        let mixed = Sealed { value: two.value, ..one.clone() };
        prop_assert_eq!(open(&key, &context, &mixed), Err(SealError::DoesNotOpen));
        let swapped = Sealed { wrapped: one.value.clone(), value: one.wrapped, ..one };
        prop_assert_eq!(open(&key, &context, &swapped), Err(SealError::DoesNotOpen));
    }

    #[test]
    fn arbitrary_bytes_do_not_open_and_nothing_panics(wrapped in bytes(200), value in bytes(200), context in bytes(40)) {
        let sealed = Sealed { key: VERSION, wrapped, value };
        prop_assert_eq!(open(&counting(0), &context, &sealed), Err(SealError::DoesNotOpen));
    }

    #[test]
    fn a_rewrapped_value_opens_with_the_new_key_only(plain in bytes(200), context in bytes(40)) {
        let (old, new) = (counting(0), counting(7));
        let sealed = seal(VERSION, &old, &context, &plain, &Draw::fresh()?)?;
        let moved = rewrap(&old, (KeyVersion(2), &new), &context, &sealed, [9; NONCE])?;
        prop_assert_eq!(&moved.value, &sealed.value);
        prop_assert_eq!((moved.key, moved.wrapped.len()), (KeyVersion(2), WRAPPED));
        let opened = open(&new, &context, &moved)?;
        prop_assert_eq!(opened.as_slice(), &plain[..]);
        prop_assert_eq!(open(&old, &context, &moved), Err(SealError::DoesNotOpen));
        prop_assert_eq!(
            rewrap(&new, (VERSION, &old), &context, &sealed, [9; NONCE]),
            Err(SealError::DoesNotOpen)
        );
    }
}
