//! Random histories: a refusal is inert, applying is deterministic, and a state rebuilt from its resources is the same
//! state with the same indexes.

use proptest::prelude::*;

use super::*;
use crate::{
    Change, ConfigItemPatch, Key, PinSource, RoutePatch, SealedItem, SecretItemId, SecretValueId, ServicePatch,
    Setting, UpdatePolicy, decide,
};

/// One random step. Numbers pick among what exists, so that most commands reach something.
#[derive(Clone, Debug)]
enum Step {
    Service(u8),
    Patch(usize, u8),
    Delete(usize),
    Domain(u8),
    DeleteDomain(usize),
    Route(usize, usize),
    MoveRoute(usize, usize),
    Node(u16),
    Down(usize),
    Place(usize, usize),
    Retire(usize),
    Report(usize, u8),
    Key(u8),
    Item(u8),
    PatchItem(usize, u8),
    DeleteItem(usize),
    Seal(u8),
    Unseal(usize),
    Redeploy(usize),
    RollBack(usize),
    RemoveNode(usize),
    Say(usize, u8),
    ServiceWith(u8),
    Pin(usize, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let pick = 0usize..8;
    prop_oneof![
        (0u8..6).prop_map(Step::Service),
        (pick.clone(), any::<u8>()).prop_map(|(a, b)| Step::Patch(a, b)),
        pick.clone().prop_map(Step::Delete),
        (0u8..6).prop_map(Step::Domain),
        pick.clone().prop_map(Step::DeleteDomain),
        (pick.clone(), pick.clone()).prop_map(|(a, b)| Step::Route(a, b)),
        (pick.clone(), pick.clone()).prop_map(|(a, b)| Step::MoveRoute(a, b)),
        (1u16..5).prop_map(Step::Node),
        pick.clone().prop_map(Step::Down),
        (pick.clone(), pick.clone()).prop_map(|(a, b)| Step::Place(a, b)),
        pick.clone().prop_map(Step::Retire),
        (pick.clone(), 0u8..6).prop_map(|(a, b)| Step::Report(a, b)),
        any::<u8>().prop_map(Step::Key),
        (0u8..4).prop_map(Step::Item),
        (pick.clone(), any::<u8>()).prop_map(|(a, b)| Step::PatchItem(a, b)),
        pick.clone().prop_map(Step::DeleteItem),
        (0u8..4).prop_map(Step::Seal),
        pick.clone().prop_map(Step::Unseal),
        pick.clone().prop_map(Step::Redeploy),
        pick.clone().prop_map(Step::RollBack),
        pick.clone().prop_map(Step::RemoveNode),
        (pick.clone(), any::<u8>()).prop_map(|(a, b)| Step::Say(a, b)),
        (0u8..6).prop_map(Step::ServiceWith),
        (pick.clone(), 0u8..3).prop_map(|(a, b)| Step::Pin(a, b)),
    ]
}

fn said(v: u8) -> Vec<Setting> {
    let seconds = Setting::DrainSeconds(Some(u32::from(v % 3)).filter(|it| *it > 0));
    let update = Setting::Update(UpdatePolicy {
        auto_rollback: v.is_multiple_of(2),
        ..UpdatePolicy::default()
    });
    [seconds, update].into_iter().take(1 + usize::from(v % 2)).collect()
}

fn command(log: &Log, step: &Step) -> Option<(Actor, Command)> {
    let state = &log.state;
    let admin = Actor::Account(log.account());
    let service = |n: usize| state.services().nth(n);
    Some(match *step {
        Step::Service(n) => (admin, Command::CreateService(draft(&format!("s{n}")))),
        Step::Patch(n, v) => {
            let patch = ServicePatch {
                image: (v % 2 == 0).then(|| format!("web:{v}")),
                name: (v % 3 == 0).then(|| format!("s{}", v % 7)),
                ..ServicePatch::default()
            };
            (admin, Command::UpdateService(service(n)?.id, patch))
        }
        Step::Delete(n) => (admin, Command::DeleteService(service(n)?.id)),
        Step::Domain(n) => (
            admin,
            Command::CreateDomain(DomainDraft {
                hostname: format!("H{n}.test"),
                project: None,
            }),
        ),
        Step::DeleteDomain(n) => (admin, Command::DeleteDomain(state.domains().nth(n)?.id)),
        Step::Route(d, s) => {
            let (domain, service) = (state.domains().nth(d)?.id, service(s)?.id);
            (
                admin,
                Command::CreateRoute(RouteDraft {
                    path: "/".to_owned(),
                    enabled: true,
                    domain,
                    service,
                }),
            )
        }
        Step::MoveRoute(r, s) => {
            let patch = RoutePatch {
                service: Some(service(s)?.id),
                ..RoutePatch::default()
            };
            (admin, Command::UpdateRoute(state.routes().nth(r)?.id, patch))
        }
        Step::Node(n) => {
            let token_hash = state.nodes().next().map(|_| [7; 32]);
            (
                Actor::System,
                Command::JoinNode {
                    token_hash,
                    draft: node_draft(&format!("n{n}"), n * 10, 1),
                },
            )
        }
        Step::Down(n) => {
            let node = state.nodes().nth(n)?;
            (Actor::System, Command::MarkNodeDown(node.id, node.lease))
        }
        Step::Place(s, n) => {
            let (service, node) = (service(s)?, state.nodes().nth(n)?.id);
            let actions = vec![PlanAction::Place {
                deployment: service.deployment,
                node,
            }];
            (
                Actor::System,
                Command::ApplyPlan {
                    service: service.id,
                    seen: service.touched,
                    actions,
                },
            )
        }
        Step::Retire(n) => {
            let replica = state.replicas().nth(n)?;
            let seen = state.service(replica.service)?.touched;
            let actions = vec![PlanAction::Retire(replica.id)];
            (
                Actor::System,
                Command::ApplyPlan {
                    service: replica.service,
                    seen,
                    actions,
                },
            )
        }
        Step::Report(n, phase) => {
            let replica = state.replicas().nth(n)?;
            let phases = [
                Phase::Assigned,
                Phase::Pulling,
                Phase::Starting,
                Phase::Ready,
                Phase::Failed,
                Phase::Stopped,
            ];
            let reports = vec![report(replica, phases[usize::from(phase) % phases.len()])];
            (
                Actor::System,
                Command::ReportReplicas {
                    node: replica.node,
                    boot: Uuid::from_u128(1),
                    reports,
                },
            )
        }
        Step::Item(n) => {
            let config = state.configs().next()?.id;
            let key = format!("K{n}");
            (
                admin,
                Command::CreateConfigItem {
                    config,
                    key,
                    value: "v".to_owned(),
                },
            )
        }
        Step::PatchItem(n, v) => {
            let patch = ConfigItemPatch {
                key: (v % 2 == 0).then(|| format!("K{}", v % 5)),
                value: Some(v.to_string()),
            };
            (admin, Command::UpdateConfigItem(state.config_items().nth(n)?.id, patch))
        }
        Step::DeleteItem(n) => (admin, Command::DeleteConfigItem(state.config_items().nth(n)?.id)),
        Step::Seal(n) => {
            let item = SecretItemId(Uuid::from_u128(u128::from(n)));
            let version = state.secret_item(item).map_or(1, |it| it.version + 1);
            let sealed = SealedItem {
                id: SecretValueId { item, version },
                key: format!("K{n}"),
                sealed: sealed("x", 1),
            };
            match version {
                1 => (admin, Command::CreateSecretItem(state.secrets().next()?.id, sealed)),
                _ => (admin, Command::UpdateSecretItem(sealed)),
            }
        }
        Step::Unseal(n) => (admin, Command::DeleteSecretItem(state.secret_items().nth(n)?.id)),
        Step::Redeploy(n) => {
            let service = service(n)?;
            let actions = vec![PlanAction::Redeploy];
            (
                Actor::System,
                Command::ApplyPlan {
                    service: service.id,
                    seen: service.touched,
                    actions,
                },
            )
        }
        Step::RollBack(n) => {
            let deployment = state.deployments().nth(n)?.id;
            (
                admin,
                Command::RollBack {
                    deployment,
                    notes: String::new(),
                },
            )
        }
        Step::Say(n, v) => {
            let patch = ServicePatch {
                image: v.is_multiple_of(5).then(|| format!("web:{v}")),
                ..ServicePatch::default()
            };
            (admin, Command::UpdateServiceWith(service(n)?.id, patch, said(v)))
        }
        Step::ServiceWith(n) => (admin, Command::CreateServiceWith(draft(&format!("s{n}")), said(n))),
        Step::Pin(n, digest) => {
            let pin = Command::PinImage {
                deployment: state.deployments().nth(n)?.id,
                digest: format!("sha256:{digest}"),
                source: PinSource::Registry,
            };
            (Actor::System, pin)
        }
        Step::RemoveNode(n) => (admin, Command::RemoveNode(state.nodes().nth(n)?.id)),
        Step::Key(n) => {
            let account = log.account();
            let command = Command::CreateApiKey {
                account,
                name: "k".to_owned(),
                hash: [n; 32],
                scope: Scope::Full,
                expires_at: None,
            };
            (admin, command)
        }
    })
}

fn is_record(change: &Change) -> bool {
    matches!(
        change,
        Change::Put(Resource::Operation(_)) | Change::Delete(Key::Operation(_))
    )
}

proptest! {
    #[test]
    fn histories_converge(steps in prop::collection::vec(step(), 1..60)) {
        let mut log = Log::new();
        log.admin(Command::CreateJoinToken { hash: [7; 32], expires_at: Timestamp(u64::MAX) }).expect("a token");
        let mut other = log.state.clone();
        for step in &steps {
            let Some((actor, command)) = command(&log, step) else { continue };
            let envelope = log.envelope(actor, command);
            let revision = Revision(log.index + 1);
            let (changes, result) = entry_changes(&log.state, revision, &envelope);
            prop_assert_eq!(&(changes.clone(), result.clone()), &entry_changes(&other, revision, &envelope));
            if result.is_err() {
                prop_assert!(changes.iter().all(is_record), "a refusal changes nothing: {:?}", changes);
            }
            if let Ok(Decision { changes: decided, .. }) = decide(&log.state, revision, &envelope) {
                prop_assert!(changes.starts_with(&decided));
            }
            let applied = log.apply(&envelope);
            prop_assert_eq!(applied, result);
            other.apply(revision, envelope.at, changes);
        }
        let rebuilt = State::from_resources(log.state.revision(), log.state.now(), log.state.resources());
        prop_assert_eq!(format!("{:?}", &rebuilt), format!("{:?}", &log.state), "indexes are derived from the tables");
        prop_assert_eq!(&other, &log.state);
        for replica in log.state.replicas() {
            prop_assert!(log.state.node(replica.node).is_some(), "a replica is on a node that exists");
        }
        for deployment in log.state.deployments() {
            for pin in &deployment.secrets {
                prop_assert!(log.state.secret_value(pin.value()).is_some(), "a pinned value is kept");
            }
        }
        for service in log.state.services() {
            let pinned = log.state.pinned_settings(service.deployment);
            prop_assert!(log.state.settings_of(service.id).run_alike(&pinned), "what is wanted is rolled out");
        }
        for record in log.state.service_settings_records() {
            prop_assert!(log.state.service(record.id).is_some() && !record.list.is_empty(), "{:?}", record);
        }
        for record in log.state.deployment_settings_records() {
            prop_assert!(log.state.deployment(record.id).is_some() && !record.list.is_empty(), "{:?}", record);
        }
        for pin in log.state.image_pins() {
            prop_assert!(log.state.deployment(pin.id).is_some(), "a pin goes with its rollout");
        }
        for value in log.state.secret_values() {
            let is_current = log.state.secret_item(value.id.item).is_some_and(|it| it.value() == value.id);
            prop_assert!(is_current || log.state.is_pinned(value.id, |_| false), "a value that nobody needs goes");
        }
        for route in log.state.routes() {
            prop_assert!(log.state.domain(route.domain).is_some() && log.state.service(route.service).is_some());
        }
    }
}
