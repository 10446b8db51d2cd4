//! Reports on their way to the cluster: only the newest of each replica, again until the cluster's record shows them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::{ReplicaId, ReplicaReport};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::ports::{ReportError, Reporter};

/// A report that was taken is not sent again before then; the record shows it long before.
const TAKEN_FOR: Duration = Duration::from_secs(3);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(10);

/// Where the loop puts what differs from the cluster's records.
#[derive(Debug)]
pub(crate) struct Outbox {
    pending: watch::Sender<Vec<ReplicaReport>>,
}

impl Outbox {
    /// Sends until `stop`.
    pub(crate) fn start(reporter: Arc<dyn Reporter>, stop: CancellationToken) -> Self {
        let (pending, receive) = watch::channel(Vec::new());
        tokio::spawn(stop.run_until_cancelled_owned(send(reporter, receive)));
        Self { pending }
    }

    /// Replaces everything that was waiting: what is not in it any more is known, or true no longer.
    pub(crate) fn set(&self, reports: Vec<ReplicaReport>) {
        self.pending.send_if_modified(|old| {
            let changed = *old != reports;
            *old = reports;
            changed
        });
    }
}

async fn send(reporter: Arc<dyn Reporter>, mut pending: watch::Receiver<Vec<ReplicaReport>>) {
    let mut taken: HashMap<ReplicaId, (ReplicaReport, Instant)> = HashMap::new();
    let mut pause = FIRST_PAUSE;
    loop {
        let all = pending.borrow_and_update().clone();
        let now = Instant::now();
        taken.retain(|_, (_, at)| now.duration_since(*at) < TAKEN_FOR);
        let due: Vec<_> = all
            .into_iter()
            .filter(|report| taken.get(&report.replica).is_none_or(|(sent, _)| sent != report))
            .collect();
        if due.is_empty() {
            let again = taken.values().map(|(_, at)| *at + TAKEN_FOR).min();
            tokio::select! {
                changed = pending.changed() => if changed.is_err() { return },
                () = sleep_until(again.unwrap_or(now)), if again.is_some() => {}
            }
            continue;
        }
        let late = || ReportError(format!("no answer within {} s", LIMIT.as_secs()));
        match timeout(LIMIT, reporter.report(due.clone()))
            .await
            .unwrap_or_else(|_| Err(late()))
        {
            Ok(()) => {
                let now = Instant::now();
                taken.extend(due.into_iter().map(|report| (report.replica, (report, now))));
                pause = FIRST_PAUSE;
            }
            Err(error) => {
                tracing::warn!(%error, reports = due.len(), "what became of replicas is told again in {pause:?}");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use model::{DeploymentId, Phase, PinSource};
    use tokio::sync::mpsc;
    use uuid::Uuid;

    use super::*;

    struct FakeReporter {
        refuse: Mutex<u32>,
        sent: mpsc::UnboundedSender<Vec<ReplicaReport>>,
    }

    #[async_trait]
    impl Reporter for FakeReporter {
        async fn pin(&self, _: DeploymentId, _: &str, _: PinSource) -> Result<(), ReportError> {
            Ok(())
        }

        async fn report(&self, reports: Vec<ReplicaReport>) -> Result<(), ReportError> {
            let mut refuse = self.refuse.lock().unwrap();
            if *refuse > 0 {
                *refuse -= 1;
                return Err(ReportError("no leader".to_owned()));
            }
            self.sent.send(reports).map_err(|_| ReportError("test over".to_owned()))
        }
    }

    fn report(n: u128, phase: Phase) -> ReplicaReport {
        ReplicaReport {
            replica: ReplicaId(Uuid::from_u128(n)),
            phase,
            reason: None,
            address: None,
            restarts: 0,
        }
    }

    #[tokio::test]
    async fn reports_are_retried_sent_once_and_repeated_while_the_record_differs() {
        let (sent, mut got) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let outbox = Outbox::start(
            Arc::new(FakeReporter {
                refuse: Mutex::new(3),
                sent,
            }),
            stop.clone(),
        );
        outbox.set(vec![report(1, Phase::Starting)]);
        assert_eq!(got.recv().await.unwrap(), [report(1, Phase::Starting)]);
        outbox.set(vec![report(1, Phase::Starting), report(2, Phase::Ready)]);
        assert_eq!(
            got.recv().await.unwrap(),
            [report(2, Phase::Ready)],
            "what was taken is not told twice"
        );
        let again = got.recv().await.unwrap();
        assert!(
            again.contains(&report(1, Phase::Starting)),
            "until the record still differs later"
        );
        outbox.set(Vec::new());
        stop.cancel();
    }
}
