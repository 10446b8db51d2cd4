use model::{ContainerSpec, NodePatch, Phase, Reason};
use uuid::Uuid;

use super::*;
use crate::testing::TestCluster;

/// Two nodes, three replicas that answer.
fn cluster() -> (TestCluster, ServiceId) {
    let mut cluster = TestCluster::new(3);
    let id = cluster.service("web", 3, ContainerSpec::default());
    cluster.plan(id);
    cluster.hosts_obey();
    cluster.plan(id);
    (cluster, id)
}

fn plan(actions: Vec<PlanAction>) -> ServicePlan {
    ServicePlan {
        actions,
        look_again: None,
    }
}

fn told(cluster: &TestCluster, id: ServiceId, actions: Vec<PlanAction>) -> String {
    let wrong = check(&cluster.state, id, &plan(actions), 1);
    wrong.iter().map(|it| format!("{it}\n")).collect()
}

#[test]
fn each_kind_of_bad_plan_is_caught() {
    let (mut cluster, id) = cluster();
    cluster.down(1);
    cluster.patch_node(
        NodeId(2),
        NodePatch {
            schedulable: Some(false),
            ..NodePatch::default()
        },
    );
    let other = cluster.service("other", 1, ContainerSpec::default());
    let deployment_of = |id| cluster.state.service(id).expect("there").deployment;
    let (own, foreign) = (deployment_of(id), deployment_of(other));
    let place = |deployment, node| PlanAction::Place {
        deployment,
        node: NodeId(node),
    };
    let finish = |status| PlanAction::Finish {
        deployment: own,
        status,
        error_message: String::new(),
    };
    let on = |node| cluster.state.replicas_on(NodeId(node)).next().expect("one").id;
    let nobody = ReplicaId(Uuid::from_u128(1));
    for (actions, said) in [
        (vec![place(own, 1)], "a replica is placed on node 1, which is down"),
        (
            vec![place(own, 2)],
            "a replica is placed on node 2, which takes no new replicas",
        ),
        (vec![place(own, 9)], "node 9, which is not there"),
        (vec![place(foreign, 3)], "is none of this service's"),
        (vec![PlanAction::Retire(nobody)], "is not one to retire"),
        (
            vec![PlanAction::Retire(on(1)), PlanAction::Retire(on(1))],
            "is not one to retire",
        ),
        (
            vec![PlanAction::Retire(on(3))],
            "only 1 replicas would answer, of 2 that do and 3 wanted",
        ),
        (
            vec![place(own, 3), place(own, 3), place(own, 3)],
            "5 replicas would run at once, more than 4",
        ),
        (
            vec![PlanAction::Retire(on(3)), place(own, 3)],
            "stopped and started for nothing",
        ),
        (vec![finish(DeploymentStatus::Success)], "said to have ended as Success"),
        (vec![finish(DeploymentStatus::Failed)], "said to have ended as Failed"),
        (vec![PlanAction::Trouble(None)], "nothing would be changed"),
        (
            vec![PlanAction::Redeploy, PlanAction::Retire(on(1))],
            "begins together with other changes",
        ),
    ] {
        let text = told(&cluster, id, actions.clone());
        assert!(text.contains(said), "{actions:?}: {text}");
    }
    assert_eq!(told(&cluster, id, vec![PlanAction::Retire(on(1)), place(own, 3)]), "");
}

#[test]
fn what_is_full_is_caught_also_when_the_plan_itself_fills_it() {
    let mut cluster = TestCluster::new(1);
    let resources = model::Resources {
        memory_reservation: model::ByteCount(3 << 30),
        ..model::Resources::default()
    };
    let container = ContainerSpec {
        resources,
        ..ContainerSpec::default()
    };
    let id = cluster.service("web", 2, container);
    let deployment = cluster.state.service(id).expect("there").deployment;
    let node = NodeId(1);
    let place = PlanAction::Place { deployment, node };
    assert_eq!(told(&cluster, id, vec![place.clone()]), "");
    let text = told(&cluster, id, vec![place.clone(), place]);
    assert!(text.contains("has too little memory free"), "{text}");
}

#[test]
fn a_failed_rollout_may_go_back_to_fewer() {
    let (mut cluster, id) = cluster();
    cluster.patch(
        id,
        model::ServicePatch {
            image: Some("web:2".to_owned()),
            replicas: Some(5),
            ..model::ServicePatch::default()
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
        message: "gone".to_owned(),
    };
    cluster.report(new, Phase::Failed, Some(reason));
    // Each of these is checked.
    for _ in 0..4 {
        cluster.plan(id);
        cluster.hosts_obey();
    }
    assert_eq!(cluster.serving(id).len(), 3);
}
