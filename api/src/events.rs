//! `/api/events/`: a page of events, or all that are still to come.

mod follow;

use model::{EventId, Members};

use crate::answer::Answer;
use crate::errors::{ApiError, FieldErrors};
use crate::resource::Resource as _;
use crate::resources::Events;
use crate::resources::events::Filter;
use crate::router::call::Call;
use crate::router::list::page;
use crate::{scalars, texts};

/// Answers with a page of the events that the account may see, or with a stream of them.
///
/// # Errors
/// A bad page, or an `after` or `Last-Event-ID` that is no event's id.
pub fn answer(call: &Call<'_>) -> Result<Answer, ApiError> {
    let text = |name: &str| call.query.last(name).filter(|it| !it.is_empty()).map(str::to_owned);
    let filter = Filter {
        kind: text("kind"),
        object: text("object"),
    };
    let after = text("after").map(|it| event_id("after", &it)).transpose()?;
    if call.follows() {
        let resumed = call.parts.headers.get("last-event-id").and_then(|it| it.to_str().ok());
        let resumed = resumed.map(|it| event_id("Last-Event-ID", it)).transpose()?;
        return Ok(follow::answer(call, filter, resumed.or(after)));
    }
    let realm = call.realm();
    let all = Events::all(&realm, None);
    let rows = if filter.takes_all() && after.is_none() {
        all
    } else {
        let after = after.unwrap_or_default();
        let wanted = all.all().into_iter().filter(|it| it.id > after && filter.takes(it));
        Members::of(wanted.collect())
    };
    page::<Events>(&realm, rows, call.parts, call.query)
}

fn event_id(field: &'static str, text: &str) -> Result<EventId, ApiError> {
    let id = scalars::integer(text).and_then(|it| u64::try_from(it).ok());
    id.map(EventId)
        .ok_or_else(|| FieldErrors::one(field, texts::NOT_AN_INTEGER).into())
}
