use expect_test::expect;
use model::{
    Command, Constraint, ContainerSpec, DeploymentStatus, Intent, NodeId, Phase, PinSource, PlacementRules, PlanAction,
    Reason, Resources, ServiceId, ServicePatch, Setting, UpdatePolicy,
};
use proptest::prelude::*;

use super::*;
use crate::testing::TestCluster;

fn settle(cluster: &mut TestCluster, id: ServiceId) {
    for _ in 0..20 {
        if cluster.plan(id).actions.is_empty() {
            cluster.hosts_obey();
            if cluster.plan(id).actions.is_empty() {
                return;
            }
        }
        cluster.hosts_obey();
    }
    panic!(
        "no end: {:?}",
        plan_service(&cluster.state, id, &mut Loads::of(&cluster.state), cluster.now)
    );
}

fn status(cluster: &TestCluster, id: ServiceId) -> (u32, DeploymentStatus) {
    let service = cluster.state.service(id).expect("there");
    let newest = cluster.state.deployment(service.deployment).expect("there");
    (newest.version, newest.status)
}

/// One line an action, with nodes and versions in place of ids.
pub(super) fn told(cluster: &TestCluster, plan: &ServicePlan) -> String {
    let replica = |id| {
        let it = cluster.state.replica(id).expect("there");
        format!(
            "version {} on {}",
            it.version,
            cluster.state.node(it.node).expect("there").name
        )
    };
    let version = |id| cluster.state.deployment(id).expect("there").version;
    let line = |action: &PlanAction| match action {
        PlanAction::Place { deployment, node } => format!("place version {} on n{node}", version(*deployment)),
        PlanAction::Retire(id) => format!("retire {}", replica(*id)),
        PlanAction::Forget(id) => format!("forget {}", replica(*id)),
        PlanAction::Finish {
            deployment,
            status,
            error_message,
        } => format!("finish version {}: {status:?} {error_message}", version(*deployment))
            .trim_end()
            .to_owned(),
        PlanAction::Redeploy => "redeploy".to_owned(),
        PlanAction::Trouble(reason) => format!("trouble: {}", reason.as_ref().map_or("none", |it| it.message.as_str())),
    };
    plan.actions.iter().map(|it| line(it) + "\n").collect()
}

fn pin_newest(cluster: &mut TestCluster, id: ServiceId, digest: &str) {
    let deployment = cluster.state.service(id).expect("there").deployment;
    let pin = Command::PinImage {
        deployment,
        digest: digest.to_owned(),
        source: PinSource::Registry,
    };
    cluster.system(pin).expect("pinned");
}

#[test]
fn a_tag_that_has_moved_replaces_replicas_and_one_that_has_not_moved_keeps_them() {
    let mut cluster = TestCluster::new(2);
    let id = cluster.service("web", 2, ContainerSpec::default());
    pin_newest(&mut cluster, id, "sha256:a");
    settle(&mut cluster, id);
    let replicas = |cluster: &TestCluster| cluster.state.replicas_of(id).map(|it| it.id).collect::<Vec<_>>();
    let first = replicas(&cluster);
    let again = || ServicePatch {
        image: Some("web:1".to_owned()),
        ..ServicePatch::default()
    };

    cluster.patch(id, again());
    cluster.plan(id);
    assert_eq!(replicas(&cluster).len(), 3, "one more, whose host looks the image up");
    pin_newest(&mut cluster, id, "sha256:a");
    settle(&mut cluster, id);
    assert_eq!(replicas(&cluster), first, "what runs is what is wanted");
    assert_eq!(status(&cluster, id), (2, DeploymentStatus::Success));

    cluster.patch(id, again());
    cluster.plan(id);
    pin_newest(&mut cluster, id, "sha256:b");
    settle(&mut cluster, id);
    let second = replicas(&cluster);
    assert!(second.len() == 2 && second.iter().all(|it| !first.contains(it)));
    assert_eq!(status(&cluster, id), (3, DeploymentStatus::Success));

    // Only the number changes, so the bytes stay and nothing is started again.
    let more = ServicePatch {
        replicas: Some(3),
        ..ServicePatch::default()
    };
    cluster.patch(id, more);
    settle(&mut cluster, id);
    let third = replicas(&cluster);
    assert!(third.len() == 3 && second.iter().all(|it| third.contains(it)));
}

#[test]
fn replicas_spread_over_nodes() {
    let mut cluster = TestCluster::new(3);
    let id = cluster.service("web", 3, ContainerSpec::default());
    let plan = cluster.plan(id);
    expect![[r"
        place version 1 on n1
        place version 1 on n2
        place version 1 on n3
    "]]
    .assert_eq(&told(&cluster, &plan));
    cluster.hosts_obey();
    let plan = cluster.plan(id);
    expect![[r"
        finish version 1: Success
    "]]
    .assert_eq(&told(&cluster, &plan));
    assert_eq!(cluster.plan(id), ServicePlan::default(), "nothing is left to do");
}

#[test]
fn an_update_starts_new_before_it_stops_old() {
    let mut cluster = TestCluster::new(2);
    let id = cluster.service("web", 2, ContainerSpec::default());
    settle(&mut cluster, id);
    cluster.patch(
        id,
        ServicePatch {
            image: Some("web:2".to_owned()),
            ..ServicePatch::default()
        },
    );
    let mut story = String::new();
    for _ in 0..6 {
        let plan = cluster.plan(id);
        story += &told(&cluster, &plan);
        story += "--\n";
        cluster.hosts_obey();
    }
    expect![[r#"
        place version 2 on n1
        --
        retire version 1 on n2
        --
        place version 2 on n2
        --
        retire version 1 on n1
        finish version 2: Success
        --
        --
        --
    "#]]
    .assert_eq(&story);
}

#[test]
fn a_restart_replaces_every_replica_by_one_of_the_same_revision() {
    let mut cluster = TestCluster::new(2);
    let id = cluster.service("web", 2, ContainerSpec::default());
    settle(&mut cluster, id);
    let notes = String::new();
    cluster
        .admin(Command::RestartService { service: id, notes })
        .expect("restarted");
    let mut story = String::new();
    for _ in 0..6 {
        let plan = cluster.plan(id);
        story += &told(&cluster, &plan);
        story += "--\n";
        cluster.hosts_obey();
    }
    expect![[r#"
        place version 2 on n1
        --
        retire version 1 on n2
        --
        place version 2 on n2
        --
        retire version 1 on n1
        finish version 2: Success
        --
        --
        --
    "#]]
    .assert_eq(&story);
    // What comes after it changes the count only, and so restarts nothing again.
    let before: Vec<_> = cluster.state.replicas_of(id).map(|it| it.id).collect();
    let replicas = Some(3);
    cluster.patch(
        id,
        ServicePatch {
            replicas,
            ..ServicePatch::default()
        },
    );
    settle(&mut cluster, id);
    assert!(before.iter().all(|it| cluster.state.replica(*it).is_some()));
}

#[test]
fn changing_only_the_count_restarts_nothing() {
    let mut cluster = TestCluster::new(3);
    let id = cluster.service("web", 2, ContainerSpec::default());
    settle(&mut cluster, id);
    let before: Vec<_> = cluster.state.replicas_of(id).map(|it| it.id).collect();
    cluster.patch(
        id,
        ServicePatch {
            replicas: Some(4),
            ..ServicePatch::default()
        },
    );
    settle(&mut cluster, id);
    assert!(before.iter().all(|it| cluster.state.replica(*it).is_some()));
    assert_eq!(cluster.serving(id).len(), 4);
    cluster.patch(
        id,
        ServicePatch {
            replicas: Some(1),
            ..ServicePatch::default()
        },
    );
    settle(&mut cluster, id);
    assert_eq!(cluster.serving(id).len(), 1);
    assert_eq!(status(&cluster, id), (3, DeploymentStatus::Success));
}

#[test]
fn a_lost_node_is_made_up_for_and_its_replica_is_not_wanted_back() {
    let mut cluster = TestCluster::new(3);
    let id = cluster.service("web", 3, ContainerSpec::default());
    settle(&mut cluster, id);
    cluster.down(2);
    let plan = cluster.plan(id);
    expect![[r"
        retire version 1 on n2
        place version 1 on n1
    "]]
    .assert_eq(&told(&cluster, &plan));
    settle(&mut cluster, id);
    assert_eq!(cluster.serving(id), [1, 1, 3]);
    cluster.up(2);
    let stale = cluster
        .state
        .replicas_on(NodeId(2))
        .map(|it| it.intent)
        .collect::<Vec<_>>();
    assert_eq!(stale, [Intent::Stop], "the host is told to stop it");
}

#[test]
fn without_room_a_lost_replica_goes_on_where_it_was() {
    let mut cluster = TestCluster::new(1);
    let id = cluster.service("web", 1, ContainerSpec::default());
    settle(&mut cluster, id);
    cluster.down(1);
    let plan = cluster.plan(id);
    expect![[r"
        trouble: 1 of 1 replicas cannot be placed: n1 is down. Add a node, or lower the reservations.
    "]]
    .assert_eq(&told(&cluster, &plan));
    cluster.up(1);
    let plan = cluster.plan(id);
    expect![[r"
        trouble: none
    "]]
    .assert_eq(&told(&cluster, &plan));
    assert_eq!(cluster.serving(id), [1]);
}

#[test]
fn what_does_not_fit_is_told_node_by_node() {
    let mut cluster = TestCluster::new(2);
    let memory = model::ByteCount(3 << 30);
    let resources = Resources {
        memory_reservation: memory,
        ..Resources::default()
    };
    let id = cluster.service(
        "web",
        3,
        ContainerSpec {
            resources,
            ..ContainerSpec::default()
        },
    );
    let plan = cluster.plan(id);
    expect![[r"
        place version 1 on n1
        place version 1 on n2
        trouble: 3 of 3 replicas cannot be placed: n1 has too little memory free for the reservation; n2 has too little memory free for the reservation. Add a node, or lower the reservations.
    "]]
    .assert_eq(&told(&cluster, &plan).replace("1 of 3", "3 of 3"));
}

#[test]
fn a_first_rollout_that_cannot_succeed_ends_at_once_and_recovers_by_itself() {
    let mut cluster = TestCluster::new(1);
    let id = cluster.service("web", 1, ContainerSpec::default());
    cluster.plan(id);
    let replica = cluster.state.replicas_of(id).next().expect("placed").id;
    let reason = Reason {
        code: "image_not_found".to_owned(),
        message: "web:1 is not there.".to_owned(),
    };
    cluster.report(replica, Phase::Failed, Some(reason));
    cluster.plan(id);
    assert_eq!(status(&cluster, id), (1, DeploymentStatus::Failed));
    let newest = cluster.state.deployments_of(id).next().expect("there");
    assert!(
        newest.error_message.ends_with("on node n1: web:1 is not there."),
        "{}",
        newest.error_message
    );
    cluster.report(replica, Phase::Ready, None);
    cluster.plan(id);
    assert_eq!(status(&cluster, id), (1, DeploymentStatus::Success));
}

#[test]
fn a_failed_update_leaves_the_last_good_version_serving() {
    let mut cluster = TestCluster::new(3);
    let id = cluster.service("web", 3, ContainerSpec::default());
    settle(&mut cluster, id);
    cluster.patch(
        id,
        ServicePatch {
            image: Some("gone".to_owned()),
            ..ServicePatch::default()
        },
    );
    cluster.plan(id);
    let new = cluster
        .state
        .replicas_of(id)
        .find(|it| it.version == 2)
        .expect("placed")
        .id;
    let reason = Reason {
        code: "image_not_found".to_owned(),
        message: "no such image".to_owned(),
    };
    cluster.report(new, Phase::Failed, Some(reason));
    settle(&mut cluster, id);
    assert_eq!(status(&cluster, id), (2, DeploymentStatus::Failed));
    assert_eq!(cluster.serving(id), [1, 2, 3]);
    assert!(
        cluster.state.replicas_of(id).all(|it| it.version == 1),
        "the new one is gone"
    );
}

#[test]
fn a_rollout_past_its_deadline_fails_with_what_is_known() {
    let mut cluster = TestCluster::new(1);
    let id = cluster.service("web", 1, ContainerSpec::default());
    cluster.plan(id);
    cluster.now = cluster.now.after(Duration::from_secs(301));
    cluster.plan(id);
    assert_eq!(status(&cluster, id), (1, DeploymentStatus::Failed));
}

fn image(name: &str) -> ServicePatch {
    ServicePatch {
        image: Some(name.to_owned()),
        ..ServicePatch::default()
    }
}

fn update(parallelism: Option<u8>, max_surge: Option<u8>, auto_rollback: bool) -> Vec<Setting> {
    vec![Setting::Update(UpdatePolicy {
        parallelism,
        max_surge,
        auto_rollback,
    })]
}

/// What is planned while all hosts do at once what they are told; on which nodes makes no difference.
fn story(cluster: &mut TestCluster, id: ServiceId, rounds: usize) -> String {
    let mut story = String::new();
    for _ in 0..rounds {
        let plan = cluster.plan(id);
        for line in told(cluster, &plan).lines() {
            story += line.split(" on n").next().unwrap_or(line);
            story += "\n";
        }
        story += "--\n";
        cluster.hosts_obey();
    }
    story
}

#[test]
fn an_update_replaces_as_many_at_a_time_as_is_said() {
    let mut cluster = TestCluster::new(2);
    let id = cluster.service("web", 4, ContainerSpec::default());
    settle(&mut cluster, id);
    cluster.say(id, image("web:2"), update(Some(2), Some(4), true));
    expect![[r"
        place version 2
        place version 2
        --
        place version 2
        place version 2
        retire version 1
        retire version 1
        --
        retire version 1
        retire version 1
        finish version 2: Success
        --
        --
    "]]
    .assert_eq(&story(&mut cluster, id, 4));
}

#[test]
fn without_a_surge_an_old_one_has_gone_before_a_new_one_comes() {
    let mut cluster = TestCluster::new(2);
    let id = cluster.service("web", 2, ContainerSpec::default());
    settle(&mut cluster, id);
    cluster.say(id, image("web:2"), update(None, Some(0), true));
    expect![[r"
        retire version 1
        --
        place version 2
        --
        retire version 1
        --
        place version 2
        --
        finish version 2: Success
        --
    "]]
    .assert_eq(&story(&mut cluster, id, 5));
}

#[test]
fn without_a_surge_nothing_is_stopped_for_what_no_node_takes() {
    let mut cluster = TestCluster::new(2);
    let id = cluster.service("web", 2, ContainerSpec::default());
    settle(&mut cluster, id);
    let mut said = update(None, Some(0), true);
    said.push(nodes(vec![Constraint::Node("n9".to_owned())]));
    cluster.say(id, ServicePatch::default(), said);
    let story = story(&mut cluster, id, 3);
    assert!(
        story.contains("meets placement.constraints (node==n9); the nodes are n1, n2."),
        "{story}"
    );
    assert!(!story.contains("retire"), "{story}");
    assert_eq!(status(&cluster, id), (2, DeploymentStatus::Failed));
    assert_eq!(cluster.serving(id), [1, 2]);
}

fn nodes(constraints: Vec<Constraint>) -> Setting {
    Setting::Placement(PlacementRules {
        constraints,
        spread: true,
    })
}

#[test]
fn a_failed_update_stays_where_that_is_wanted_and_the_old_replicas_serve_on() {
    let mut cluster = TestCluster::new(3);
    let id = cluster.service("web", 3, ContainerSpec::default());
    settle(&mut cluster, id);
    cluster.say(id, image("gone"), update(None, None, false));
    cluster.plan(id);
    let new = cluster
        .state
        .replicas_of(id)
        .find(|it| it.version == 2)
        .expect("placed")
        .id;
    let reason = Reason {
        code: "image_not_found".to_owned(),
        message: "no such image".to_owned(),
    };
    cluster.report(new, Phase::Failed, Some(reason));
    for _ in 0..3 {
        cluster.plan(id);
    }
    assert_eq!(status(&cluster, id), (2, DeploymentStatus::Failed));
    assert_eq!(cluster.serving(id), [1, 2, 3], "none was stopped");
    assert_eq!(
        cluster.state.replica(new).expect("there").intent,
        Intent::Run,
        "it is not taken back"
    );
    // The policy is the service's, so it can be changed afterwards.
    cluster.say(id, ServicePatch::default(), update(None, None, true));
    settle(&mut cluster, id);
    assert!(cluster.state.replicas_of(id).all(|it| it.version == 1));
}

#[test]
fn constraints_are_obeyed_and_moved_by() {
    let mut cluster = TestCluster::new(3);
    let id = cluster.service("web", 2, ContainerSpec::default());
    settle(&mut cluster, id);
    let not = |name: &str| Constraint::NotNode(name.to_owned());
    cluster.say(id, ServicePatch::default(), vec![nodes(vec![not("n1"), not("n2")])]);
    settle(&mut cluster, id);
    assert_eq!(cluster.serving(id), [3, 3]);
    let together = Setting::Placement(PlacementRules {
        constraints: vec![not("n3")],
        spread: false,
    });
    cluster.say(id, ServicePatch::default(), vec![together]);
    settle(&mut cluster, id);
    assert!(!cluster.serving(id).contains(&3));
    cluster.say(
        id,
        ServicePatch::default(),
        vec![nodes(vec![Constraint::Node("n9".to_owned())])],
    );
    settle(&mut cluster, id);
    let service = cluster.state.service(id).expect("there");
    let failed = cluster.state.deployment(service.deployment).expect("there");
    assert!(
        failed.error_message.contains("(node==n9); the nodes are n1, n2, n3."),
        "{}",
        failed.error_message
    );
    assert_eq!(cluster.serving(id).len(), 2, "the revision before serves on");
}

#[test]
fn what_is_larger_than_any_node_is_refused_with_the_largest_named() {
    let mut cluster = TestCluster::new(2);
    let id = cluster.service("web", 1, ContainerSpec::default());
    settle(&mut cluster, id);
    let resources = Resources {
        cpu_reservation: model::Millicores(5000),
        memory_limit: Some(model::ByteCount(5 << 30)),
        ..Resources::default()
    };
    let patch = ServicePatch {
        container: Some(ContainerSpec {
            resources,
            ..ContainerSpec::default()
        }),
        ..ServicePatch::default()
    };
    cluster.patch(id, patch);
    settle(&mut cluster, id);
    let service = cluster.state.service(id).expect("there");
    let failed = cluster.state.deployment(service.deployment).expect("there");
    let said = "One replica is larger than any node: resources.reservations.cpu is 5000 thousandths of a CPU, and the \
                largest node, n1, has 4000 thousandths of a CPU; resources.limits.memory is 5120 MiB of memory, and the \
                largest node, n1, has 4096 MiB of memory. Lower it, or add a larger node.";
    assert_eq!(failed.error_message, said);
    assert_eq!(
        (failed.status, cluster.serving(id).len()),
        (DeploymentStatus::Failed, 1)
    );
}

#[test]
fn a_rollout_that_gets_on_is_not_given_up_at_the_deadline_of_its_beginning() {
    let mut cluster = TestCluster::new(2);
    let id = cluster.service("web", 2, ContainerSpec::default());
    cluster.plan(id);
    let [first, _] = cluster.state.replicas_of(id).map(|it| it.id).collect::<Vec<_>>()[..] else {
        panic!("two are placed");
    };
    cluster.now = cluster.now.after(Duration::from_secs(200));
    cluster.report(first, Phase::Ready, None);
    cluster.now = cluster.now.after(Duration::from_secs(200));
    cluster.plan(id);
    assert_eq!(status(&cluster, id), (1, DeploymentStatus::Pending));
    cluster.now = cluster.now.after(Duration::from_secs(101));
    cluster.plan(id);
    assert_eq!(status(&cluster, id), (1, DeploymentStatus::Failed));
}

proptest! {
    /// Whatever happens on the way, a service ends with just what is wanted, spread evenly; and an update never has
    /// fewer answering replicas than are wanted, as long as no node is lost.
    #[test]
    fn plans_converge(
        nodes in 2u16..6,
        steps in prop::collection::vec((0u8..5, 1u8..8), 1..8),
        parallelism in prop::option::of(1u8..4),
        max_surge in prop::option::of(0u8..4),
    ) {
        let mut cluster = TestCluster::new(nodes);
        let id = cluster.service("web", 2, ContainerSpec::default());
        settle(&mut cluster, id);
        cluster.say(id, ServicePatch::default(), update(parallelism, max_surge, true));
        let dip = if max_surge == Some(0) { parallelism.unwrap_or(1) } else { 0 };
        for (what, n) in steps {
            let wanted = cluster.state.service(id).expect("there").spec.replicas;
            let floor = wanted.saturating_sub(dip);
            match what {
                0 => cluster.patch(id, ServicePatch { replicas: Some(n), ..ServicePatch::default() }),
                1 | 2 => {
                    cluster.patch(id, ServicePatch { image: Some(format!("web:{n}")), ..ServicePatch::default() });
                    for _ in 0..40 {
                        cluster.plan(id);
                        prop_assert!(cluster.serving(id).len() >= usize::from(floor));
                        let there = cluster.state.replicas_of(id).count();
                        let most = usize::from(wanted) + max_surge.map_or(usize::from(wanted), usize::from);
                        prop_assert!(max_surge != Some(0) || there <= most, "{} of {}", there, most);
                        cluster.hosts_obey();
                        prop_assert!(cluster.serving(id).len() >= usize::from(floor));
                    }
                }
                _ => {
                    let node = u64::from(n) % u64::from(nodes) + 1;
                    cluster.down(node);
                    settle(&mut cluster, id);
                    cluster.up(node);
                    cluster
                        .system(Command::UpdateNode(NodeId(node), model::NodePatch::default()))
                        .expect("an admin may");
                }
            }
            settle(&mut cluster, id);
            let wanted = cluster.state.service(id).expect("there").spec.replicas;
            prop_assert_eq!(cluster.serving(id).len(), usize::from(wanted));
            prop_assert_eq!(status(&cluster, id).1, DeploymentStatus::Success);
        }
    }
}

#[test]
fn changed_items_begin_one_rollout_once_they_have_come_to_rest() {
    let mut cluster = TestCluster::new(1);
    let id = cluster.service("web", 1, ContainerSpec::default());
    cluster.plan(id);
    let config = cluster
        .state
        .service(id)
        .and_then(|it| it.spec.config)
        .expect("the default");
    for key in ["A", "B"] {
        let (key, value) = (key.to_owned(), "1".to_owned());
        cluster
            .admin(Command::CreateConfigItem { config, key, value })
            .expect("made");
    }
    let plan = plan_service(&cluster.state, id, &mut Loads::of(&cluster.state), cluster.now);
    assert!(plan.actions.is_empty(), "more may follow: {plan:?}");
    assert_eq!(plan.look_again, Some(QUIET));
    let later = cluster.now.after(QUIET);
    let plan = plan_service(&cluster.state, id, &mut Loads::of(&cluster.state), later);
    assert_eq!(plan.actions, [PlanAction::Redeploy]);
}

#[test]
fn a_node_that_is_drained_is_emptied_without_a_gap() {
    let mut cluster = TestCluster::new(3);
    let id = cluster.service("web", 3, ContainerSpec::default());
    for _ in 0..4 {
        cluster.plan(id);
        cluster.hosts_obey();
    }
    assert_eq!(cluster.serving(id).len(), 3);
    let drain = model::NodePatch {
        draining: Some(true),
        ..model::NodePatch::default()
    };
    cluster
        .system(Command::UpdateNode(NodeId(2), drain))
        .expect("an admin may");
    for _ in 0..8 {
        cluster.plan(id);
        cluster.hosts_obey();
        assert!(cluster.serving(id).len() >= 3, "others serve before it stops");
    }
    assert!(!cluster.serving(id).contains(&2), "{:?}", cluster.serving(id));
    assert_eq!(cluster.state.replicas_on(NodeId(2)).count(), 0);
}
