//! Which bytes a rollout runs.

use super::*;
use crate::{
    ConfigDraft, DeploymentId, Field, ImageWanted, PinSource, SealedItem, SecretId, SecretItemId, SecretValueId,
    ServicePatch, Setting, leveled_version, node_view, pinned_reference,
};

const OLD: &str = "sha256:01d";
const NEW: &str = "sha256:2e3";

fn pin(log: &mut Log, deployment: DeploymentId, digest: &str) -> Result<Outcome, Rejection> {
    log.system(Command::PinImage {
        deployment,
        digest: digest.to_owned(),
        source: PinSource::Registry,
    })
}

fn patch(log: &mut Log, id: ServiceId, patch: ServicePatch) -> Service {
    log.admin(Command::UpdateService(id, patch)).expect("patched");
    log.state.service(id).expect("there").clone()
}

fn image(name: &str) -> ServicePatch {
    ServicePatch {
        image: Some(name.to_owned()),
        ..ServicePatch::default()
    }
}

fn pinned(log: &Log, service: &Service) -> Option<(String, PinSource)> {
    let pin = log.state.image_pin(service.deployment)?;
    Some((pin.digest.clone(), pin.source))
}

/// A node whose version says whether it can apply pins.
fn node(log: &mut Log, name: &str, port: u16, version: &str) -> NodeId {
    let mut draft = node_draft(name, port, 1);
    version.clone_into(&mut draft.version);
    let command = Command::JoinNode {
        token_hash: log.token(),
        draft,
    };
    match log.system(command) {
        Ok(Outcome::Node(id)) => id,
        other => panic!("a node, not {other:?}"),
    }
}

#[test]
fn the_first_answer_counts() {
    let mut log = Log::new();
    let service = log.service("web");
    let before = log.state.deployment(service.deployment).expect("there").revision;
    let touched = log.state.service(service.id).expect("there").touched;
    pin(&mut log, service.deployment, OLD).expect("pinned");
    pin(&mut log, service.deployment, NEW).expect("too late, which is no fault");
    assert_eq!(pinned(&log, &service), Some((OLD.to_owned(), PinSource::Registry)));
    assert!(
        log.state.deployment(service.deployment).expect("there").revision > before,
        "clients see that the deployment has changed"
    );
    assert!(
        log.state.service(service.id).expect("there").touched > touched,
        "plans made without it are stale"
    );
    let command = Command::PinImage {
        deployment: service.deployment,
        digest: NEW.to_owned(),
        source: PinSource::Registry,
    };
    assert_eq!(log.admin(command), Err(Rejection::Forbidden));
    let gone = DeploymentId(Uuid::from_u128(9));
    assert_eq!(pin(&mut log, gone, NEW), Err(Rejection::Stale));
}

#[test]
fn a_change_that_does_not_name_the_image_keeps_its_bytes() {
    let mut log = Log::new();
    let first = log.service("web");
    pin(&mut log, first.deployment, OLD).expect("pinned");
    let scaled = patch(
        &mut log,
        first.id,
        ServicePatch {
            replicas: Some(3),
            ..ServicePatch::default()
        },
    );
    assert_eq!(pinned(&log, &scaled), Some((OLD.to_owned(), PinSource::Kept)));
    let named = patch(&mut log, first.id, image("web:1"));
    assert_eq!(pinned(&log, &named), None, "it is looked up again");
    let other = patch(&mut log, first.id, image("web:2"));
    assert_eq!(pinned(&log, &other), None);
    // What was never known cannot be kept.
    let scaled = patch(
        &mut log,
        first.id,
        ServicePatch {
            replicas: Some(1),
            ..ServicePatch::default()
        },
    );
    assert_eq!(pinned(&log, &scaled), None);
}

#[test]
fn changed_items_roll_out_the_same_bytes() {
    let mut log = Log::new();
    let service = log.service("web");
    pin(&mut log, service.deployment, OLD).expect("pinned");
    let config = log.state.configs().next().expect("the default").id;
    log.admin(Command::CreateConfigItem {
        config,
        key: "COLOUR".to_owned(),
        value: "green".to_owned(),
    })
    .expect("made");
    let seen = log.state.service(service.id).expect("there").touched;
    let plan = Command::ApplyPlan {
        service: service.id,
        seen,
        actions: vec![PlanAction::Redeploy],
    };
    log.system(plan).expect("begun");
    let service = log.state.service(service.id).expect("there").clone();
    assert_eq!(service.version, 2);
    assert_eq!(pinned(&log, &service), Some((OLD.to_owned(), PinSource::Kept)));
}

#[test]
fn a_rollback_brings_back_the_very_bytes_and_pins_go_with_their_service() {
    let mut log = Log::new();
    let first = log.service("web");
    pin(&mut log, first.deployment, OLD).expect("pinned");
    let second = patch(&mut log, first.id, image("web:1"));
    pin(&mut log, second.deployment, NEW).expect("pinned");
    let command = Command::RollBack {
        deployment: first.deployment,
        notes: String::new(),
    };
    log.admin(command).expect("rolled back");
    let third = log.state.service(first.id).expect("there").clone();
    assert_eq!(pinned(&log, &third), Some((OLD.to_owned(), PinSource::Kept)));
    log.admin(Command::DeleteService(first.id)).expect("deleted");
    assert_eq!(log.state.image_pins().count(), 0);
}

#[test]
fn a_host_looks_up_what_is_not_pinned_once_all_nodes_know_pins() {
    let mut log = Log::new();
    let here = node(&mut log, "a", 100, &leveled_version("1"));
    let old = node(&mut log, "b", 101, "1");
    let service = log.service("web");
    log.place(&service, here);
    let wanted = |log: &Log| {
        let view = node_view(&log.state, here);
        view.assignments.last().expect("one").clone()
    };
    assert_eq!(wanted(&log).image, ImageWanted::AsNamed);
    assert_eq!(wanted(&log).image_reference().as_deref(), Some("web:1"));
    let lease = log.state.node(old).expect("there").lease;
    log.system(Command::MarkNodeDown(old, lease)).expect("down");
    log.admin(Command::RemoveNode(old)).expect("removed");
    assert_eq!(wanted(&log).image, ImageWanted::LookUp { known: None });
    assert_eq!(wanted(&log).image_reference(), None);
    pin(&mut log, service.deployment, OLD).expect("pinned");
    assert_eq!(wanted(&log).image, ImageWanted::Pinned(OLD.to_owned()));
    let reference = pinned_reference("web:1", OLD);
    assert_eq!(wanted(&log).image_reference(), Some(reference));

    // Another rollout of the same image, should the registry be silent.
    let second = patch(&mut log, service.id, image("web:1"));
    log.place(&second, here);
    let known = |digest: &str| ImageWanted::LookUp {
        known: Some(digest.to_owned()),
    };
    assert_eq!(wanted(&log).image, known(OLD));
    let third = patch(&mut log, service.id, image("web@sha256:abc"));
    log.place(&third, here);
    assert_eq!(wanted(&log).image, known("sha256:abc"));
    let fourth = patch(&mut log, service.id, image("web:9"));
    log.place(&fourth, here);
    assert_eq!(wanted(&log).image, ImageWanted::LookUp { known: None });
}

/// A secret of the account with these items.
fn registry_secret(log: &mut Log, name: &str) -> SecretId {
    let secret = ConfigDraft {
        name: name.to_owned(),
        project: None,
    };
    log.admin(Command::CreateSecret(secret)).expect("made");
    let secret = log.state.secrets().find(|it| it.name == name).expect("made").id;
    let id = SecretValueId {
        item: SecretItemId(Uuid::from_u128(77)),
        version: 1,
    };
    let item = SealedItem {
        id,
        key: "password".to_owned(),
        sealed: sealed("x", 1),
    };
    log.admin(Command::CreateSecretItem(secret, item)).expect("made");
    secret
}

#[test]
fn credentials_are_those_of_now_and_naming_others_fetches_the_image_anew() {
    let mut log = Log::new();
    let here = node(&mut log, "a", 100, &leveled_version("1"));
    let secret = registry_secret(&mut log, "registry");
    let say = |log: &mut Log, id: ServiceId, secret: Option<SecretId>| {
        let said = vec![Setting::RegistrySecret(secret)];
        log.admin(Command::UpdateServiceWith(id, ServicePatch::default(), said))
    };
    let service = log.service("web");
    log.place(&service, here);
    let credentials = |log: &Log| node_view(&log.state, here).assignments[0].registry.clone();
    assert_eq!(credentials(&log), None);

    say(&mut log, service.id, Some(secret)).expect("said");
    assert_eq!(log.state.service(service.id).expect("there").version, 2);
    let versions = |log: &Log| {
        let it = credentials(log).expect("named");
        (it.name, it.values.iter().map(|it| it.id.version).collect::<Vec<_>>())
    };
    assert_eq!(versions(&log), ("registry".to_owned(), vec![1]));
    say(&mut log, service.id, Some(secret)).expect("said again");
    let changed = SealedItem {
        id: SecretValueId {
            item: SecretItemId(Uuid::from_u128(77)),
            version: 2,
        },
        key: "password".to_owned(),
        sealed: sealed("y", 1),
    };
    log.admin(Command::UpdateSecretItem(changed)).expect("changed");
    assert_eq!(versions(&log).1, [2], "also for what was deployed before");
    let now = log.state.service(service.id).expect("there");
    assert_eq!((now.version, &now.item_change), (2, &None), "no rollout comes of it");

    // It cannot go, and is not brought back by a rollback.
    let refused = log.admin(Command::DeleteSecret(secret));
    assert!(matches!(refused, Err(Rejection::InUse { kind: Kind::Secret, .. })));
    say(&mut log, service.id, None).expect("said");
    let old = log.state.deployments_of(service.id).nth(1).expect("there").id;
    let back = Command::RollBack {
        deployment: old,
        notes: String::new(),
    };
    log.admin(back).expect("rolled back");
    assert_eq!(credentials(&log), None);
    log.admin(Command::DeleteSecret(secret)).expect("deleted");
    let unknown = say(&mut log, service.id, Some(secret));
    assert_eq!(
        unknown,
        Err(Rejection::BadReferences(vec![(Field::RegistrySecret, secret.0)]))
    );
}
