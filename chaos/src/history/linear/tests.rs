use proptest::prelude::*;

use super::*;

fn step(invoked: Micros, ended: Micros, action: Action) -> Step {
    Step {
        invoked,
        ended: Some(ended),
        action,
    }
}

fn unknown(invoked: Micros, action: Action) -> Step {
    Step {
        invoked,
        ended: None,
        action,
    }
}

use Action::{Read, Write};

#[test]
fn reads_see_what_was_written_before_them() {
    let good = [
        step(0, 1, Write(1)),
        step(2, 3, Read(1)),
        step(4, 5, Write(2)),
        step(6, 7, Read(2)),
    ];
    assert_eq!(judge(&good, 0), Verdict::Linearizable);
    assert_eq!(judge(&[step(0, 1, Read(0))], 0), Verdict::Linearizable);
    assert_eq!(judge(&[], 0), Verdict::Linearizable);
}

#[test]
fn a_stale_read_is_caught() {
    let stale = [step(0, 1, Write(1)), step(2, 3, Write(2)), step(4, 5, Read(1))];
    let Verdict::Not { stuck, possible } = judge(&stale, 0) else {
        panic!("passed");
    };
    assert_eq!((stuck, possible), (2, vec![2]));
    // Two reads at the same time as a write may differ, but not go back.
    let overlapping = [step(0, 10, Write(1)), step(1, 2, Read(1)), step(3, 4, Read(0))];
    assert!(matches!(judge(&overlapping, 0), Verdict::Not { .. }));
    let forward = [step(0, 10, Write(1)), step(1, 2, Read(0)), step(3, 4, Read(1))];
    assert_eq!(judge(&forward, 0), Verdict::Linearizable);
}

#[test]
fn a_lost_write_is_caught() {
    let lost = [step(0, 1, Write(1)), step(2, 3, Read(0))];
    assert!(matches!(judge(&lost, 0), Verdict::Not { .. }));
}

#[test]
fn an_unknown_write_may_happen_late_or_never_but_only_once() {
    let late = [unknown(0, Write(1)), step(2, 3, Read(0)), step(4, 5, Read(1))];
    assert_eq!(judge(&late, 0), Verdict::Linearizable);
    assert_eq!(
        judge(&[unknown(0, Write(1)), step(2, 3, Read(0))], 0),
        Verdict::Linearizable
    );
    let twice = [
        unknown(0, Write(1)),
        step(1, 2, Read(1)),
        step(3, 4, Write(2)),
        step(5, 6, Read(1)),
    ];
    assert!(matches!(judge(&twice, 0), Verdict::Not { .. }));
    let before_it_was_sent = [step(0, 1, Read(1)), unknown(2, Write(1))];
    assert!(matches!(judge(&before_it_was_sent, 0), Verdict::Not { .. }));
}

/// Tries every order: slow, and plainly right.
fn brute_force(left: &[Step], value: u64) -> bool {
    if left.iter().all(|step| step.ended.is_none()) {
        return true;
    }
    let limit = left.iter().filter_map(|step| step.ended).min().unwrap_or(Micros::MAX);
    (0..left.len()).any(|index| {
        let step = left[index];
        let mut rest = left.to_vec();
        rest.remove(index);
        step.invoked <= limit
            && match step.action {
                Read(seen) => seen == value && brute_force(&rest, value),
                Write(new) => brute_force(&rest, new),
            }
    })
}

/// Up to 7 steps: writes of distinct values, some unacknowledged, and reads of any value.
fn some_steps() -> impl Strategy<Value = Vec<Step>> {
    let one = (
        0..20_u64,
        0..8_u64,
        prop::bool::ANY,
        0..5_u64,
        prop::bool::weighted(0.2),
    );
    prop::collection::vec(one, 0..7).prop_map(|raw| {
        let build = |(index, (invoked, length, writes, value, lost)): (usize, (u64, u64, bool, u64, bool))| Step {
            invoked,
            ended: (!(lost && writes)).then_some(invoked + length),
            action: if writes { Write(index as u64 + 1) } else { Read(value) },
        };
        raw.into_iter().enumerate().map(build).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn it_agrees_with_trying_every_order(steps in some_steps()) {
        let verdict = judge(&steps, 0);
        prop_assert_eq!(verdict == Verdict::Linearizable, brute_force(&steps, 0), "{:?}", verdict);
    }
}

#[test]
fn a_long_history_of_many_clients_is_judged_quickly_and_one_stale_read_in_it_is_found() {
    let mut steps = Vec::new();
    let mut value = 0;
    for round in 0..5000_u64 {
        let at = round * 10;
        // One write and four reads at the same time; two see the old value, two the new one.
        steps.push(step(at, at + 8, Write(round + 1)));
        for (n, seen) in [value, value, round + 1, round + 1].into_iter().enumerate() {
            let n = n as u64;
            steps.push(step(at + n, at + n + 4, Read(seen)));
        }
        if round % 100 == 50 {
            steps.push(unknown(at, Write(1_000_000 + round)));
        }
        value = round + 1;
    }
    assert_eq!(judge(&steps, 0), Verdict::Linearizable);
    steps.push(step(40_009, 40_009, Read(2000)));
    assert!(matches!(judge(&steps, 0), Verdict::Not { .. }));
}
