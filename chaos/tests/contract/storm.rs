//! Kills the leader, starts it again, and so on until told to stop.

use std::time::Duration;

use chaos::Harness;
use chaos::fault::Fault;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

const DOWN: Duration = Duration::from_millis(700);
const QUIET: Duration = Duration::from_millis(1500);

pub struct Storm {
    stop: oneshot::Sender<()>,
    task: JoinHandle<u32>,
}

impl Storm {
    pub fn start(mut harness: Harness) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut kills = 0;
            while let Err(oneshot::error::TryRecvError::Empty) = stopped.try_recv() {
                let Some(host) = harness.leader().await else {
                    sleep(Duration::from_millis(20)).await;
                    continue;
                };
                let fault = Fault::Kill { host };
                harness.inject(&fault).expect("a kill");
                kills += 1;
                sleep(DOWN).await;
                harness.heal(&fault).expect("a start");
                harness.wait_ready().await.expect("all ready after a kill");
                sleep(QUIET).await;
            }
            kills
        });
        Self { stop, task }
    }

    /// How often it killed. The cluster is gone after it.
    pub async fn end(self) -> u32 {
        let _ = self.stop.send(());
        self.task.await.expect("the killer itself survives")
    }
}
