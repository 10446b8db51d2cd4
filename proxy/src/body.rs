//! Bodies on their way through.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::flight::Flight;
use crate::upstream::Lease;

/// Bodies up to this many bytes are kept, so that the request can be sent again.
const KEPT: u64 = 64 * 1024;

/// A request's body towards a replica.
pub(crate) type RequestBody = Either<Full<Bytes>, Incoming>;

/// A request's body as the proxy holds it.
pub(crate) enum Held {
    /// Whole; can be sent as often as need be.
    Whole(Bytes),
    /// On its way; can be sent once.
    Streamed(Option<RequestBody>),
}

impl Held {
    /// Keeps a body that is small and says so; passes any other through.
    pub(crate) async fn take(body: Incoming) -> Result<Self, hyper::Error> {
        match body.size_hint().exact() {
            Some(0) => Ok(Self::Whole(Bytes::new())),
            Some(length) if length <= KEPT => Ok(Self::Whole(body.collect().await?.to_bytes())),
            _ => Ok(Self::Streamed(Some(Either::Right(body)))),
        }
    }

    /// The body for one attempt; `None` if it has been sent and cannot be sent again.
    pub(crate) fn next(&mut self) -> Option<RequestBody> {
        match self {
            Self::Whole(bytes) => Some(Either::Left(Full::new(bytes.clone()))),
            Self::Streamed(body) => body.take(),
        }
    }

    /// Takes back what was never sent.
    pub(crate) fn give_back(&mut self, body: RequestBody) {
        if let Self::Streamed(slot) = self {
            *slot = Some(body);
        }
    }

    /// Whether nothing of it has been sent, or all of it can be sent again.
    pub(crate) fn is_whole(&self) -> bool {
        !matches!(self, Self::Streamed(None))
    }

    pub(crate) fn is_replayable(&self) -> bool {
        matches!(self, Self::Whole(_))
    }
}

/// An answer's body towards a client.
pub(crate) enum AnswerBody {
    /// The proxy's own.
    Own(Full<Bytes>),
    /// A replica's. When it ends, its request has landed and its connection can be used again.
    Upstream {
        body: Incoming,
        lease: Option<Lease>,
        flight: Option<Flight>,
    },
}

impl AnswerBody {
    pub(crate) fn text(bytes: Bytes) -> Self {
        Self::Own(Full::new(bytes))
    }

    /// An answer of a replica; one without a body has landed already.
    pub(crate) fn upstream(body: Incoming, lease: Lease, flight: Flight) -> Self {
        if body.is_end_stream() {
            lease.give_back();
            drop(flight);
            return Self::Own(Full::new(Bytes::new()));
        }
        Self::Upstream {
            body,
            lease: Some(lease),
            flight: Some(flight),
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Own(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Upstream { body, lease, flight } => {
                let polled = Pin::new(&mut *body).poll_frame(cx);
                let ended = match &polled {
                    Poll::Ready(None) => true,
                    Poll::Ready(Some(Ok(_))) => body.is_end_stream(),
                    _ => false,
                };
                if ended {
                    lease.take().into_iter().for_each(Lease::give_back);
                    drop(flight.take());
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_end_stream(),
            Self::Upstream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => body.size_hint(),
            Self::Upstream { body, .. } => body.size_hint(),
        }
    }
}
