//! Who may call: members may call everything, a stranger may ask to join, and a node that was removed nothing.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::Either;
use http::{Request, Response};
use model::NodeId;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::cluster::Core;
use crate::transport::{PeerInfo, removed};

/// The one call that needs no certificate.
const JOIN: &str = "/goblins.raft.v1.Admission/Join";

/// Which node has called, as its certificate says. Every service on the peer port finds it in the extensions of a
/// request (`request.extensions().get::<Caller>()`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller(pub NodeId);

/// Puts a guard before all services.
#[derive(Clone)]
pub(super) struct GuardLayer(pub(super) Arc<Core>);

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard {
            inner,
            core: self.0.clone(),
        }
    }
}

/// Lets requests through to what is behind it, or does not.
#[derive(Clone)]
pub(super) struct Guard<S> {
    inner: S,
    core: Arc<Core>,
}

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response<Body>, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let peer = request.extensions().get::<PeerInfo>().and_then(|it| it.certified);
        let caller = match peer {
            Some(it) if it.cluster != self.core.cluster => Err(Status::permission_denied(format!(
                "node {} of cluster {} called: this is cluster {}",
                it.node, it.cluster, self.core.cluster
            ))),
            Some(it) if self.core.is_removed(it.node) => Err(removed(it.node, self.core.links.epoch())),
            Some(it) => Ok(Some(Caller(it.node))),
            None if request.uri().path() == JOIN => Ok(None),
            None => Err(Status::unauthenticated(
                "only nodes of this cluster may call this: show a certificate of its authority",
            )),
        };
        match caller {
            Ok(caller) => {
                // Nobody else may say who has called.
                request.extensions_mut().remove::<Caller>();
                if let Some(caller) = caller {
                    request.extensions_mut().insert(caller);
                }
                Either::Left(self.inner.call(request))
            }
            Err(status) => Either::Right(ready(Ok(status.into_http()))),
        }
    }
}
