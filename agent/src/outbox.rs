//! Reports on their way to the cluster: only the newest of each replica, again until the cluster's record shows them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::{Phase, ReplicaId, ReplicaReport};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::ports::{ReportError, Reporter};

/// How long a report that a replica is on its way waits: it is mostly ready by then, or cannot be, and each report wakes
/// every node of the cluster.
const ON_ITS_WAY_FOR: Duration = Duration::from_millis(150);
/// A report that was taken is not sent again before then; the record shows it long before.
const TAKEN_FOR: Duration = Duration::from_secs(3);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(10);

/// Where the loop puts what differs from the cluster's records.
#[derive(Debug)]
pub(crate) struct Outbox {
    pending: watch::Sender<Vec<News>>,
}

/// A report that the cluster has not heard.
#[derive(Clone, Debug, PartialEq)]
struct News {
    report: ReplicaReport,
    may_wait: bool,
}

impl Outbox {
    /// Sends until `stop`.
    pub(crate) fn start(reporter: Arc<dyn Reporter>, stop: CancellationToken) -> Self {
        let (pending, receive) = watch::channel(Vec::new());
        tokio::spawn(stop.run_until_cancelled_owned(send(reporter, receive)));
        Self { pending }
    }

    /// Replaces everything that was waiting: what is not in it any more is known, or true no longer. `known` is the phase
    /// in the cluster's record of a replica.
    pub(crate) fn set(&self, reports: Vec<ReplicaReport>, known: impl Fn(ReplicaId) -> Option<Phase>) {
        let news = |report: ReplicaReport| News {
            may_wait: is_on_its_way(&report, known(report.replica)),
            report,
        };
        let news: Vec<_> = reports.into_iter().map(news).collect();
        self.pending.send_if_modified(|old| {
            let changed = *old != news;
            *old = news;
            changed
        });
    }
}

async fn send(reporter: Arc<dyn Reporter>, mut pending: watch::Receiver<Vec<News>>) {
    let mut taken: HashMap<ReplicaId, (ReplicaReport, Instant)> = HashMap::new();
    let mut unsaid = Unsaid::default();
    let mut pause = FIRST_PAUSE;
    loop {
        let all = pending.borrow_and_update().clone();
        let now = Instant::now();
        taken.retain(|_, (_, at)| now.duration_since(*at) < TAKEN_FOR);
        let news: Vec<_> = all
            .into_iter()
            .filter(|it| taken.get(&it.report.replica).is_none_or(|(sent, _)| *sent != it.report))
            .collect();
        let (due, later) = unsaid.due(news, now);
        if due.is_empty() {
            let again = taken.values().map(|(_, at)| *at + TAKEN_FOR).chain(later).min();
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

/// Replicas of which there is something to tell, and since when.
#[derive(Default)]
struct Unsaid(HashMap<ReplicaId, Instant>);

impl Unsaid {
    /// What is to be told now of these, which are all there is to tell, and when the next one is.
    fn due(&mut self, news: Vec<News>, now: Instant) -> (Vec<ReplicaReport>, Option<Instant>) {
        let since = |id: ReplicaId| self.0.get(&id).copied().unwrap_or(now);
        let since: HashMap<_, _> = news
            .iter()
            .map(|it| (it.report.replica, since(it.report.replica)))
            .collect();
        let until = |it: &News| since.get(&it.report.replica).map_or(now, |at| *at + ON_ITS_WAY_FOR);
        let (later, due): (Vec<_>, Vec<_>) = news.into_iter().partition(|it| it.may_wait && until(it) > now);
        let next = later.iter().map(until).min();
        let due = due.into_iter().map(|it| it.report).collect();
        self.0 = since;
        (due, next)
    }
}

/// Whether a replica does what was expected of it, and is not there yet: not so one that was ready before.
fn is_on_its_way(report: &ReplicaReport, known: Option<Phase>) -> bool {
    report.reason.is_none() && report.phase < Phase::Ready && known.is_some_and(|it| it < Phase::Ready)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use model::{DeploymentId, PinSource};
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
        outbox.set(vec![report(1, Phase::Starting)], |_| None);
        assert_eq!(got.recv().await.unwrap(), [report(1, Phase::Starting)]);
        outbox.set(vec![report(1, Phase::Starting), report(2, Phase::Ready)], |_| None);
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
        outbox.set(Vec::new(), |_| None);
        stop.cancel();
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_on_its_way_is_told_of_only_if_it_takes_long() {
        let (sent, mut got) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let refuse = Mutex::new(0);
        let outbox = Outbox::start(Arc::new(FakeReporter { refuse, sent }), stop.clone());
        let known = |id: ReplicaId| {
            Some(if id.0.as_u128() == 3 {
                Phase::Ready
            } else {
                Phase::Assigned
            })
        };
        let starting = || report(1, Phase::Starting);
        outbox.set(vec![report(1, Phase::Pulling), report(2, Phase::Starting)], known);
        let began = Instant::now();
        // It hears of that before any time passes.
        tokio::task::yield_now().await;
        tokio::time::advance(ON_ITS_WAY_FOR / 2).await;
        outbox.set(
            vec![starting(), report(2, Phase::Ready), report(3, Phase::Starting)],
            known,
        );
        assert_eq!(
            got.recv().await.unwrap(),
            [report(2, Phase::Ready), report(3, Phase::Starting)],
            "one is ready and one is no longer: neither waits"
        );
        assert_eq!(got.recv().await.unwrap(), [starting()]);
        // Since there was something to tell, whatever it was; timers count whole milliseconds.
        let waited = began.elapsed();
        assert!(
            (ON_ITS_WAY_FOR..ON_ITS_WAY_FOR * 5 / 4).contains(&waited),
            "told after {waited:?}"
        );
        stop.cancel();
    }
}
