//! openraft's own suite on the real stores.

use model::ClusterId;
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use storage::{DataDir, Folder, Identity, KeyBundle, Stores};
use tempfile::TempDir;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::*;
use crate::log_store::RaftLog;

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
    async fn build(&self) -> Result<(TempDir, RaftLog, StateMachine), StorageError<TypeConfig>> {
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
