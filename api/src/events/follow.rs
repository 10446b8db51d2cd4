//! Events as they happen: server-sent events (HTML living standard, section 9.2). A client that comes back with the id
//! of the last one that it has seen misses nothing, on whichever node.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use model::{AccountId, Event, EventId, Revision, State};
use tokio_util::sync::CancellationToken;

use crate::answer::Answer;
use crate::auth::{self, Credentials};
use crate::fields::show;
use crate::output::Out;
use crate::port::ControlPlane;
use crate::resource::Resource as _;
use crate::resources::Events;
use crate::resources::events::{Filter, missing_after};
use crate::router::call::Call;

/// Says now and then that the connection lives, to the client and to whatever lies between.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const COMMENT: &[u8] = b": still here\n\n";
/// Events sent in one piece at most.
const BATCH: usize = 256;

/// A stream of all events after `after`, or from now on.
pub fn answer(call: &Call<'_>, filter: Filter, after: Option<EventId>) -> Answer {
    let after = after.unwrap_or_else(|| call.state.last_event());
    let follower = Follower {
        control: Arc::clone(&call.control),
        credentials: call.credentials.clone(),
        stop: call.stop.clone(),
        account: call.asker.account.id,
        is_admin: call.asker.account.is_admin,
        filter,
        last: after,
        state: call.state.clone(),
        opening: Some(opening(call.state, after)),
    };
    let pieces = stream::unfold(follower, |mut it| async move {
        let piece = it.next().await?;
        Some((Ok::<_, std::convert::Infallible>(piece), it))
    });
    Answer::stream("text/event-stream", Body::from_stream(pieces)).with(http::header::CACHE_CONTROL, "no-store")
}

/// The first piece goes out at once, so that the client knows that it is connected.
fn opening(state: &State, after: EventId) -> Bytes {
    let missing = missing_after(state, after);
    if missing == 0 {
        return Bytes::from_static(b": connected\n\n");
    }
    let data = Out::object([("after", after.0.into()), ("missing", missing.into())]);
    Bytes::from(format!("event: gap\ndata: {}\n\n", json(&data)))
}

struct Follower {
    control: Arc<dyn ControlPlane>,
    credentials: Credentials,
    stop: CancellationToken,
    account: AccountId,
    is_admin: bool,
    filter: Filter,
    /// The last event that was looked at.
    last: EventId,
    state: State,
    opening: Option<Bytes>,
}

impl Follower {
    /// The next piece; `None` when the credentials have ended, or this node stops.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(opening) = self.opening.take() {
            return Some(opening);
        }
        loop {
            auth::identify(&self.credentials, &self.state, self.control.now()).ok()?;
            let piece = self.unseen();
            if !piece.is_empty() {
                return Some(piece.into());
            }
            let seen: Revision = self.state.revision();
            tokio::select! {
                newer = self.control.beyond(seen) => self.state = newer,
                () = tokio::time::sleep(KEEP_ALIVE) => return Some(Bytes::from_static(COMMENT)),
                () = self.stop.cancelled() => return None,
            }
        }
    }

    fn unseen(&mut self) -> Vec<u8> {
        let mut piece = Vec::new();
        let mut last = self.last;
        for event in self.state.events_after(self.last).take(BATCH) {
            last = event.id;
            if (self.is_admin || event.account == Some(self.account)) && self.filter.takes(event) {
                piece.extend_from_slice(frame(event).as_bytes());
            }
        }
        let more = last > self.last;
        self.last = last;
        if piece.is_empty() && more { self.unseen() } else { piece }
    }
}

fn frame(event: &Event) -> String {
    format!("id: {}\ndata: {}\n\n", event.id, json(&show(Events::FIELDS, event)))
}

fn json(out: &Out) -> String {
    serde_json::to_string(out).unwrap_or_default()
}
