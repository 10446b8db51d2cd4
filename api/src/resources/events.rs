//! `/api/events/`: the audit trail and the cluster's events. An account sees what happened to its own things, an admin
//! everything.

use model::{Event, EventId, Key, Kind, Members, ProjectId, Revision, State, Verb};

use super::{ANY_TEXT, TEXT};
use crate::fields::{Field, Shape};
use crate::output::Out;
use crate::resource::{Realm, Resource};

/// What happened.
pub struct Events;

impl Resource for Events {
    type Model = Event;
    type View = Event;

    const FIELDS: &'static [Field<Event>] = &[
        Field::read_only(
            "id",
            Shape::Integer { min: 1, max: i64::MAX },
            "Its place in the sequence, without gaps.",
            |v| v.id.0.into(),
        ),
        Field::read_only("at", Shape::Time, "When.", |v| v.at.into()),
        Field::read_only("kind", TEXT, "Such as `service.created` or `secret.accessed`.", |v| {
            kind(v).into()
        }),
        Field::read_only("object_kind", TEXT, "What kind of thing it happened to.", |v| {
            v.subject.word().into()
        }),
        Field::read_only("object_id", TEXT, "The thing's id.", |v| (&v.object).into()),
        Field::read_only("object_name", ANY_TEXT, "The thing's name then.", |v| (&v.name).into()),
        Field::read_only_or_null("actor", TEXT, "Who did it; null is the cluster itself.", |v| {
            Out::or_null(v.actor.as_ref())
        }),
        Field::read_only_or_null(
            "account",
            Shape::Reference(Kind::Account),
            "Whose thing it is; null is the cluster's.",
            |v| Out::or_null(v.account.map(|id| id.0)),
        ),
        Field::read_only("note", ANY_TEXT, "More, for people.", |v| (&v.note).into()),
    ];

    fn all<'a>(realm: &Realm<'a>, _project: Option<ProjectId>) -> Members<'a, Event> {
        if realm.account.is_admin {
            realm.state.all_events()
        } else {
            realm.state.events_of(realm.account.id)
        }
    }

    fn find<'a>(_realm: &Realm<'a>, _id: &str) -> Option<&'a Event> {
        // There is no path for one of them.
        None
    }

    fn view(_realm: &Realm<'_>, model: &Event) -> Event {
        model.clone()
    }

    fn version(_model: &Event) -> Option<(Key, Revision)> {
        None
    }
}

/// The kind as clients know it: a value of a secret that was read is `secret.accessed`, whichever item it was.
pub fn kind(event: &Event) -> String {
    match (event.subject, event.verb) {
        (Kind::SecretItem, Verb::Accessed) => "secret.accessed".to_owned(),
        _ => event.kind(),
    }
}

/// Which events are asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// A whole kind, or the part before its dot.
    pub kind: Option<String>,
    /// The id of a thing.
    pub object: Option<String>,
}

impl Filter {
    /// Whether every event is asked for.
    pub fn takes_all(&self) -> bool {
        self.kind.is_none() && self.object.is_none()
    }

    /// Whether this one is asked for.
    pub fn takes(&self, event: &Event) -> bool {
        let of_kind = |wanted: &String| {
            let kind = kind(event);
            kind == *wanted || kind.split_once('.').is_some_and(|(subject, _)| subject == wanted)
        };
        self.kind.as_ref().is_none_or(of_kind) && self.object.as_ref().is_none_or(|it| *it == event.object)
    }
}

/// How many events after this one are not kept any more.
pub fn missing_after(state: &State, last: EventId) -> u64 {
    let kept = state.events_after(last).count() as u64;
    state.last_event().0.saturating_sub(last.0).saturating_sub(kept)
}
