//! Plans against text, and a model host that carries plans out until nothing is left to do.

mod host;

use std::net::{IpAddr, Ipv4Addr};

use expect_test::{Expect, expect};
use model::{Phase, Reason, RestartCondition, RestartPolicy};
use proptest::prelude::*;

use super::*;
use host::{Host, assignment, replica, unpinned, worker};

fn at(seconds: f64) -> Moment {
    Moment(Duration::from_secs_f64(seconds))
}

fn reason(code: &str) -> Reason {
    Reason {
        code: code.to_owned(),
        message: format!("{code} happened"),
    }
}

fn running() -> Instance {
    Instance {
        container: ContainerState::Running,
        networked: true,
        address: Some(IpAddr::V4(Ipv4Addr::new(10, 213, 0, 2))),
        health: Health::Ready,
        stop_grace: Duration::from_secs(10),
        ..Instance::default()
    }
}

/// Ids are too long to read: only their last characters stay.
fn print(plan: &Plan) -> String {
    let mut lines: Vec<_> = plan.steps.iter().map(|step| format!("{step:?}")).collect();
    lines.extend(plan.reports.iter().map(|it| {
        let reason = it.reason.as_ref().map(|it| format!(" {}", it.code)).unwrap_or_default();
        let address = it.address.map(|it| format!(" at {it}")).unwrap_or_default();
        format!(
            "report {}: {:?}{reason}{address}, {} restarts",
            it.replica, it.phase, it.restarts
        )
    }));
    lines.extend(plan.wake_at.map(|at| format!("wake at {:?}", at.0)));
    lines.join("\n").replace("00000000-0000-0000-0000-00000000000", "")
}

fn check(wanted: &[(u128, Intent, Phase)], there: &[(u128, Instance)], now: f64, expected: &Expect) {
    check_images(wanted, there, ImageState::Present, true, now, expected);
}

fn check_images(
    wanted: &[(u128, Intent, Phase)],
    there: &[(u128, Instance)],
    image: ImageState,
    may_start: bool,
    now: f64,
    expected: &Expect,
) {
    let assignments = wanted
        .iter()
        .map(|(n, intent, phase)| assignment(*n, *intent, *phase))
        .collect();
    let view = NodeView {
        assignments,
        ..NodeView::default()
    };
    let observed = Observed {
        instances: there.iter().map(|(n, it)| (replica(*n), it.clone())).collect(),
        images: [("app:1".to_owned(), image)].into(),
        ..Observed::default()
    };
    let plan = converge(&view, &observed, may_start, at(now), &Limits::default());
    expected.assert_eq(&print(&plan));
}

#[test]
fn a_new_replica_waits_for_its_image_then_starts() {
    let new = [(1, Intent::Run, Phase::Assigned), (2, Intent::Run, Phase::Assigned)];
    let view = NodeView {
        assignments: new
            .iter()
            .map(|(n, intent, phase)| assignment(*n, *intent, *phase))
            .collect(),
        ..NodeView::default()
    };
    let plan = converge(&view, &Observed::default(), true, at(0.0), &Limits::default());
    expect![[r#"
        Pull { image: "app:1" }
        report 1: Pulling, 0 restarts
        report 2: Pulling, 0 restarts"#]]
    .assert_eq(&print(&plan));
    check_images(
        &new,
        &[],
        ImageState::Pulling,
        true,
        1.0,
        &expect![[r#"
        report 1: Pulling, 0 restarts
        report 2: Pulling, 0 restarts"#]],
    );
    check(
        &new,
        &[],
        1.0,
        &expect![[r#"
        Run { replica: ReplicaId(1), restarts: 0 }
        Run { replica: ReplicaId(2), restarts: 0 }
        report 1: Starting, 0 restarts
        report 2: Starting, 0 restarts"#]],
    );
}

#[test]
fn an_image_that_cannot_be_had_is_told_and_asked_for_again_later() {
    let new = [(1, Intent::Run, Phase::Pulling)];
    let failed = || ImageState::Failed {
        reason: reason("image_not_found"),
        at: at(10.0),
        attempts: 2,
    };
    check_images(
        &new,
        &[],
        failed(),
        true,
        11.0,
        &expect![[r#"
        report 1: Failed image_not_found, 0 restarts
        wake at 14s"#]],
    );
    check_images(
        &new,
        &[],
        failed(),
        true,
        14.0,
        &expect![[r#"
        Pull { image: "app:1" }
        report 1: Failed image_not_found, 0 restarts"#]],
    );
}

fn check_look_up(known: Option<&str>, seen: Option<LookUp>, now: f64, expected: &Expect) {
    let view = NodeView {
        assignments: vec![unpinned(1, known), unpinned(2, known)],
        ..NodeView::default()
    };
    let deployment = view.assignments[0].replica.deployment;
    let observed = Observed {
        look_ups: seen.map(|it| (deployment, it)).into_iter().collect(),
        ..Observed::default()
    };
    let plan = converge(&view, &observed, true, at(now), &Limits::default());
    expected.assert_eq(&print(&plan).replace("DeploymentId(00000000-0000-0000-0000-0000000000c8)", "D"));
}

#[test]
fn an_image_is_looked_up_once_for_a_rollout_and_fetched_only_then() {
    let stage = |stage| {
        Some(LookUp {
            stage,
            ..LookUp::default()
        })
    };
    check_look_up(
        Some("sha256:b"),
        None,
        1.0,
        &expect![[r#"
            LookUp { deployment: D, image: "app:1", or_else: None }
            report 1: Pulling, 0 restarts
            report 2: Pulling, 0 restarts"#]],
    );
    let waits = expect![[r#"
        report 1: Pulling, 0 restarts
        report 2: Pulling, 0 restarts"#]];
    check_look_up(None, stage(LookUpStage::UnderWay), 2.0, &waits);
    // Told, but the view does not have it yet.
    check_look_up(
        None,
        stage(LookUpStage::Told(at(2.0))),
        3.0,
        &expect![[r#"
            report 1: Pulling, 0 restarts
            report 2: Pulling, 0 restarts
            wake at 4s"#]],
    );
}

#[test]
fn a_registry_that_does_not_answer_is_told_and_what_is_known_is_taken() {
    let with = |stage| {
        Some(LookUp {
            failures: 1,
            failure: Some(reason("registry_unreachable")),
            stage,
        })
    };
    let failed = || with(LookUpStage::Failed(at(10.0)));
    check_look_up(
        Some("sha256:b"),
        failed(),
        11.0,
        &expect![[r#"
            report 1: Failed registry_unreachable, 0 restarts
            report 2: Failed registry_unreachable, 0 restarts
            wake at 12s"#]],
    );
    check_look_up(
        Some("sha256:b"),
        failed(),
        12.0,
        &expect![[r#"
            LookUp { deployment: D, image: "app:1", or_else: Some("sha256:b") }
            report 1: Failed registry_unreachable, 0 restarts
            report 2: Failed registry_unreachable, 0 restarts"#]],
    );
    check_look_up(
        None,
        failed(),
        12.0,
        &expect![[r#"
            LookUp { deployment: D, image: "app:1", or_else: None }
            report 1: Failed registry_unreachable, 0 restarts
            report 2: Failed registry_unreachable, 0 restarts"#]],
    );
    // One that swallows what it is sent takes as long as the cluster has patience: each try is not a new start.
    check_look_up(
        None,
        with(LookUpStage::UnderWay),
        18.0,
        &expect![[r#"
            report 1: Failed registry_unreachable, 0 restarts
            report 2: Failed registry_unreachable, 0 restarts"#]],
    );
}

#[test]
fn what_is_pinned_is_fetched_by_its_digest() {
    let mut it = assignment(1, Intent::Run, Phase::Pulling);
    it.image = ImageWanted::Pinned("sha256:c".to_owned());
    let view = NodeView {
        assignments: vec![it],
        ..NodeView::default()
    };
    let plan = converge(&view, &Observed::default(), true, at(1.0), &Limits::default());
    expect![[r#"Pull { image: "app:1@sha256:c" }"#]].assert_eq(&print(&plan));
}

#[test]
fn images_to_stand_by_with_are_fetched_one_at_a_time_and_last() {
    let standby = |n: u32| Standby {
        image: format!("other:{n}@sha256:a"),
        registry: None,
    };
    let mut view = NodeView {
        assignments: vec![assignment(1, Intent::Run, Phase::Pulling)],
        standby: vec![standby(1), standby(2)],
        ..NodeView::default()
    };
    let mut observed = Observed::default();
    let plan =
        |view: &NodeView, observed: &Observed, now| print(&converge(view, observed, true, at(now), &Limits::default()));
    expect![[r#"Pull { image: "app:1" }"#]].assert_eq(&plan(&view, &observed, 1.0));
    observed.images.insert("app:1".to_owned(), ImageState::Pulling);
    expect![""].assert_eq(&plan(&view, &observed, 1.0));
    view.assignments.clear();
    observed.images.insert("app:1".to_owned(), ImageState::Present);
    expect![[r#"Prefetch { image: "other:1@sha256:a" }"#]].assert_eq(&plan(&view, &observed, 1.0));
    observed.put_off.insert("other:1@sha256:a".to_owned(), at(3.0));
    expect![[r#"
        Prefetch { image: "other:2@sha256:a" }
        wake at 3s"#]]
    .assert_eq(&plan(&view, &observed, 2.0));
    let cautious = converge(&view, &observed, false, at(9.0), &Limits::default());
    assert!(cautious.steps.is_empty());
}

/// How long connections that changed their protocol have, on a host that says 15 s.
fn tunnels_have(drain: Option<Duration>) -> Option<Duration> {
    let view = NodeView {
        assignments: vec![assignment(1, Intent::Stop, Phase::Ready)],
        ..NodeView::default()
    };
    let it = Instance { drain, ..running() };
    let observed = Observed {
        instances: [(replica(1), it)].into(),
        ..Observed::default()
    };
    let limits = Limits {
        drain_tunnels: Duration::from_secs(15),
        ..Limits::default()
    };
    match converge(&view, &observed, true, at(100.0), &limits).steps[..] {
        [Step::Drain { tunnels, .. }] => Some(tunnels),
        _ => None,
    }
}

#[test]
fn tunnels_have_what_the_host_says_or_the_service_where_that_is_longer() {
    let seconds = |it| Some(Duration::from_secs(it));
    assert_eq!(tunnels_have(None), seconds(15));
    assert_eq!(tunnels_have(seconds(4)), seconds(15));
    assert_eq!(tunnels_have(seconds(600)), seconds(600));
}

#[test]
fn a_stop_goes_step_by_step() {
    let stop = [(1, Intent::Stop, Phase::Ready)];
    let mut it = running();
    check(
        &stop,
        &[(1, it.clone())],
        100.0,
        &expect!["Drain { replica: ReplicaId(1), limit: 30s, tunnels: 300s }"],
    );
    it.drained = true;
    check(
        &stop,
        &[(1, it.clone())],
        100.0,
        &expect!["Terminate { replica: ReplicaId(1) }"],
    );
    it.terminated_at = Some(at(100.0));
    check(&stop, &[(1, it.clone())], 101.0, &expect!["wake at 110s"]);
    check(
        &stop,
        &[(1, it.clone())],
        110.0,
        &expect!["Kill { replica: ReplicaId(1) }"],
    );
    it.killed_at = Some(at(110.0));
    check(&stop, &[(1, it.clone())], 111.0, &expect!["wake at 115s"]);
    it.container = ContainerState::Exited;
    check(
        &stop,
        &[(1, it.clone())],
        111.0,
        &expect!["Remove { replica: ReplicaId(1) }"],
    );
    it.container = ContainerState::Absent;
    check(
        &stop,
        &[(1, it.clone())],
        111.0,
        &expect!["ReleaseAddress { replica: ReplicaId(1) }"],
    );
    it.networked = false;
    check(&stop, &[(1, it)], 111.0, &expect!["report 1: Stopped, 0 restarts"]);
}

#[test]
fn what_no_assignment_wants_is_stopped_once_this_host_has_caught_up() {
    let busy = Instance {
        busy: true,
        ..running()
    };
    let left_over = Instance {
        networked: true,
        ..Instance::default()
    };
    let there = [(1, running()), (2, busy), (3, left_over)];
    check_images(&[], &there, ImageState::Present, false, 1.0, &expect![""]);
    check(
        &[],
        &there,
        1.0,
        &expect![[r#"
        Drain { replica: ReplicaId(1), limit: 30s, tunnels: 300s }
        ReleaseAddress { replica: ReplicaId(3) }"#]],
    );
}

#[test]
fn a_host_that_has_not_caught_up_keeps_what_runs_and_starts_nothing() {
    let wanted = [
        (1, Intent::Run, Phase::Ready),
        (2, Intent::Run, Phase::Ready),
        (3, Intent::Stop, Phase::Ready),
    ];
    let ended = Instance {
        container: ContainerState::Exited,
        ..running()
    };
    let there = [(1, running()), (2, ended), (3, running())];
    check_images(
        &wanted,
        &there,
        ImageState::Present,
        false,
        1.0,
        &expect![[r#"
        Drain { replica: ReplicaId(3), limit: 30s, tunnels: 300s }
        report 1: Ready at 10.213.0.2:8080, 0 restarts"#]],
    );
}

#[test]
fn a_container_that_ends_is_started_again_with_growing_pauses() {
    let wanted = [(1, Intent::Run, Phase::Ready)];
    let failure = Some(Failure {
        reason: reason("exited"),
        at: at(100.0),
        cause: Cause::Ended { cleanly: false },
    });
    let mut it = Instance {
        container: ContainerState::Exited,
        failure,
        failures: 1,
        ..running()
    };
    check(
        &wanted,
        &[(1, it.clone())],
        100.0,
        &expect![[r#"
        report 1: Failed exited, 0 restarts
        wake at 100.1s"#]],
    );
    check(
        &wanted,
        &[(1, it.clone())],
        100.1,
        &expect![[r#"
        Remove { replica: ReplicaId(1) }
        report 1: Failed exited, 0 restarts"#]],
    );
    it.container = ContainerState::Absent;
    check(
        &wanted,
        &[(1, it.clone())],
        100.2,
        &expect![[r#"
        Run { replica: ReplicaId(1), restarts: 1 }
        report 1: Failed exited, 0 restarts"#]],
    );
    it.busy = true;
    check(
        &wanted,
        &[(1, it.clone())],
        100.3,
        &expect!["report 1: Starting exited, 0 restarts"],
    );
    it = Instance {
        busy: false,
        failures: 5,
        restarts: 4,
        ..it
    };
    check(
        &wanted,
        &[(1, it)],
        101.0,
        &expect![[r#"
        report 1: Failed exited, 4 restarts
        wake at 108s"#]],
    );
}

#[test]
fn what_health_checks_say_is_told_and_a_replica_that_stays_unfit_is_stopped_to_be_started_again() {
    let wanted = [(1, Intent::Run, Phase::Starting)];
    let there = |health| [(1, Instance { health, ..running() })];
    check(
        &wanted,
        &there(Health::Waiting),
        10.0,
        &expect!["report 1: Starting at 10.213.0.2:8080, 0 restarts"],
    );
    check(
        &wanted,
        &there(Health::Unfit(reason("health_failed"))),
        10.0,
        &expect!["report 1: Starting health_failed at 10.213.0.2:8080, 0 restarts"],
    );
    let mut it = there(Health::Failed(reason("health_failed")))[0].1.clone();
    it.drain = Some(Duration::from_secs(4));
    check(
        &wanted,
        &[(1, it.clone())],
        10.0,
        &expect![[r#"
            Drain { replica: ReplicaId(1), limit: 4s, tunnels: 4s }
            report 1: Failed health_failed at 10.213.0.2:8080, 0 restarts"#]],
    );
    it.drained = true;
    it.health = Health::Ready;
    check(
        &wanted,
        &[(1, it)],
        11.0,
        &expect![[r#"
            Terminate { replica: ReplicaId(1) }
            report 1: Starting at 10.213.0.2:8080, 0 restarts"#]],
    );
}

#[test]
fn a_restart_policy_is_obeyed_and_told() {
    let plan = |condition, it: Instance| {
        let mut wanted = assignment(1, Intent::Run, Phase::Ready);
        wanted.settings.restart = RestartPolicy {
            condition,
            ..RestartPolicy::default()
        };
        let view = NodeView {
            assignments: vec![wanted],
            ..NodeView::default()
        };
        let observed = Observed {
            instances: [(replica(1), it)].into(),
            images: [("app:1".to_owned(), ImageState::Present)].into(),
            ..Observed::default()
        };
        converge(&view, &observed, true, at(100.0), &Limits::default())
    };
    let ended = Instance {
        container: ContainerState::Exited,
        failure: Some(Failure {
            reason: reason("exited"),
            at: at(10.0),
            cause: Cause::Ended { cleanly: true },
        }),
        failures: 1,
        ..running()
    };
    let plan_of_ended = plan(RestartCondition::OnFailure, ended.clone());
    assert!(
        plan_of_ended.steps.is_empty() && plan_of_ended.wake_at.is_none(),
        "{plan_of_ended:?}"
    );
    let said = plan_of_ended.reports[0].reason.as_ref().expect("a reason");
    assert!(said.message.ends_with("is not started again"), "{}", said.message);
    assert_eq!(plan(RestartCondition::Always, ended).steps.len(), 1);
    let unfit = Instance {
        health: Health::Failed(reason("health_failed")),
        ..running()
    };
    assert_eq!(plan(RestartCondition::Never, unfit.clone()).steps, []);
    assert_eq!(plan(RestartCondition::OnFailure, unfit).steps.len(), 1);
}

#[test]
fn nothing_is_claimed_of_a_container_that_was_just_found() {
    let there = [(
        1,
        Instance {
            health: Health::Unknown,
            ..running()
        },
    )];
    check(&[(1, Intent::Run, Phase::Ready)], &there, 1.0, &expect![""]);
    check(
        &[(1, Intent::Run, Phase::Pulling)],
        &there,
        1.0,
        &expect!["report 1: Starting at 10.213.0.2:8080, 0 restarts"],
    );
}

#[test]
fn after_trouble_of_the_hosts_own_a_step_waits() {
    let held = Instance {
        hold_until: Some(at(7.0)),
        ..running()
    };
    check(
        &[(1, Intent::Stop, Phase::Ready)],
        &[(1, held.clone())],
        6.0,
        &expect!["wake at 7s"],
    );
    check(
        &[(1, Intent::Stop, Phase::Ready)],
        &[(1, held)],
        7.0,
        &expect!["Drain { replica: ReplicaId(1), limit: 30s, tunnels: 300s }"],
    );
}

fn check_worker(phase: Phase, it: &Instance, now: f64, expected: &Expect) {
    let view = NodeView {
        assignments: vec![worker(1, Intent::Run, phase)],
        ..NodeView::default()
    };
    let observed = Observed {
        instances: [(replica(1), it.clone())].into(),
        images: [("app:1".to_owned(), ImageState::Present)].into(),
        ..Observed::default()
    };
    let plan = converge(&view, &observed, true, at(now), &Limits::default());
    expected.assert_eq(&print(&plan));
}

#[test]
fn a_worker_is_ready_once_its_process_has_run_for_a_while() {
    let mut it = Instance {
        health: Health::Waiting,
        running_since: Some(at(5.0)),
        ..running()
    };
    check_worker(
        Phase::Assigned,
        &it,
        5.5,
        &expect![[r#"
        report 1: Starting, 0 restarts
        wake at 6s"#]],
    );
    check_worker(Phase::Starting, &it, 6.0, &expect!["report 1: Ready, 0 restarts"]);
    check_worker(Phase::Ready, &it, 600.0, &expect![""]);
    it.health = Health::Unknown;
    // Just found by an agent that was started again: neither called ready nor taken back.
    check_worker(Phase::Ready, &it, 5.5, &expect!["wake at 6s"]);
    check_worker(Phase::Starting, &it, 5.5, &expect!["wake at 6s"]);
}

#[test]
fn a_worker_that_ends_again_and_again_is_not_called_ready_in_between() {
    let mut it = Instance {
        container: ContainerState::Exited,
        running_since: None,
        failures: 3,
        restarts: 2,
        failure: Some(Failure {
            reason: reason("exited"),
            at: at(10.0),
            cause: Cause::Ended { cleanly: false },
        }),
        ..running()
    };
    check_worker(
        Phase::Ready,
        &it,
        10.0,
        &expect![[r#"
        report 1: Failed exited, 2 restarts
        wake at 12s"#]],
    );
    it.container = ContainerState::Running;
    it.restarts = 3;
    it.running_since = Some(at(12.0));
    it.health = Health::Waiting;
    check_worker(
        Phase::Failed,
        &it,
        15.0,
        &expect![[r#"
        report 1: Starting exited, 3 restarts
        wake at 20s"#]],
    );
    check_worker(Phase::Starting, &it, 20.0, &expect!["report 1: Ready, 3 restarts"]);
}

#[test]
fn what_is_blocked_waits_with_its_reason_and_counts_no_restart() {
    let mut it = Instance {
        blocked: Some(reason("keyring_locked")),
        hold_until: Some(at(7.0)),
        ..Instance::default()
    };
    let wanted = [(1, Intent::Run, Phase::Pulling)];
    check(
        &wanted,
        &[(1, it.clone())],
        6.5,
        &expect![[r#"
        report 1: Starting keyring_locked, 0 restarts
        wake at 7s"#]],
    );
    check(
        &wanted,
        &[(1, it.clone())],
        7.0,
        &expect![[r#"
        Run { replica: ReplicaId(1), restarts: 0 }
        report 1: Starting keyring_locked, 0 restarts"#]],
    );
    it.busy = true;
    check(
        &wanted,
        &[(1, it)],
        7.1,
        &expect!["report 1: Starting keyring_locked, 0 restarts"],
    );
}

fn instance() -> impl Strategy<Value = Instance> {
    let container = prop_oneof![
        Just(ContainerState::Absent),
        Just(ContainerState::Created),
        Just(ContainerState::Running),
        Just(ContainerState::Exited),
    ];
    let health = prop_oneof![Just(Health::Unknown), Just(Health::Waiting), Just(Health::Ready)];
    (container, health, any::<bool>(), any::<bool>(), 0_u32..4, any::<bool>()).prop_map(
        |(container, health, networked, failed, failures, hold)| Instance {
            container,
            health,
            // One that runs has its network.
            networked: networked || container == ContainerState::Running,
            running_since: (container == ContainerState::Running).then(|| at(0.0)),
            failures,
            failure: failed.then(|| Failure {
                reason: reason("exited"),
                at: at(0.0),
                cause: Cause::Ended { cleanly: false },
            }),
            hold_until: hold.then(|| at(3.0)),
            ..running()
        },
    )
}

proptest! {
    /// Whatever was there, carrying plans out ends with what is wanted, and then there is nothing more to do or tell.
    #[test]
    fn any_host_reaches_what_is_wanted(
        wanted in proptest::collection::btree_map(1_u128..8, any::<bool>(), 0..6),
        there in proptest::collection::btree_map(1_u128..8, instance(), 0..6),
        luck in proptest::collection::vec(any::<bool>(), 0..20),
    ) {
        let intent = |run| if run { Intent::Run } else { Intent::Stop };
        let kind = |n: u128| if n.is_multiple_of(2) { worker } else { assignment };
        let one = |(n, run): (&u128, &bool)| match (n % 3, run) {
            (0, true) => unpinned(*n, (*n == 3).then_some("sha256:b")),
            _ => kind(*n)(*n, intent(*run), Phase::Assigned),
        };
        let assignments = wanted.iter().map(one).collect();
        let view = NodeView { assignments, ..NodeView::default() };
        let instances = there.into_iter().map(|(n, it)| (replica(n), it)).collect();
        let mut host = Host::new(view, Observed { instances, ..Observed::default() }, luck);
        host.settle();
        let up: Vec<_> = host.observed.instances.iter().filter(|(_, it)| it.networked).map(|(id, _)| *id).collect();
        let run: Vec<_> = wanted.iter().filter(|(_, run)| **run).map(|(n, _)| replica(*n)).collect();
        prop_assert_eq!(&up, &run);
        for id in &run {
            prop_assert_eq!(host.observed.instances[id].container, ContainerState::Running);
        }
        for assignment in &host.view.assignments {
            let phase = if assignment.replica.intent == Intent::Run { Phase::Ready } else { Phase::Stopped };
            prop_assert_eq!(assignment.replica.phase, phase);
        }
    }

    /// The same input gives the same plan, with at most one step for each replica and none for a busy one.
    #[test]
    fn plans_are_deterministic_and_never_crowd_a_replica(
        wanted in proptest::collection::btree_map(1_u128..8, any::<bool>(), 0..6),
        there in proptest::collection::btree_map(1_u128..8, (instance(), any::<bool>()), 0..6),
        may_start: bool,
    ) {
        let intent = |run| if run { Intent::Run } else { Intent::Stop };
        let assignments = wanted.iter().map(|(n, run)| assignment(*n, intent(*run), Phase::Assigned)).collect();
        let view = NodeView { assignments, ..NodeView::default() };
        let busy = |(n, (it, busy))| (replica(n), Instance { busy, ..it });
        let observed = Observed { instances: there.into_iter().map(busy).collect(), ..Observed::default() };
        let plan = converge(&view, &observed, may_start, at(1.0), &Limits::default());
        prop_assert_eq!(&plan, &converge(&view, &observed, may_start, at(1.0), &Limits::default()));
        let targets: Vec<_> = plan.steps.iter().filter_map(host::target).collect();
        let distinct: BTreeSet<_> = targets.iter().copied().collect();
        prop_assert_eq!(targets.len(), distinct.len());
        prop_assert!(distinct.iter().all(|id| observed.instances.get(id).is_none_or(|it| !it.busy)));
        let starts = plan.steps.iter().any(|step| matches!(step, Step::Run { .. } | Step::Pull { .. }));
        prop_assert!(may_start || !starts);
    }
}
