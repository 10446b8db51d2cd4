//! The loop over a runtime and a network that live in memory.

mod fakes;

use model::{Intent, NodeView, Phase, PinSource, RestartCondition, RestartPolicy};
use planner::{Moment, Step};
use tokio::sync::mpsc;

use super::carry::Outcome;
use super::table::Table;
use crate::ports::OpenError;
use crate::reason::{REGISTRY_DENIED, reason};
use crate::runtime::CommandEnd;
use fakes::World;

#[tokio::test]
async fn a_replica_is_run_told_and_stopped_in_order() {
    let mut world = World::start(&[]).await;
    world.want(&[(1, Intent::Run)]);
    world.until_phase(1, Phase::Starting).await;
    world.want(&[(1, Intent::Stop)]);
    world.until_phase(1, Phase::Stopped).await;
    let log = world.log();
    let wanted = [
        "pull app:1",
        "attach 1",
        "run 1",
        "drain 1",
        "terminate 1",
        "remove 1",
        "release 1",
    ];
    assert_eq!(log, wanted);
}

#[tokio::test]
async fn containers_are_kept_when_the_agent_is_started_again() {
    let mut world = World::start(&[]).await;
    world.want(&[(1, Intent::Run)]);
    world.until_phase(1, Phase::Starting).await;
    let mut world = world.restart().await;
    world.idle().await;
    assert_eq!(world.log(), ["pull app:1", "attach 1", "run 1"]);
    world.want(&[]);
    world.until_gone(1).await;
}

#[tokio::test]
async fn a_container_that_ends_is_started_again() {
    let mut world = World::start(&[]).await;
    world.want(&[(1, Intent::Run)]);
    world.until_phase(1, Phase::Starting).await;
    world.end(1, 3);
    let report = world.until_phase(1, Phase::Failed).await;
    assert_eq!(report.reason.as_ref().map(|it| it.code.as_str()), Some("exited"));
    assert!(
        report
            .reason
            .is_some_and(|it| it.message.contains("exit code 3") && it.message.contains("last words"))
    );
    let report = world.until_phase(1, Phase::Starting).await;
    assert_eq!(report.restarts, 1);
}

#[tokio::test]
async fn what_nobody_wants_is_stopped_only_after_this_host_has_caught_up() {
    let mut world = World::start(&[9]).await;
    world.want_cautiously(&[]);
    world.idle().await;
    assert_eq!(world.log(), Vec::<String>::new());
    world.want(&[]);
    world.until_gone(9).await;
    assert_eq!(world.log(), ["drain 9", "terminate 9", "remove 9", "release 9"]);
}

#[tokio::test]
async fn a_host_is_cleared_of_all_that_runs_whatever_is_wanted() {
    let mut world = World::start(&[9]).await;
    world.want_cautiously(&[]);
    world.idle().await;
    let log = world.clear().await;
    assert_eq!(log, ["drain 9", "terminate 9", "remove 9", "release 9"]);
    let mut world = World::start(&[]).await;
    world.want(&[(1, Intent::Run)]);
    world.until_phase(1, Phase::Starting).await;
    let log = world.clear().await;
    assert_eq!(log[3..], ["drain 1", "terminate 1", "remove 1", "release 1"]);
    let nothing: [&str; 0] = [];
    assert_eq!(World::start(&[]).await.clear().await, nothing);
}

#[tokio::test]
async fn nothing_is_said_while_containerd_is_away() {
    let mut world = World::start(&[]).await;
    world.want(&[(1, Intent::Run)]);
    world.until_phase(1, Phase::Starting).await;
    world.away(true);
    let before = world.reports();
    world.idle().await;
    assert_eq!(world.reports(), before);
    world.away(false);
    world.want(&[(1, Intent::Stop)]);
    world.until_phase(1, Phase::Stopped).await;
}

#[tokio::test]
async fn a_slow_pull_does_not_hold_up_a_stop() {
    let mut world = World::start(&[1]).await;
    let (hold, release) = mpsc::channel(1);
    world.hold_pulls(release);
    world.want(&[(1, Intent::Stop), (2, Intent::Run)]);
    world.until_phase(1, Phase::Stopped).await;
    assert!(!world.log().contains(&"run 2".to_owned()));
    hold.send(()).await.unwrap();
    world.until_phase(2, Phase::Starting).await;
}

#[tokio::test]
async fn an_image_that_nobody_waits_for_makes_way() {
    let mut world = World::start(&[]).await;
    let (hold, release) = mpsc::channel(1);
    world.hold_pulls(release);
    world.want_beside_standby(&[], "other:1");
    world.until_begun(1).await;
    world.want_beside_standby(&[(1, Intent::Run)], "other:1");
    world.until_begun(2).await;
    hold.send(()).await.unwrap();
    world.until_phase(1, Phase::Starting).await;
    assert_eq!(world.log()[0], "pull app:1", "{:?}", world.log());
}

#[tokio::test]
async fn a_worker_becomes_ready_without_being_asked() {
    let mut world = World::start(&[]).await;
    world.want_sealed(1, Intent::Run);
    let report = world.until_phase(1, Phase::Ready).await;
    assert_eq!((report.reason, report.address), (None, None));
    world.end(1, 3);
    let report = world.until_phase(1, Phase::Failed).await;
    assert!(report.reason.is_some_and(|it| it.message.contains("exit code 3")));
    world.until_phase(1, Phase::Ready).await;
}

#[tokio::test]
async fn a_container_with_secrets_waits_for_a_locked_keyring() {
    let mut world = World::start(&[]).await;
    world.refuse_to_open(Some(OpenError::Locked));
    world.want_sealed(1, Intent::Run);
    let report = loop {
        let report = world.until_phase(1, Phase::Starting).await;
        if report.reason.is_some() {
            break report;
        }
    };
    let reason = report.reason.expect("it was just looked at");
    assert_eq!(reason.code, "keyring_locked");
    assert!(reason.message.contains("goblins keyring unlock"), "{}", reason.message);
    world.idle().await;
    assert_eq!((world.log(), world.opened()), (vec!["pull app:1".to_owned()], 0));
    world.refuse_to_open(None);
    let report = world.until_phase(1, Phase::Ready).await;
    assert_eq!((report.reason, report.restarts), (None, 0));
    assert_eq!(world.log(), ["pull app:1", "attach 1", "run 1 with TOKEN"]);
}

#[tokio::test]
async fn a_locked_keyring_leaves_alone_what_runs() {
    let mut world = World::start(&[1]).await;
    world.refuse_to_open(Some(OpenError::Locked));
    world.want_sealed(1, Intent::Run);
    world.until_phase(1, Phase::Ready).await;
    assert_eq!((world.log(), world.opened()), (Vec::new(), 0));
}

#[tokio::test]
async fn an_image_is_looked_up_once_and_then_fetched_by_its_digest() {
    let mut world = World::start(&[]).await;
    world.want_unpinned(&[1, 2], None);
    world.until_phase(2, Phase::Starting).await;
    assert_eq!(world.pins(), [("sha256:new".to_owned(), PinSource::Registry)]);
    assert_eq!(world.log()[..2], ["look up app:1", "pull app:1@sha256:new"]);
}

#[tokio::test]
async fn a_silent_registry_is_told_until_it_answers() {
    let mut world = World::start(&[]).await;
    world.silence(true);
    world.want_unpinned(&[1], None);
    let reason = world.until_phase(1, Phase::Failed).await.reason.expect("told why");
    assert_eq!(reason.code, "registry_error");
    assert!(reason.message.contains("registry.test"), "{}", reason.message);
    assert_eq!(world.pins(), []);
    world.silence(false);
    world.until_phase(1, Phase::Starting).await;
    assert_eq!(world.pins(), [("sha256:new".to_owned(), PinSource::Registry)]);
}

#[tokio::test]
async fn while_the_registry_is_silent_what_is_known_runs() {
    let mut world = World::start(&[]).await;
    world.silence(true);
    world.want_unpinned(&[1], Some("sha256:old"));
    world.until_phase(1, Phase::Starting).await;
    assert_eq!(world.pins(), [("sha256:old".to_owned(), PinSource::LastKnown)]);
    let log = world.log();
    assert_eq!(
        log[..3],
        ["look up app:1", "look up app:1", "pull app:1@sha256:old"],
        "one lost answer is not silence"
    );
}

#[tokio::test]
async fn an_image_is_fetched_with_credentials_once_they_can_be_opened() {
    let mut world = World::start(&[]).await;
    world.refuse_to_open(Some(OpenError::Locked));
    world.want_private(1);
    let reason = loop {
        if let Some(reason) = world.until_phase(1, Phase::Pulling).await.reason {
            break reason;
        }
    };
    assert_eq!(reason.code, "keyring_locked");
    world.refuse_to_open(None);
    world.until_phase(1, Phase::Starting).await;
    assert_eq!(world.log()[0], "pull app:1@sha256:old as registry");
    assert_eq!(world.opened(), 1);
}

#[test]
fn what_was_refused_is_asked_for_again_as_soon_as_the_credentials_are_others() {
    let view = |version| NodeView {
        assignments: vec![fakes::private(1, version)],
        ..NodeView::default()
    };
    let image = "app:1@sha256:old".to_owned();
    let pull = Step::Pull { image: image.clone() };
    let mut table = Table::default();
    table.heed_credentials(&view(1));
    table.begin(&pull);
    let refused = Outcome::Failed(reason(REGISTRY_DENIED, "wrong password".to_owned()));
    table.end(&pull, refused, Moment::default(), Moment::default());
    table.heed_credentials(&view(1));
    assert!(table.observed().images.contains_key(&image), "nothing has changed");
    table.heed_credentials(&view(2));
    assert!(!table.observed().images.contains_key(&image));
}

#[tokio::test]
async fn a_value_that_does_not_open_is_told_by_its_key() {
    let mut world = World::start(&[]).await;
    world.refuse_to_open(Some(OpenError::Damaged));
    world.want_sealed(1, Intent::Run);
    let reason = world
        .until_phase(1, Phase::Failed)
        .await
        .reason
        .expect("a failure has a reason");
    assert_eq!(reason.code, "secret_unreadable");
    assert!(
        reason.message.contains("`TOKEN`") && !reason.message.contains("tweet"),
        "{}",
        reason.message
    );
}

#[tokio::test]
async fn a_container_whose_check_goes_on_failing_is_drained_stopped_and_started_again() {
    let mut world = World::start(&[]).await;
    world.want_checked(1, RestartPolicy::default());
    world.until_phase(1, Phase::Ready).await;
    world.checks(CommandEnd::Exited(2, "no database".to_owned()));
    let report = world.until_phase(1, Phase::Starting).await;
    let reason = report.reason.expect("a failing check has a reason");
    assert_eq!(reason.code, "health_failed");
    assert_eq!(
        reason.message,
        "the health check `check` ended with exit code 2, not 0; it printed last: no database"
    );
    let report = world.until_phase(1, Phase::Failed).await;
    assert_eq!(report.reason, Some(reason.clone()));
    world.checks(CommandEnd::Exited(0, String::new()));
    let report = world.until_phase(1, Phase::Ready).await;
    assert_eq!((report.restarts, report.reason), (1, None));
    let wanted = [
        "pull app:1",
        "attach 1",
        "run 1",
        "drain 1",
        "terminate 1",
        "remove 1",
        "attach 1",
        "run 1",
    ];
    assert_eq!(world.log(), wanted);
}

#[tokio::test]
async fn a_container_that_is_never_started_again_is_left_running_and_may_recover() {
    let mut world = World::start(&[]).await;
    let policy = RestartPolicy {
        condition: RestartCondition::Never,
        ..RestartPolicy::default()
    };
    world.want_checked(1, policy);
    world.until_phase(1, Phase::Ready).await;
    world.checks(CommandEnd::TimedOut(String::new()));
    world.until_phase(1, Phase::Failed).await;
    world.checks(CommandEnd::Exited(0, String::new()));
    let report = world.until_phase(1, Phase::Ready).await;
    assert_eq!(report.restarts, 0);
    assert!(!world.log().contains(&"terminate 1".to_owned()), "{:?}", world.log());
    world.end(1, 3);
    let report = world.until_phase(1, Phase::Failed).await;
    assert!(
        report
            .reason
            .is_some_and(|it| it.message.ends_with("is not started again"))
    );
    world.idle().await;
    assert_eq!(world.log(), ["pull app:1", "attach 1", "run 1"]);
}

#[tokio::test]
async fn a_check_that_cannot_be_run_says_nothing() {
    let mut world = World::start(&[]).await;
    world.want_checked(1, RestartPolicy::default());
    world.until_phase(1, Phase::Ready).await;
    world.away(true);
    let before = world.reports();
    world.idle().await;
    assert_eq!(world.reports(), before);
    world.away(false);
}

/// What a list and a look at one container say of it.
mod looks {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use planner::{ContainerState, Moment, Step};

    use super::super::carry::Outcome;
    use super::super::table::{Listing, Sight, Table};
    use super::fakes::replica;
    use crate::reason;
    use crate::runtime::{Listed, Task};

    const NOW: Moment = Moment(Duration::from_secs(1));

    fn container(task: Task) -> Listed {
        Listed {
            replica: replica(1),
            task,
            address: None,
            restarts: 0,
            stop_grace: Duration::from_secs(10),
            drain: None,
        }
    }

    fn listing(as_of: u64, task: Task) -> Listing {
        Listing {
            as_of,
            containers: vec![container(task)],
            ends: BTreeMap::new(),
            networked: [replica(1)].into(),
        }
    }

    fn sight(as_of: u64, task: Option<Task>) -> Sight {
        Sight {
            as_of,
            replica: replica(1),
            container: task.map(container),
            end: task.map(|_| reason::reason(reason::EXITED, "it ended".to_owned())),
        }
    }

    fn state(table: &Table) -> Option<ContainerState> {
        table.observed().instances.get(&replica(1)).map(|it| it.container)
    }

    /// A table that has seen one container run.
    fn table() -> Table {
        let mut table = Table::default();
        let as_of = table.stamp();
        table.merge(listing(as_of, Task::Running), NOW);
        table
    }

    #[test]
    fn one_that_has_ended_is_looked_at_by_itself_and_an_older_list_does_not_revive_it() {
        let mut table = table();
        let older = table.stamp();
        table.suspect(replica(1));
        let due = table.take_suspects();
        let [(found, as_of)] = due[..] else { panic!("{due:?}") };
        assert_eq!(found, replica(1));
        table.saw(&sight(as_of, Some(Task::Exited { code: 3 })), NOW);
        assert_eq!(state(&table), Some(ContainerState::Exited));
        table.merge(listing(older, Task::Running), NOW);
        assert_eq!(state(&table), Some(ContainerState::Exited));
        assert_eq!(table.take_suspects(), [], "nobody need look again");
    }

    #[test]
    fn an_older_look_does_not_count_against_a_newer_list() {
        let mut table = table();
        let older = table.stamp();
        let newer = table.stamp();
        table.merge(listing(newer, Task::Exited { code: 3 }), NOW);
        table.saw(&sight(older, Some(Task::Running)), NOW);
        assert_eq!(state(&table), Some(ContainerState::Exited));
    }

    #[test]
    fn what_a_step_changes_meanwhile_is_looked_at_once_it_has_ended() {
        let mut table = table();
        let as_of = table.stamp();
        let step = Step::Remove { replica: replica(1) };
        table.begin(&step);
        table.merge(listing(as_of, Task::Running), NOW);
        table.suspect(replica(1));
        assert_eq!(table.take_suspects(), [], "it is being changed");
        table.end(&step, Outcome::Fine, NOW, NOW);
        assert_eq!(state(&table), Some(ContainerState::Absent));
        let due = table.take_suspects();
        let [(_, as_of)] = due[..] else { panic!("{due:?}") };
        table.saw(&sight(as_of, None), NOW);
        assert_eq!(
            (state(&table), table.take_suspects()),
            (Some(ContainerState::Absent), Vec::new())
        );
    }

    #[test]
    fn an_event_of_a_container_that_nobody_knows_leaves_nothing_behind() {
        let mut table = table();
        let as_of = table.stamp();
        let unknown = Sight {
            replica: replica(2),
            ..sight(as_of, None)
        };
        table.saw(&unknown, NOW);
        assert!(!table.observed().instances.contains_key(&replica(2)));
    }
}
