//! A cluster of any size, as its state is before anything has been placed.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use model::{
    Account, AccountId, Actor, ByteCount, Capacity, ConfigId, ContainerSpec, Deployment, DeploymentId,
    DeploymentStatus, Domain, DomainId, Generation, Millicores, Node, NodeId, NodeStatus, Phase, Project, ProjectId,
    ReplicaReport, Resource, Resources, Revision, Route, RouteId, SecretId, Service, ServiceId, ServiceSpec, State,
    Timestamp,
};
use uuid::Uuid;

use super::{REPLICAS, Size};

const ACCOUNT: AccountId = AccountId(Uuid::from_u128(1));
const PROJECT: ProjectId = ProjectId(Uuid::from_u128(2));
/// Who changes services.
pub(super) const ADMIN: Actor = Actor::Account(ACCOUNT);
const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
const FIRST: Revision = Revision(1);

/// Nodes and services with a route each, and no replica yet.
pub(super) fn empty(size: Size) -> State {
    let nodes = (1..=size.nodes).map(|n| Resource::from(node(n)));
    let services = (1..=u128::from(size.services)).flat_map(service);
    let all = [Resource::from(account()), Resource::from(project())].into_iter();
    State::from_resources(FIRST, NOW, all.chain(nodes).chain(services))
}

/// What a host tells when all its replicas answer.
pub(super) fn reports(state: &State, node: &Node) -> Vec<ReplicaReport> {
    let on = state.replicas_on(node.id).zip(1..);
    on.map(|(replica, n)| ReplicaReport {
        replica: replica.id,
        phase: Phase::Ready,
        reason: None,
        address: Some(SocketAddr::from(([10, 213, 0, n], 8080))),
        restarts: 0,
    })
    .collect()
}

fn account() -> Account {
    Account {
        id: ACCOUNT,
        name: "admin".to_owned(),
        is_admin: true,
        password: None,
        default_project: PROJECT,
        created_at: NOW,
        updated_at: NOW,
        revision: FIRST,
    }
}

fn project() -> Project {
    Project {
        id: PROJECT,
        account: ACCOUNT,
        name: "default".to_owned(),
        default_config: ConfigId(Uuid::from_u128(3)),
        default_secret: SecretId(Uuid::from_u128(4)),
        created_at: NOW,
        updated_at: NOW,
        revision: FIRST,
    }
}

/// Nodes of three sizes.
fn node(n: u64) -> Node {
    let ip = Ipv4Addr::from(0x0a00_0000 | u32::try_from(n).unwrap_or(1));
    let size = 1 + n % 3;
    Node {
        id: NodeId(n),
        name: format!("n{n}"),
        peer_addr: (ip, 7401).into(),
        api_addr: (ip, 7400).into(),
        http_addr: (ip, 80).into(),
        runs_agent: true,
        version: "1".to_owned(),
        boot: Uuid::from_u128(5),
        status: NodeStatus::Up,
        lease: Generation(1),
        schedulable: true,
        draining: false,
        capacity: Capacity {
            cpu: Millicores(size * 16_000),
            memory: ByteCount(size * (32 << 30)),
            replicas: 250,
        },
        joined_at: NOW,
        changed_at: NOW,
        revision: FIRST,
    }
}

/// A service with its first deployment, a domain, and a route.
fn service(n: u128) -> [Resource; 4] {
    let id = |kind: u128| Uuid::from_u128((kind << 96) | n);
    let (service, deployment, domain) = (ServiceId(id(1)), DeploymentId(id(2)), DomainId(id(3)));
    let size = 1 + (n % 5) as u64;
    let resources = Resources {
        cpu_reservation: Millicores(size * 50),
        memory_reservation: ByteCount(size * (64 << 20)),
        ..Resources::default()
    };
    let spec = ServiceSpec {
        image: "web:1".to_owned(),
        port: Some(8080),
        replicas: REPLICAS,
        config: None,
        secret: None,
        container: ContainerSpec {
            resources,
            stop_grace_seconds: 10,
            ..ContainerSpec::default()
        },
    };
    [
        Resource::from(Deployment {
            id: deployment,
            service,
            account: ACCOUNT,
            version: 1,
            spec: spec.clone(),
            config_snapshot: BTreeMap::new(),
            secrets: Vec::new(),
            status: DeploymentStatus::Pending,
            deployed_at: NOW,
            deployed_by: "admin".to_owned(),
            rollback_from: None,
            notes: String::new(),
            error_message: String::new(),
            deadline: NOW.after(std::time::Duration::from_secs(3600)),
            revision: FIRST,
        }),
        Resource::from(Service {
            id: service,
            account: ACCOUNT,
            project: PROJECT,
            name: format!("s{n}"),
            spec,
            deployment,
            version: 1,
            trouble: None,
            item_change: None,
            created_at: NOW,
            updated_at: NOW,
            revision: FIRST,
            touched: FIRST,
        }),
        Resource::from(Domain {
            id: domain,
            account: ACCOUNT,
            project: PROJECT,
            hostname: format!("s{n}.example.test"),
            created_at: NOW,
            updated_at: NOW,
            revision: FIRST,
        }),
        Resource::from(Route {
            id: RouteId(id(4)),
            account: ACCOUNT,
            project: PROJECT,
            path: "/".to_owned(),
            enabled: true,
            domain,
            service,
            created_at: NOW,
            updated_at: NOW,
            revision: FIRST,
        }),
    ]
}
