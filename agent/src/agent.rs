//! The agent as its daemon sees it: started once, stopped once, fed through a watch channel.

use std::sync::Arc;
use std::time::Duration;

use planner::Limits;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::network::{Network, NetworkError};
use crate::outbox::Outbox;
use crate::ports::{Drainer, Opener, Reporter, Wanted};
use crate::reconcile::{Carrier, Reconciler};
use crate::runtime::Runtime;

const STOP: Duration = Duration::from_secs(5);
/// Longer than a drain and a stop grace may be together. With a containerd that never answers, nothing is cleared.
const CLEAR: Duration = Duration::from_secs(2 * 3600 + 60);

/// How an agent works.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// This node's name, which containers see as `GOBLINS_NODE`.
    pub node_name: String,
    /// The time spans it works with.
    pub limits: Limits,
}

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    clear: CancellationToken,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Agent {
    /// Prepares the network and starts to converge this host to what `wanted` holds. Containers that are found here
    /// are kept.
    ///
    /// # Errors
    /// When the network cannot be prepared. A containerd that does not answer is waited for.
    pub async fn start(
        config: AgentConfig,
        runtime: Arc<dyn Runtime>,
        network: Arc<dyn Network>,
        wanted: watch::Receiver<Wanted>,
        reporter: Arc<dyn Reporter>,
        drainer: Arc<dyn Drainer>,
        opener: Arc<dyn Opener>,
    ) -> Result<Self, NetworkError> {
        network.prepare().await?;
        let (clear, stop) = (CancellationToken::new(), CancellationToken::new());
        let outbox = Outbox::start(Arc::clone(&reporter), stop.clone());
        let carrier = Carrier::new(runtime, network, drainer, opener, reporter, config.node_name);
        let reconciler = Reconciler::new(wanted, carrier, config.limits, outbox, (clear.clone(), stop.clone()));
        Ok(Self {
            clear,
            stop,
            task: tokio::spawn(reconciler.run()),
        })
    }

    /// Stops every container in its usual order, whatever is wanted, and then the agent. Answers whether nothing of them is
    /// left, as soon as that is so, which takes as long as the longest drain and stop grace.
    pub async fn clear(self) -> bool {
        self.clear.cancel();
        let mut task = self.task;
        let cleared = tokio::time::timeout(CLEAR, &mut task).await;
        task.abort();
        self.stop.cancel();
        matches!(cleared, Ok(Ok(())))
    }

    /// Stops the agent and leaves its containers running.
    pub async fn stop(self) {
        self.stop.cancel();
        let mut task = self.task;
        if tokio::time::timeout(STOP, &mut task).await.is_err() {
            task.abort();
        }
    }
}
