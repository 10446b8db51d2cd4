//! Putting a node together from its folder.

use std::sync::Arc;
use std::time::{Duration, Instant};

use openraft::async_runtime::WatchReceiver;
use openraft::errors::Fatal;
use openraft::{ServerState, SnapshotPolicy};
use storage::{DataDir, OpenError, Room};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{blocking, certificates, store_error};
use crate::cluster::core::Contact;
use crate::cluster::stop::Lifeline;
use crate::cluster::{Cluster, Core};
use crate::forward::Forwards;
use crate::leases::LeaseBook;
use crate::log_store::RaftLog;
use crate::network::NetworkFactory;
use crate::proposals::Proposals;
use crate::read::{Rounds, ToLeader};
use crate::slept::Awake;
use crate::state_machine::StateMachine;
use crate::transport::Links;
use crate::types::{Metrics, Raft};
use crate::{
    Config, Ground, Incoming, Leadership, StartError, Timing, autopilot, error, failover, heartbeat, renewal, rotation,
    server, snapshotting,
};

/// Whole snapshots pass in this time, or are begun again.
const SNAPSHOT_MILLIS: u64 = 120_000;
/// Entries in one replication message at most.
const ENTRIES_A_MESSAGE: u64 = 512;
/// How often the disk is looked at besides at each write.
const LOOK_AT_DISK: Duration = Duration::from_millis(200);
/// Log entries are purged in lots of this many, because each purge leaves a mark that reads must skip.
const PURGE_LOT: u64 = 256;

/// Opens the stores, builds consensus on them and starts every task.
pub(super) async fn assemble(
    ground: &Ground,
    config: &Config,
    mut dir: DataDir,
    listener: Box<dyn Incoming>,
) -> Result<Cluster, StartError> {
    let path = config.data_dir.clone();
    let (identity, keyring, credentials) = (dir.identity(), dir.keyring(), dir.credentials());
    let tls = Arc::new(certificates::load(&credentials, identity)?);
    let disks = ground.disks.clone();
    let (dir, stores) = blocking(move || {
        let stores = disks.open(&mut dir).map_err(|error| match error {
            OpenError::DataDir(error) => error.into(),
            OpenError::Store(error) => store_error(&path)(error),
        })?;
        Ok((dir, stores))
    })
    .await?;
    let setup = |text: String| StartError::Setup(text);
    // The stores are closed once every holder of this is gone.
    let (hold, closed) = mpsc::channel(1);
    let snapshots = Arc::new(stores.snapshots);
    let buffer = config.timing.watch_buffer;
    let machine = StateMachine::load(stores.state, snapshots.clone(), buffer, hold.clone());
    let (machine, published) = machine.map_err(|it| setup(error::chain(&it)))?;
    machine.cover_gap(&*stores.log).map_err(store_error(&config.data_dir))?;
    let links = Links::new(identity.cluster, identity.node, tls.clone()).in_epoch(dir.epoch());
    let links = links.over(ground.wires.clone());
    let settings = Arc::new(settings(config)?);
    let log = RaftLog::new(identity.node.0, stores.log, hold).telling(links.gaps());
    let raft = Raft::build(identity.node.0, settings, NetworkFactory(links.clone()), log, machine).await;
    let raft = raft.map_err(|it| setup(error::chain(&it)))?;

    let stop = CancellationToken::new();
    let (leading, leadership) = watch::channel(Leadership::default());
    let (failing, fatal) = watch::channel(None);
    let failing = Arc::new(failing);
    let (reads, questions) = Rounds::new();
    let (proposals, proposed) = Proposals::new();
    let (leader_reads, leader_questions) = Rounds::new();
    let core = Arc::new(Core {
        cluster: identity.cluster,
        node: identity.node,
        keyring,
        credentials,
        tls,
        draft: config.draft.clone(),
        timing: config.timing.clone(),
        raft,
        published,
        snapshots,
        forwards: Forwards::new(links.clone(), stop.clone()),
        proposals,
        links,
        room: Room::new(&config.data_dir),
        leases: LeaseBook::default(),
        contact: Contact::new(),
        severed: Notify::new(),
        leadership,
        fatal,
        reads,
        to_leader: ToLeader::default(),
        leader_reads,
        awake: Awake::default(),
        started: Instant::now(),
        stop: stop.clone(),
    });
    let lifeline = Arc::new(Lifeline::new(core.raft.clone(), stop.clone(), dir, closed));
    let until_stopped = |task| {
        let stop = stop.clone();
        lifeline.spawn(async move {
            let _ = stop.run_until_cancelled(task).await;
        });
    };
    until_stopped(boxed(proposed.run(core.raft.clone())));
    until_stopped(boxed(observe(core.clone(), leading, failing.clone())));
    let asked = core.clone();
    until_stopped(boxed(questions.answer(move || asked.clone().read_round())));
    let asked = core.clone();
    until_stopped(boxed(leader_questions.answer(move || asked.clone().leader_round())));
    let served = server::serve(core.clone(), listener, config.services.clone());
    let served_no_more = failing.clone();
    until_stopped(boxed(async move {
        served.await;
        served_no_more.send_replace(Some("peers can no longer be served".to_owned()));
    }));
    let expelled = core.clone();
    until_stopped(boxed(async move {
        expelled.links.removed().await;
        failing.send_replace(Some(expelled.links.farewell()));
    }));
    until_stopped(boxed(renewal::run(core.clone())));
    until_stopped(boxed(rotation::run(core.clone())));
    until_stopped(boxed(watch_room(core.clone())));
    until_stopped(boxed(heartbeat::run(core.clone())));
    until_stopped(boxed(failover::run(core.clone())));
    until_stopped(boxed(autopilot::run(core.clone())));
    until_stopped(boxed(snapshotting::run(core.clone())));
    core.raft.run();
    Ok(Cluster { core, lifeline })
}

/// Others fill disks too, while nobody writes here.
async fn watch_room(core: Arc<Core>) {
    let mut tick = tokio::time::interval(LOOK_AT_DISK);
    loop {
        tick.tick().await;
        // Who writes is told; this only sees to the reserve in time.
        let _ = core.room.check();
    }
}

type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn boxed(task: impl Future<Output = ()> + Send + 'static) -> Task {
    Box::pin(task)
}

fn settings(config: &Config) -> Result<openraft::Config, StartError> {
    let Timing {
        heartbeat,
        election_min,
        election_max,
        snapshot_after,
        keep_after_snapshot,
        ..
    } = &config.timing;
    let millis = |it: &Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
    let settings = openraft::Config {
        cluster_name: "goblins".to_owned(),
        heartbeat_interval: millis(heartbeat),
        election_timeout_min: millis(election_min),
        election_timeout_max: millis(election_max),
        install_snapshot_timeout: SNAPSHOT_MILLIS,
        max_payload_entries: ENTRIES_A_MESSAGE,
        // See `crate::snapshotting`.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: *keep_after_snapshot,
        purge_batch_size: PURGE_LOT.min(*snapshot_after).max(1),
        // Further behind than this, a snapshot is sooner there than the entries.
        replication_lag_threshold: snapshot_after.saturating_mul(2),
        enable_pre_vote: Some(true),
        // A leader that a part of the cluster cannot hear must fall silent for long enough that the rest can elect.
        quorum_loss_probe_interval: Some(millis(election_max).saturating_mul(2)),
        ..openraft::Config::default()
    };
    settings.validate().map_err(|it| StartError::Setup(it.to_string()))
}

/// Translates openraft's metrics: who leads, and whether consensus has stopped by itself.
async fn observe(core: Arc<Core>, leading: watch::Sender<Leadership>, failing: Arc<watch::Sender<Option<String>>>) {
    let mut metrics = core.raft.metrics();
    let (mut known, mut led) = (None, None);
    loop {
        // Entries change them too, thousands of times a second: nothing of that is copied.
        let (leadership, membership, running) = {
            let now = metrics.borrow_and_update();
            (
                leadership(&now),
                now.membership_config.clone(),
                now.running_state.clone(),
            )
        };
        if known.as_ref().is_none_or(|it| !Arc::ptr_eq(it, &membership)) {
            for (id, peer) in membership.nodes() {
                core.links.note(*id, &peer.address);
            }
            known = Some(membership);
        }
        if leadership.is_self {
            let now = Instant::now();
            let heard = core.contact.age().and_then(|it| now.checked_sub(it));
            core.leases.begin(leadership.term, now, led.take().zip(heard));
        } else {
            led = leadership.leader.or(led);
            core.leases.end();
        }
        leading.send_if_modified(|known| {
            let changed = *known != leadership;
            *known = leadership;
            changed
        });
        match running {
            Err(error @ (Fatal::StorageError(_) | Fatal::Panicked)) => {
                let reason = format!("consensus has stopped: {error}");
                failing.send_replace(Some(reason));
            }
            Err(Fatal::Stopped) | Ok(()) => {}
        }
        if metrics.changed().await.is_err() {
            if failing.borrow().is_none() && !core.stop.is_cancelled() {
                failing.send_replace(Some("consensus has stopped without saying why".to_owned()));
            }
            // What was said last stays true; the senders must live as long as somebody may ask.
            core.stop.cancelled().await;
            return;
        }
    }
}

fn leadership(metrics: &Metrics) -> Leadership {
    let is_self = metrics.state == ServerState::Leader && metrics.current_leader == Some(metrics.id);
    Leadership {
        term: metrics.current_term,
        leader: metrics.current_leader.map(model::NodeId),
        is_self,
    }
}
