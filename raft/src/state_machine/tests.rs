//! openraft's own suite on the real stores.

use model::ClusterId;
use openraft::EntryPayload;
use openraft::RaftLogReader as _;
use openraft::impls::leader_id_std::LeaderId;
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::vote::RaftLeaderId as _;
use storage::{DataDir, Folder, Identity, KeyBundle, Stores};
use tempfile::TempDir;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::*;
use crate::gaps::Gaps;
use crate::log_store::RaftLog;
use crate::types::{Entry, Proposal};

struct OnDisk;

fn stores(dir: &TempDir) -> Stores {
    let identity = Identity {
        cluster: ClusterId(Uuid::from_u128(7)),
        node: model::NodeId(0),
    };
    let Ok(Folder::Vacant(vacant)) = DataDir::open(&dir.path().join("data")) else {
        panic!("the folder is new")
    };
    let keys = KeyBundle::generate(identity.cluster).expect("keys can be drawn");
    let mut dir = vacant.claim(identity, &keys, None).expect("the folder is new");
    dir.open_stores().expect("the folder is new")
}

impl StoreBuilder<TypeConfig, RaftLog, StateMachine, TempDir> for OnDisk {
    async fn build(&self) -> Result<(TempDir, RaftLog, StateMachine), openraft::StorageError<TypeConfig>> {
        let temp = tempfile::tempdir().expect("a folder for the test");
        let stores = stores(&temp);
        let (hold, _) = mpsc::channel(1);
        let machine = StateMachine::load(Arc::new(stores.state), Arc::new(stores.snapshots), 8, hold.clone());
        let (machine, _) = machine.expect("the state is empty");
        Ok((temp, RaftLog::new(1, Arc::new(stores.log), hold), machine))
    }
}

#[test]
fn the_stores_pass_the_suite_of_openraft() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let tested = runtime.expect("threads").block_on(Suite::test_all(OnDisk));
    tested.expect("the suite passes");
}

/// An entry without a command.
fn blank(index: u64) -> Entry {
    let leader = LeaderId::new(3, 1);
    Entry {
        log_id: LogId::new(leader.to_committed(), index),
        payload: EntryPayload::Blank,
    }
}

/// Found by the simulation: a purge between the decision to send entries and their reading.
#[tokio::test]
async fn entries_behind_a_gap_are_not_sent() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let log = Arc::new(stores(&temp).log);
    let entries = (1..=9).map(|index| (index, stored::entry(&blank(index)))).collect();
    log.append(entries, Box::new(|_| {}));
    log.purge(5, stored::log_id(&blank(5).log_id));
    let (hold, _) = mpsc::channel(1);
    let gaps = Gaps::default();
    let mut log = RaftLog::new(1, log, hold).telling(gaps.clone());
    let sent = log.limited_get_log_entries(4, 8).await.expect("readable");
    assert!(
        sent.is_empty(),
        "the peer has nothing behind entry 3 to put entry 6 after"
    );
    let sent = log.limited_get_log_entries(6, 8).await.expect("readable");
    assert_eq!((sent.len(), gaps.count()), (2, 1));
}

/// Found by the simulation: openraft takes it for granted that what the log lacks is in a snapshot.
#[tokio::test]
async fn a_state_that_is_ahead_of_the_log_after_a_crash_is_covered_by_a_snapshot() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let stores = stores(&temp);
    let (hold, _) = mpsc::channel(1);
    let machine = StateMachine::load(Arc::new(stores.state), Arc::new(stores.snapshots), 8, hold);
    let (mut machine, _) = machine.expect("the state is empty");
    machine.cover_gap(&stores.log).expect("nothing to do");
    assert!(machine.snapshots.newest().is_none());
    for index in 1..=3 {
        let entry = blank(index);
        machine.step(entry.log_id, entry.payload).expect("it is applied");
    }
    let first = (1..=2).map(|index| (index, stored::entry(&blank(index)))).collect();
    stores.log.append(first, Box::new(|_| {}));
    machine.cover_gap(&stores.log).expect("there is room");
    let covered = machine.snapshots.newest().map(|it| it.header.meta.revision);
    assert_eq!(covered, Some(Revision(3)));
}

/// What an entry did that stopped the node is not known: it must be met again, by the version that knows it.
#[tokio::test]
async fn an_entry_that_cannot_be_decoded_does_not_pass_for_applied() {
    let temp = tempfile::tempdir().expect("a folder for the test");
    let stores = stores(&temp);
    let state = Arc::new(stores.state);
    let (hold, mut closed) = mpsc::channel(1);
    let machine = StateMachine::load(state.clone(), Arc::new(stores.snapshots), 8, hold);
    let (mut machine, _) = machine.expect("the state is empty");
    let entry = blank(1);
    machine.step(entry.log_id, entry.payload).expect("it is applied");
    let strange = EntryPayload::Normal(Proposal(vec![0xff; 9].into()));
    machine.step(blank(2).log_id, strange).expect_err("nobody knows this");
    drop(machine);
    assert!(closed.recv().await.is_none(), "all is written");
    assert_eq!(state.revision().expect("readable"), Some(Revision(1)));
}
