//! A count is at least what was acknowledged before it was asked for, at most what had been sent when it was answered,
//! and never goes back.

use super::{Event, History, Micros, Op, Outcome, Violation};

/// Judges the counts of a history, and those of each node at the end.
pub fn check(history: &History) -> Vec<Violation> {
    let adds = || history.events.iter().filter(|event| event.op == Op::Increment);
    let mut acknowledged: Vec<Micros> = adds()
        .filter(|event| matches!(event.outcome, Outcome::Ok { .. }))
        .map(|event| event.ended)
        .collect();
    let mut sent: Vec<Micros> = adds()
        .filter(|event| !matches!(event.outcome, Outcome::Fail { .. }))
        .map(|event| event.invoked)
        .collect();
    acknowledged.sort_unstable();
    sent.sort_unstable();
    let until = |times: &[Micros], at: Micros| times.partition_point(|time| *time < at) as u64;

    let mut found = Vec::new();
    let mut judge = |who: String, seen: u64, invoked: Micros, ended: Micros| {
        let least = history.counted_before + until(&acknowledged, invoked);
        let most = history.counted_before + until(&sent, ended);
        if !(least..=most).contains(&seen) {
            found.push(Violation {
                check: "counter",
                what: format!("{who} counted {seen}, which is not within {least} to {most}"),
            });
        }
    };
    let mut counts: Vec<(&Event, u64)> = history.events.iter().filter_map(count).collect();
    for (event, seen) in &counts {
        let who = format!("client {} at node {} ({} us)", event.client, event.host, event.invoked);
        judge(who, *seen, event.invoked, event.ended);
    }
    for end in &history.ends {
        judge(
            format!("node {} at the end", end.host),
            end.counted,
            Micros::MAX,
            Micros::MAX,
        );
    }

    // The highest count answered before each one was sent.
    let mut by_end: Vec<(Micros, u64)> = counts.iter().map(|(event, seen)| (event.ended, *seen)).collect();
    by_end.sort_unstable();
    counts.sort_by_key(|(event, _)| event.invoked);
    let (mut next, mut highest) = (0, 0);
    for (event, seen) in counts {
        while next < by_end.len() && by_end[next].0 < event.invoked {
            highest = highest.max(by_end[next].1);
            next += 1;
        }
        if seen < highest {
            found.push(Violation {
                check: "counter",
                what: format!(
                    "client {} at node {} counted {seen} at {} us, after {highest} had been seen",
                    event.client, event.host, event.invoked
                ),
            });
        }
    }
    found
}

fn count(event: &Event) -> Option<(&Event, u64)> {
    match (&event.op, &event.outcome) {
        (Op::Count, Outcome::Ok { value: Some(value), .. }) => Some((event, *value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(op: Op, invoked: Micros, ended: Micros, value: Option<u64>) -> Event {
        Event {
            client: 1,
            host: 1,
            op,
            invoked,
            ended,
            outcome: Outcome::Ok { value, id: None },
        }
    }

    fn found(counts: &[(Micros, Micros, u64)]) -> usize {
        let mut events = vec![event(Op::Increment, 0, 10, None), event(Op::Increment, 20, 30, None)];
        events.extend(
            counts
                .iter()
                .map(|(from, to, seen)| event(Op::Count, *from, *to, Some(*seen))),
        );
        let history = History {
            events,
            counted_before: 5,
            ..History::default()
        };
        check(&history).len()
    }

    #[test]
    fn a_count_lies_between_what_was_acknowledged_and_what_was_sent() {
        assert_eq!(found(&[(1, 9, 5), (11, 19, 6), (21, 29, 6), (31, 40, 7)]), 0);
        assert_eq!(found(&[(31, 40, 6)]), 1, "an acknowledged one is missing");
        assert_eq!(found(&[(11, 19, 7)]), 1, "one that was not sent yet");
        assert_eq!(found(&[(21, 22, 7), (23, 29, 6)]), 1, "it went back");
    }
}
