use model::{
    AccountId, Capacity, ContainerSpec, DeploymentId, Generation, NodeId, ProjectId, Reason, ReplicaId, Revision,
    ServiceId, ServiceSpec, Timestamp,
};
use uuid::Uuid;

use super::*;

fn service(replicas: u8) -> Service {
    Service {
        id: ServiceId(Uuid::nil()),
        account: AccountId(Uuid::nil()),
        project: ProjectId(Uuid::nil()),
        name: "web".into(),
        spec: ServiceSpec {
            image: "nginx:1.25".into(),
            port: Some(80),
            replicas,
            config: None,
            secret: None,
            container: ContainerSpec::default(),
        },
        deployment: DeploymentId(Uuid::nil()),
        version: 1,
        trouble: None,
        item_change: None,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        revision: Revision(1),
        touched: Revision(1),
    }
}

fn deployment(status: DeploymentStatus, error: &str) -> Deployment {
    Deployment {
        id: DeploymentId(Uuid::nil()),
        service: ServiceId(Uuid::nil()),
        account: AccountId(Uuid::nil()),
        version: 1,
        spec: service(1).spec,
        config_snapshot: Default::default(),
        secrets: Vec::new(),
        status,
        deployed_at: Timestamp(0),
        deployed_by: "admin".into(),
        rollback_from: None,
        notes: String::new(),
        error_message: error.into(),
        deadline: Timestamp(0),
        revision: Revision(1),
    }
}

fn replica(n: u128, phase: Phase, reason: Option<&str>) -> Replica {
    Replica {
        id: ReplicaId(Uuid::from_u128(n)),
        service: ServiceId(Uuid::nil()),
        deployment: DeploymentId(Uuid::nil()),
        account: AccountId(Uuid::nil()),
        version: 1,
        node: NodeId(1),
        intent: Intent::Run,
        phase,
        reason: reason.map(|message| Reason {
            code: "code".into(),
            message: message.into(),
        }),
        address: None,
        restarts: 0,
        created_at: Timestamp(0),
        changed_at: Timestamp(0),
        revision: Revision(1),
    }
}

fn node(status: NodeStatus) -> Node {
    let addr = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    Node {
        id: NodeId(1),
        name: "one".into(),
        peer_addr: addr,
        api_addr: addr,
        http_addr: addr,
        runs_agent: true,
        version: "0".into(),
        boot: Uuid::nil(),
        status,
        lease: Generation(0),
        schedulable: true,
        draining: false,
        capacity: Capacity::default(),
        joined_at: Timestamp(0),
        changed_at: Timestamp(0),
        revision: Revision(1),
    }
}

fn judge(status: DeploymentStatus, before: bool, replicas: &[Replica], node: &Node) -> Standing {
    let pairs = replicas.iter().map(|replica| (replica, Some(node)));
    service_status(&service(2), Some(&deployment(status, "")), before, pairs)
}

#[test]
fn the_newest_deployment_decides() {
    let up = node(NodeStatus::Up);
    let ready = [replica(1, Phase::Ready, None), replica(2, Phase::Ready, None)];
    assert_eq!(
        service_status(&service(1), None, false, []).status,
        ServiceStatus::NotReady
    );
    assert_eq!(
        judge(DeploymentStatus::Pending, false, &ready, &up).status,
        ServiceStatus::Pending
    );
    assert_eq!(
        judge(DeploymentStatus::Pending, true, &ready, &up).status,
        ServiceStatus::Updating
    );
    assert_eq!(
        judge(DeploymentStatus::Failed, true, &ready, &up).status,
        ServiceStatus::Error
    );
    let fine = judge(DeploymentStatus::Success, false, &ready, &up);
    assert_eq!(
        (fine.status, fine.running, fine.reason.as_str()),
        (ServiceStatus::Ready, 2, "")
    );
    assert!(fine.deploy_successful);
}

#[test]
fn replicas_on_a_lost_node_do_not_run() {
    let ready = [replica(1, Phase::Ready, None), replica(2, Phase::Ready, None)];
    let lost = judge(DeploymentStatus::Success, false, &ready, &node(NodeStatus::Down));
    assert_eq!((lost.status, lost.running), (ServiceStatus::Updating, 0));
    assert!(lost.reason.contains("on node one: the node is down"), "{}", lost.reason);
}

#[test]
fn replicas_that_are_to_stop_do_not_count() {
    let mut stopping = replica(1, Phase::Ready, Some("draining"));
    stopping.intent = Intent::Stop;
    let standing = judge(DeploymentStatus::Pending, false, &[stopping], &node(NodeStatus::Up));
    assert_eq!((standing.running, standing.reason.as_str()), (0, ""));
}

#[test]
fn the_reason_is_the_worst_that_is_known() {
    let up = node(NodeStatus::Up);
    let replicas = [
        replica(1, Phase::Starting, Some("exited")),
        replica(2, Phase::Failed, Some("no such image")),
    ];
    let pairs = || replicas.iter().map(|replica| (replica, Some(&up)));
    let by_replica = judge(DeploymentStatus::Pending, false, &replicas, &up);
    assert_eq!(
        by_replica.reason,
        format!("replica {} on node one: no such image", replicas[1].id)
    );

    let mut troubled = service(2);
    troubled.trouble = Some(Reason {
        code: "no_room".into(),
        message: "no node has room".into(),
    });
    let pending = deployment(DeploymentStatus::Pending, "");
    assert_eq!(
        service_status(&troubled, Some(&pending), false, pairs()).reason,
        "no node has room"
    );
    let failed = deployment(DeploymentStatus::Failed, "gave up");
    assert_eq!(
        service_status(&troubled, Some(&failed), false, pairs()).reason,
        "gave up"
    );
}
