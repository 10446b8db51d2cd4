//! Answers other nodes. Who calls is a member of this cluster: the peer port lets nobody else through.

use std::sync::{Arc, OnceLock};

use model::KeyVersion;
use raft::Caller;
use storage::{Import, Keyring, KeyringError};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::Holding;
use super::proto::keyring_server::{Keyring as Rpc, KeyringServer};
use super::proto::{self, Bundle, FetchRequest, ForgetRequest, ShowRequest};
use crate::adapters::chain;

/// Bundles are small; this is room for hundreds of keys.
const LARGEST: usize = 64 * 1024;

/// The keyring that the service answers from. The peer port is open before it is known: until then others are told to
/// ask again.
#[derive(Clone, Default)]
pub(crate) struct Slot(Arc<OnceLock<Keyring>>);

impl Slot {
    /// From now on calls are answered.
    pub(crate) fn fill(&self, keyring: Keyring) {
        // A second time it is the same one.
        let _ = self.0.set(keyring);
    }

    /// The service, for the peer port.
    pub(crate) fn routes(&self) -> Routes {
        let service = KeyringServer::new(Service(self.clone()));
        Routes::new(
            service
                .max_decoding_message_size(LARGEST)
                .max_encoding_message_size(LARGEST),
        )
    }
}

struct Service(Slot);

impl Service {
    fn keyring(&self) -> Result<&Keyring, Status> {
        let starting = || Status::unavailable("this node is starting");
        self.0.0.get().ok_or_else(starting)
    }
}

#[tonic::async_trait]
impl Rpc for Service {
    async fn show(&self, request: Request<ShowRequest>) -> Result<Response<proto::Shown>, Status> {
        caller(&request)?;
        Ok(shown(self.keyring()?))
    }

    async fn fetch(&self, request: Request<FetchRequest>) -> Result<Response<Bundle>, Status> {
        let caller = caller(&request)?;
        let bundle = Bundle::of(self.keyring()?, Import::Add).map_err(refused)?;
        tracing::info!(node = %caller.0, "handed this node's keys to another");
        Ok(Response::new(bundle))
    }

    async fn offer(&self, request: Request<Bundle>) -> Result<Response<proto::Shown>, Status> {
        let caller = caller(&request)?;
        let keyring = self.keyring()?.clone();
        let (keys, giver, how) = request.into_inner().parts().map_err(refused)?;
        let own = Holding::of(&keyring);
        if how == Import::Replace && !giver.covers(&own, KeyVersion(0)) {
            return Err(Status::failed_precondition(
                "what is offered does not cover the keyring of this node",
            ));
        }
        // It ends on the disk.
        let task = tokio::task::spawn_blocking(move || keyring.import_bundle(&keys, how).map(|()| keyring));
        let keyring = task
            .await
            .map_err(|it| Status::internal(it.to_string()))?
            .map_err(refused)?;
        tracing::info!(node = %caller.0, ?how, "took in the keys of another node");
        Ok(shown(&keyring))
    }

    async fn forget(&self, request: Request<ForgetRequest>) -> Result<Response<proto::Shown>, Status> {
        let caller = caller(&request)?;
        let keyring = self.keyring()?;
        keyring.seal_now().map_err(refused)?;
        tracing::warn!(node = %caller.0, "the keyring is locked, as another node was told");
        Ok(shown(keyring))
    }
}

/// Which node calls.
fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    let nobody = || Status::unauthenticated("only nodes of this cluster may call this");
    request.extensions().get().copied().ok_or_else(nobody)
}

fn shown(keyring: &Keyring) -> Response<proto::Shown> {
    Response::new((&Holding::of(keyring)).into())
}

/// The code says what the caller may do about it: a conflict can be settled, a lock be opened.
fn refused(error: KeyringError) -> Status {
    let text = chain(&error);
    match error {
        KeyringError::Conflict(_) => Status::already_exists(text),
        KeyringError::Locked | KeyringError::Stale => Status::failed_precondition(text),
        _ => Status::internal(text),
    }
}
