use super::*;

fn print(n: u8) -> Option<[u8; 32]> {
    Some([n; 32])
}

fn own(keys: &[(u32, u8)], current: u32) -> Holding {
    Holding {
        keys: keys
            .iter()
            .map(|(version, n)| (KeyVersion(*version), print(*n)))
            .collect(),
        current: KeyVersion(current),
        ..Holding::default()
    }
}

fn wanted(announced: u32, decided: u32, oldest: u32) -> Wanted {
    Wanted {
        announced: KeyVersion(announced),
        decided: KeyVersion(decided),
        oldest: KeyVersion(oldest),
        lock: None,
    }
}

/// A node that was off for any part of a rotation takes the missing steps, one at a time; each starts from what is on
/// the disk, so a crash between two of them changes nothing.
#[test]
fn a_node_takes_the_steps_it_has_missed() {
    let two = KeyVersion(2);
    for (own, wanted, opens, expected) in [
        (own(&[(1, 1)], 1), wanted(1, 1, 1), true, Step::Nothing),
        (own(&[(1, 1)], 1), wanted(2, 1, 1), true, Step::Fetch(Need::Key(two))),
        (own(&[(1, 1), (2, 2)], 1), wanted(2, 1, 1), true, Step::Nothing),
        (own(&[(1, 1)], 1), wanted(2, 2, 1), true, Step::Fetch(Need::Key(two))),
        (own(&[(1, 1), (2, 2)], 1), wanted(2, 2, 1), true, Step::Use(two)),
        (
            own(&[(1, 1), (2, 9)], 1),
            wanted(2, 2, 1),
            false,
            Step::Fetch(Need::RightKey(two)),
        ),
        (own(&[(1, 1), (2, 2)], 2), wanted(2, 2, 1), true, Step::Nothing),
        (
            own(&[(1, 1), (2, 2)], 2),
            wanted(2, 2, 2),
            true,
            Step::Retire(KeyVersion(1)),
        ),
        (own(&[(2, 2)], 2), wanted(2, 2, 2), true, Step::Nothing),
        // A key that a rotation has left here that never began is kept for the next.
        (own(&[(1, 1), (2, 2)], 1), wanted(1, 1, 1), true, Step::Nothing),
    ] {
        assert_eq!(step(&own, &wanted, || opens), expected, "{own:?} {wanted:?}");
    }
}

#[test]
fn a_locked_node_does_nothing() {
    let locked = Holding {
        locked: true,
        ..own(&[(1, 1)], 1)
    };
    assert_eq!(step(&locked, &wanted(3, 3, 3), || true), Step::Locked);
}

#[test]
fn the_right_key_comes_from_a_node_that_uses_it_and_loses_nothing() {
    let two = KeyVersion(2);
    let mine = own(&[(1, 1), (2, 9)], 1);
    let take = |theirs: &Holding| take(Need::RightKey(two), &mine, theirs, &wanted(2, 2, 1));
    assert_eq!(take(&own(&[(1, 1), (2, 2)], 2)), Some(Import::Replace));
    assert_eq!(take(&own(&[(1, 1), (2, 9)], 2)), None, "the same wrong one");
    assert_eq!(take(&own(&[(1, 1), (2, 2)], 1)), None, "it has not tried it");
    assert_eq!(take(&own(&[(2, 2)], 2)), None, "it lacks a key that is in use");
}

#[test]
fn the_passphrase_comes_from_a_node_that_has_the_recorded_one() {
    let recorded = Some(Uuid::from_u128(7));
    let wanted = Wanted {
        lock: recorded,
        ..wanted(1, 1, 1)
    };
    let with = |lock: Option<Uuid>, lock_generation| Holding {
        lock,
        lock_generation,
        ..own(&[(1, 1)], 1)
    };
    let mine = with(None, 0);
    assert_eq!(step(&mine, &wanted, || true), Step::Fetch(Need::Lock));
    let take = |own: &Holding, theirs: &Holding| take(Need::Lock, own, theirs, &wanted);
    assert_eq!(take(&mine, &with(recorded, 1)), Some(Import::Add));
    assert_eq!(take(&mine, &with(Some(Uuid::from_u128(8)), 5)), None, "another one");
    let at_the_same_time = with(Some(Uuid::from_u128(8)), 1);
    assert_eq!(take(&at_the_same_time, &with(recorded, 1)), Some(Import::Replace));
    let ahead = with(Some(Uuid::from_u128(9)), 2);
    assert_eq!(
        take(&ahead, &with(recorded, 1)),
        None,
        "what is newer here is about to be recorded"
    );
    let locked = Holding {
        locked: true,
        ..with(recorded, 1)
    };
    assert_eq!(take(&mine, &locked), None);
}
