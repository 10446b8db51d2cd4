//! The first node of a cluster. Each step looks whether it has been taken, so a founding that was cut short is finished
//! by the next start.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use model::{Actor, Command, Outcome, Rejection};
use openraft::errors::{InitializeError, RaftError};

use super::FIRST;
use crate::authority::Authority;
use crate::cluster::Cluster;
use crate::types::Peer;
use crate::{Config, Start, StartError, SubmitError};

/// A single node elects itself at once; longer than this means that something is wrong.
const ELECTION_LIMIT: Duration = Duration::from_secs(10);

/// Founds the cluster as far as that has not been done.
pub(super) async fn found(cluster: &Cluster, config: &Config) -> Result<(), StartError> {
    let Start::New { admin, key_hash } = &config.start else {
        return Ok(());
    };
    let core = &cluster.core;
    let peer = Peer {
        name: config.draft.name.clone(),
        address: config.draft.peer_addr.to_string(),
    };
    match core.raft.initialize(BTreeMap::from([(FIRST.0, peer)])).await {
        // Not allowed: it has been done.
        Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {}
        Err(error) => return Err(StartError::Setup(error.to_string())),
    }
    // Only what is in the state counts, not what a start some time ago has left undone.
    let known = core.published.state();
    if known.cluster().is_some() && known.node(FIRST).is_some() {
        return Ok(());
    }
    let mut leadership = core.leadership.clone();
    let elected = tokio::time::timeout(ELECTION_LIMIT, leadership.wait_for(|it| it.is_self)).await;
    if !elected.is_ok_and(|it| it.is_ok()) {
        return Err(StartError::Setup(
            "the only node of the cluster was not elected in time".to_owned(),
        ));
    }
    let authority = Authority::create(core.cluster, SystemTime::now())
        .and_then(|it| it.seal(core.cluster, &core.keyring))
        .map_err(StartError::Authority)?;
    let bootstrap = Command::Bootstrap {
        cluster: core.cluster,
        admin: admin.clone(),
        key_hash: *key_hash,
        authority,
    };
    match cluster.submit(Actor::System, bootstrap).await {
        Ok(_) | Err(SubmitError::Rejected(Rejection::AlreadyInitialised)) => {}
        Err(error) => return Err(StartError::Found(error)),
    }
    if core.published.state().node(FIRST).is_some() {
        return Ok(());
    }
    let join = Command::JoinNode {
        token_hash: None,
        draft: config.draft.clone(),
    };
    let joined = cluster.submit(Actor::System, join).await.map_err(StartError::Found)?;
    match joined.outcome {
        Outcome::Node(FIRST) => Ok(()),
        other => Err(StartError::Setup(format!("the first node was registered as {other:?}"))),
    }
}
