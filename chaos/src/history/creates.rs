//! No name twice, no acknowledged create lost, nothing there that nobody made.

use std::collections::BTreeMap;

use super::{Event, History, Op, Outcome, Violation};

/// Judges the creates of a history by what each node shows at the end.
pub fn check(history: &History) -> Vec<Violation> {
    let mut attempts: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in &history.events {
        if let Op::Create { name } = &event.op {
            attempts.entry(name).or_default().push(event);
        }
    }
    let mut found = Vec::new();
    let mut say = |what: String| {
        found.push(Violation {
            check: "unique creates",
            what,
        });
    };
    for (name, events) in &attempts {
        let made: Vec<_> = events
            .iter()
            .filter(|event| matches!(event.outcome, Outcome::Ok { .. }))
            .collect();
        if made.len() > 1 {
            let who: Vec<_> = made
                .iter()
                .map(|event| (event.client, event.host, event.ended))
                .collect();
            say(format!(
                "`{name}` was created {} times, by (client, node, us) {who:?}",
                made.len()
            ));
        }
    }
    for end in &history.ends {
        let mut there = BTreeMap::new();
        for (name, id) in &end.names {
            if there.insert(name.as_str(), id.as_str()).is_some() {
                say(format!("node {} has `{name}` twice", end.host));
            }
        }
        for (name, events) in &attempts {
            let acknowledged = events.iter().find(|event| matches!(event.outcome, Outcome::Ok { .. }));
            let possible = events
                .iter()
                .any(|event| !matches!(event.outcome, Outcome::Fail { .. }));
            match (acknowledged, there.get(name)) {
                (Some(event), None) => say(format!(
                    "`{name}`, acknowledged to client {} by node {} at {} us, is not on node {}",
                    event.client, event.host, event.ended, end.host
                )),
                (Some(event), Some(id)) if made(event).is_some_and(|told| told != *id) => say(format!(
                    "`{name}` was acknowledged to client {} by node {} at {} us as {}, and is {id} on node {}",
                    event.client,
                    event.host,
                    event.ended,
                    made(event).unwrap_or_default(),
                    end.host
                )),
                (None, Some(_)) if !possible => {
                    say(format!(
                        "node {} has `{name}`, and every attempt to create it was refused",
                        end.host
                    ));
                }
                _ => {}
            }
        }
        for name in there.keys().filter(|name| !attempts.contains_key(**name)) {
            say(format!("node {} has `{name}`, which nobody created", end.host));
        }
    }
    found
}

/// The id that a client was told.
fn made(event: &Event) -> Option<&str> {
    match &event.outcome {
        Outcome::Ok { id, .. } => id.as_deref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::End;

    fn event(name: &str, outcome: Outcome) -> Event {
        Event {
            client: 1,
            host: 1,
            op: Op::Create { name: name.to_owned() },
            invoked: 1,
            ended: 2,
            outcome,
        }
    }

    fn history(events: Vec<Event>, names: &[&str]) -> History {
        let end = End {
            host: 1,
            names: names
                .iter()
                .map(|name| ((*name).to_owned(), format!("id of {name}")))
                .collect(),
            counted: 0,
        };
        History {
            events,
            ends: vec![end],
            ..History::default()
        }
    }

    #[test]
    fn what_must_not_be_is_named() {
        let ok_as = |id: &str| Outcome::Ok {
            value: None,
            id: Some(id.to_owned()),
        };
        let ok = || ok_as("id of a");
        let fail = || Outcome::Fail { why: String::new() };
        let unknown = || Outcome::Unknown { why: String::new() };
        let good = vec![
            event("a", ok()),
            event("a", fail()),
            event("b", unknown()),
            event("c", unknown()),
        ];
        assert_eq!(check(&history(good, &["a", "c"])), []);
        for (events, names, word) in [
            (vec![event("a", ok()), event("a", ok())], vec!["a"], "2 times"),
            (vec![event("a", ok())], vec![], "is not on node"),
            (vec![event("a", fail())], vec!["a"], "refused"),
            (vec![event("a", ok())], vec!["a", "a"], "twice"),
            (vec![event("a", ok_as("another"))], vec!["a"], "as another"),
            (vec![], vec!["z"], "nobody"),
        ] {
            let found = check(&history(events, &names));
            assert!(found.len() == 1 && found[0].what.contains(word), "{found:?}");
        }
    }
}
