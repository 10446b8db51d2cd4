//! `/api/services/{id}/logs/` and the same of workers: what replicas print, on all nodes, as one stream.

mod ask;
mod format;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use http::header::CACHE_CONTROL;
use model::{ServiceId, State};
use tokio_util::sync::CancellationToken;

use crate::answer::Answer;
use crate::auth::{self, Credentials};
use crate::errors::ApiError;
use crate::port::{ControlPlane, LogPiece};
use crate::resource::Resource as _;
use crate::resources::Workload;
use crate::resources::Workloads;
use crate::router::call::Call;
pub use ask::takes_format;
use format::Format;

/// How often the credentials are looked at again, and whether there still is a service.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Says now and then that the connection lives, where the format has a way to.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Answers with the stream.
///
/// # Errors
/// No such service, a parameter that cannot be read, a format that nobody takes; 503 where logs cannot be read.
pub async fn answer<K: Workload>(call: &Call<'_>) -> Result<Answer, ApiError> {
    let service = {
        let realm = call.realm();
        let found = Workloads::<K>::find(&realm, realm.parent);
        found.ok_or(ApiError::NotFound)?.id
    };
    let format = Format::of(call)?;
    let request = ask::request(call, service)?;
    let follows = request.follow;
    let none = || ApiError::Unavailable("This node cannot read logs.".to_owned());
    let logs = call.control.logs().ok_or_else(none)?;
    let pieces = logs
        .read(request)
        .await
        .map_err(|fault| ApiError::Unavailable(fault.to_string()))?;
    let follower = Follower {
        control: Arc::clone(&call.control),
        credentials: call.credentials.clone(),
        stop: call.stop.clone(),
        service,
        pieces,
        format,
        follows,
        quiet: Duration::ZERO,
    };
    let bytes = stream::unfold(follower, |mut it| async move {
        let bytes = it.next().await?;
        Some((Ok::<_, std::convert::Infallible>(bytes), it))
    });
    Ok(Answer::stream(format.media_type(), Body::from_stream(bytes)).with(CACHE_CONTROL, "no-store"))
}

struct Follower {
    control: Arc<dyn ControlPlane>,
    credentials: Credentials,
    stop: CancellationToken,
    service: ServiceId,
    pieces: BoxStream<'static, Vec<LogPiece>>,
    format: Format,
    follows: bool,
    /// Since something was last sent.
    quiet: Duration,
}

impl Follower {
    /// The next bytes; `None` at the end, when the credentials have ended, or this node stops.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let state = self.control.local();
            auth::identify(&self.credentials, &state, self.control.now()).ok()?;
            tokio::select! {
                pieces = self.pieces.next() => {
                    let bytes = self.format.bytes(&pieces?, &state);
                    if !bytes.is_empty() {
                        self.quiet = Duration::ZERO;
                        return Some(bytes.into());
                    }
                }
                () = tokio::time::sleep(LOOK_AGAIN) => {
                    if self.follows && is_gone(&self.control.local(), self.service) {
                        return None;
                    }
                    self.quiet += LOOK_AGAIN;
                    if self.quiet >= KEEP_ALIVE && let Some(bytes) = self.format.keep_alive() {
                        self.quiet = Duration::ZERO;
                        return Some(Bytes::from_static(bytes));
                    }
                }
                () = self.stop.cancelled() => return None,
            }
        }
    }
}

/// Nothing will be printed any more.
fn is_gone(state: &State, service: ServiceId) -> bool {
    state.service(service).is_none() && state.replicas_of(service).next().is_none()
}
