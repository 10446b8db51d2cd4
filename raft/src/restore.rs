//! A new cluster of one node, made in an empty folder from the state of another cluster.

use std::time::{Duration, SystemTime};

use model::{Authority as SealedAuthority, ClusterId, KeyVersion, KeyringState, Refounding, State, Timestamp};
use openraft::vote::RaftLeaderId as _;
use openraft::vote::RaftVote as _;
use storage::{Begin, DataDir, DataDirError, Identity, KeyBundle, KeyringError, OpenError, VacantDir, secret_context};
use thiserror::Error;
use uuid::Uuid;

use crate::authority::Authority;
use crate::credentials::NewKey;
use crate::types::{LogId, Membership, Peer, StoredMembership, Vote};
use crate::{AuthorityError, Timing, stored};

/// The old cluster's terms mean nothing in the new one.
const TERM: u64 = 1;

/// What a cluster is made from.
#[derive(Clone, Copy, Debug)]
pub struct Restore<'a> {
    /// The state of the other cluster.
    pub state: &'a State,
    /// The keys of the other cluster; its values stay sealed under them. `None`: there are none to be had.
    pub keys: Option<&'a KeyBundle>,
    /// The new keyring's passphrase.
    pub passphrase: Option<&'a str>,
    /// Name of the only node.
    pub node_name: &'a str,
    /// This host's clock.
    pub now: SystemTime,
}

/// Why no cluster could be made from a state. Only the folder that was given has been written to.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// Values could never be read.
    #[error(
        "values of secrets are sealed by cluster key {}, and {}: take the `keyring` file of a node of that time, or a \
         backup that was made with --with-keyring",
        list(.missing),
        if .held.is_empty() { "no keyring was given".to_owned() } else { format!("the keyring has only {}", list(.held)) }
    )]
    MissingKeys {
        /// The keys that are missing.
        missing: Vec<KeyVersion>,
        /// Those that are there.
        held: Vec<KeyVersion>,
    },
    /// A key has the right version, and is another one all the same.
    #[error(
        "nothing that is sealed by cluster key {0} opens with key {0} of the keyring: it is of another time or cluster"
    )]
    OtherKey(KeyVersion),
    /// The state was never that of a cluster.
    #[error("the state holds no cluster: the backup was taken before its cluster was founded")]
    NoCluster,
    /// The folder.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The stores in it.
    #[error(transparent)]
    Stores(#[from] OpenError),
    /// The keys.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Consensus cannot begin.
    #[error("cannot set up consensus: {0}")]
    Setup(String),
    /// The authority of the new cluster.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// Makes the folder of the only node of a new cluster, with an id, an authority and an identity of its own. Nothing of
/// the other cluster takes its nodes for members, and it takes none of theirs.
pub fn restore(folder: VacantDir, from: &Restore<'_>) -> Result<Identity, RestoreError> {
    if from.state.cluster().is_none() {
        return Err(RestoreError::NoCluster);
    }
    check_keys(from.state, from.keys)?;
    let identity = Identity {
        cluster: ClusterId(Uuid::new_v4()),
        node: from.state.restored_node(),
    };
    let keys = match from.keys {
        Some(keys) => keys.for_cluster(identity.cluster, from.passphrase)?,
        None => KeyBundle::generate(identity.cluster)?,
    };
    let dir = folder.claim(identity, &keys, None)?;
    check_values(from.state, &dir)?;
    let authority = certify(&dir, from.now)?;
    let status = dir.keyring().status();
    let versions = || status.versions.iter().copied();
    let new = Refounding {
        cluster: identity.cluster,
        node_name: from.node_name.to_owned(),
        authority,
        keyring: KeyringState {
            // A rotation that was under way goes on.
            current: versions().max().unwrap_or(status.current),
            oldest: versions().min().unwrap_or(status.current),
            lock: status.lock,
        },
        now: micros(from.now),
    };
    let state = from.state.refounded(&new);
    dir.lay_down(&state, &begin(&state, identity, from.node_name)?)?;
    Ok(identity)
}

/// Whether the keys are there that the state uses.
fn check_keys(state: &State, keys: Option<&KeyBundle>) -> Result<(), RestoreError> {
    let held = keys.map(KeyBundle::versions).unwrap_or_default();
    let used = state.key_versions();
    let missing: Vec<_> = used.into_iter().filter(|it| !held.contains(it)).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(RestoreError::MissingKeys { missing, held })
    }
}

/// Whether they are those keys, and not others that have the same numbers.
fn check_values(state: &State, dir: &DataDir) -> Result<(), RestoreError> {
    let keyring = dir.keyring();
    for version in state.key_versions() {
        let next = KeyVersion(version.0.saturating_add(1));
        let mut values = state.values_sealed_before(next).filter(|it| it.sealed.key == version);
        let opens = values.any(|it| {
            let context = secret_context(it.id.item.0, &it.key, it.id.version);
            keyring.open(&context, &it.sealed).is_ok()
        });
        if !opens {
            return Err(RestoreError::OtherKey(version));
        }
    }
    Ok(())
}

/// Makes the new authority, and has it certify the node.
fn certify(dir: &DataDir, now: SystemTime) -> Result<SealedAuthority, RestoreError> {
    let Identity { cluster, node } = dir.identity();
    let authority = Authority::create(cluster, now)?;
    let key = NewKey::generate()?;
    let life: Duration = Timing::default().certificate_life;
    let certificate = authority.sign(key.request(), (cluster, node), now, life)?;
    let credentials = key.certified(certificate, authority.certificate().clone());
    dir.credentials().write(&credentials.encode())?;
    Ok(authority.seal(cluster, &dir.keyring())?)
}

/// Consensus begins after the state's last entry, with this node as the only voter.
fn begin(state: &State, identity: Identity, name: &str) -> Result<Begin, RestoreError> {
    let node = identity.node.0;
    let leader = openraft::impls::leader_id_std::LeaderId::new(TERM, node);
    let id = LogId::new(leader.to_committed(), state.revision().0);
    // Once it has started, it tells where it is, and the membership follows.
    let address = state.node(identity.node).map(|it| it.peer_addr.to_string());
    let peer = Peer {
        name: name.to_owned(),
        address: address.unwrap_or_default(),
    };
    let voters = std::collections::BTreeSet::from([node]);
    let nodes = std::collections::BTreeMap::from([(node, peer)]);
    let membership = Membership::new(vec![voters], nodes).map_err(|it| RestoreError::Setup(it.to_string()))?;
    Ok(Begin {
        meta: storage::Meta {
            revision: state.revision(),
            now: state.now(),
            consensus: stored::applied(Some(&id), &StoredMembership::new(Some(id), membership)),
        },
        log_id: stored::log_id(&id).to_vec(),
        vote: stored::vote(&Vote::from_leader_id(leader, false)).to_vec(),
    })
}

fn micros(time: SystemTime) -> Timestamp {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

fn list(versions: &[KeyVersion]) -> String {
    let versions: Vec<_> = versions.iter().map(ToString::to_string).collect();
    versions.join(", ")
}
