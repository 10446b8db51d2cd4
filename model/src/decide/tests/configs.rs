//! Configs, secrets, and the rollouts that their items begin.

use super::*;
use crate::{
    ConfigDraft, ConfigId, ConfigItemId, ConfigItemPatch, SealedItem, SecretId, SecretItemId, SecretValueId,
    ServicePatch,
};

fn item(log: &mut Log, config: ConfigId, key: &str, value: &str) -> Result<ConfigItemId, Rejection> {
    let (key, value) = (key.to_owned(), value.to_owned());
    match log.admin(Command::CreateConfigItem { config, key, value })? {
        Outcome::Resource(Resource::ConfigItem(it)) => Ok(it.id),
        other => panic!("an item, not {other:?}"),
    }
}

fn seal(n: u128, version: u32, key: &str, text: &str) -> SealedItem {
    SealedItem {
        id: value(n, version),
        key: key.to_owned(),
        sealed: sealed(text, 1),
    }
}

fn value(n: u128, version: u32) -> SecretValueId {
    SecretValueId {
        item: SecretItemId(Uuid::from_u128(n)),
        version,
    }
}

fn defaults(log: &Log) -> (ConfigId, SecretId) {
    let project = log.state.projects().next().expect("the default project");
    (project.default_config, project.default_secret)
}

fn redeploy(log: &mut Log, service: &Service) -> Result<Outcome, Rejection> {
    log.system(Command::ApplyPlan {
        service: service.id,
        seen: log.state.service(service.id).expect("there").touched,
        actions: vec![PlanAction::Redeploy],
    })
}

#[test]
fn a_service_that_names_no_config_gets_the_default_and_may_ask_for_none() {
    let mut log = Log::new();
    let service = log.service("web");
    let (config, secret) = defaults(&log);
    assert_eq!((service.spec.config, service.spec.secret), (Some(config), Some(secret)));
    let bare = ServiceDraft {
        config: Some(None),
        secret: Some(None),
        ..draft("bare")
    };
    log.admin(Command::CreateService(bare)).expect("made");
    let bare = log
        .state
        .service_by_name(log.account(), ServiceKind::Service, "bare")
        .expect("there");
    assert_eq!((bare.spec.config, bare.spec.secret), (None, None));
    assert_eq!(log.state.users_of_config(config).count(), 1);
}

#[test]
fn changed_items_make_one_rollout_with_the_values_as_they_are_then() {
    let mut log = Log::new();
    let service = log.service("web");
    let (config, _) = defaults(&log);
    let a = item(&mut log, config, "A", "1").expect("made");
    item(&mut log, config, "B", "2").expect("made");
    assert_eq!(
        item(&mut log, config, "A", "3"),
        Err(Rejection::KeyTaken(Kind::ConfigItem))
    );
    let now = log.state.service(service.id).expect("there");
    assert_eq!(now.item_change.as_ref().map(|it| it.by.as_str()), Some("admin"));
    assert_eq!(
        (now.revision, now.version),
        (service.revision, 1),
        "not the client's change"
    );
    redeploy(&mut log, &service).expect("planned");
    redeploy(&mut log, &service).expect("nothing left to do");
    let newest = log
        .state
        .deployments_of(service.id)
        .last()
        .expect("a deployment")
        .clone();
    let snapshot: Vec<_> = newest.config_snapshot.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!((newest.version, snapshot.join(" ").as_str()), (2, "A=1 B=2"));
    assert_eq!(newest.deployed_by, "admin");

    let same = ConfigItemPatch {
        value: Some("1".to_owned()),
        ..ConfigItemPatch::default()
    };
    log.admin(Command::UpdateConfigItem(a, same)).expect("patched");
    assert!(
        log.state.service(service.id).expect("there").item_change.is_none(),
        "nothing changed"
    );
    log.admin(Command::DeleteConfigItem(a)).expect("deleted");
    assert!(log.state.service(service.id).expect("there").item_change.is_some());
    assert!(item(&mut log, config, "A", "9").is_ok(), "the key is free at once");
}

#[test]
fn a_value_lives_as_long_as_it_is_current_or_pinned() {
    let mut log = Log::new();
    let (_, secret) = defaults(&log);
    log.admin(Command::CreateSecretItem(secret, seal(1, 1, "PW", "a")))
        .expect("made");
    let service = log.service("web");
    assert_eq!(
        log.state.deployments_of(service.id).next().expect("one").secrets[0].value(),
        value(1, 1)
    );
    let taken = Command::CreateSecretItem(secret, seal(2, 1, "PW", "b"));
    assert_eq!(log.admin(taken), Err(Rejection::KeyTaken(Kind::SecretItem)));
    let skipped = Command::UpdateSecretItem(seal(1, 3, "PW", "c"));
    assert_eq!(log.admin(skipped), Err(Rejection::Stale), "sealed for another version");

    log.admin(Command::UpdateSecretItem(seal(1, 2, "PW", "b")))
        .expect("changed");
    log.admin(Command::UpdateSecretItem(seal(1, 3, "PW", "c")))
        .expect("changed");
    let versions = |log: &Log| log.state.secret_values().map(|it| it.id.version).collect::<Vec<_>>();
    assert_eq!(versions(&log), [1, 3], "1 is pinned, 2 was never used");
    let item = log
        .state
        .secret_item(SecretItemId(Uuid::from_u128(1)))
        .expect("there")
        .id;
    log.admin(Command::DeleteSecretItem(item)).expect("deleted");
    assert_eq!(versions(&log), [1]);
    log.admin(Command::DeleteService(service.id)).expect("deleted");
    assert_eq!(versions(&log), [0; 0]);
}

#[test]
fn reading_a_value_is_noted_and_changes_nothing_else() {
    let mut log = Log::new();
    let (_, secret) = defaults(&log);
    log.admin(Command::CreateSecretItem(secret, seal(1, 1, "PW", "a")))
        .expect("made");
    let before = log.state.secret_items().next().expect("there").clone();
    log.admin(Command::RecordSecretRead(before.id)).expect("read");
    let after = log.state.secret_items().next().expect("there").clone();
    assert_eq!(after.last_accessed_by.as_deref(), Some("admin"));
    assert_eq!((after.revision, after.updated_at), (before.revision, before.updated_at));
    let kinds: Vec<_> = log.state.events().map(crate::Event::kind).collect();
    assert_eq!(kinds.last().map(String::as_str), Some("secret_item.accessed"));
    assert_eq!(
        log.system(Command::RecordSecretRead(before.id)),
        Err(Rejection::Forbidden)
    );
}

#[test]
fn what_is_used_stays_and_defaults_go_with_their_project() {
    let mut log = Log::new();
    let (default, _) = defaults(&log);
    assert_eq!(
        log.admin(Command::DeleteConfig(default)),
        Err(Rejection::DefaultStays(Kind::Config))
    );
    let config = ConfigDraft {
        name: "c".to_owned(),
        project: None,
    };
    log.admin(Command::CreateConfig(config)).expect("made");
    let config = log.state.configs().find(|it| !it.is_default).expect("there").id;
    let service = log.service("web");
    let attach = |config| ServicePatch {
        config: Some(config),
        ..ServicePatch::default()
    };
    log.admin(Command::UpdateService(service.id, attach(Some(config))))
        .expect("attached");
    match log.admin(Command::DeleteConfig(config)) {
        Err(Rejection::InUse { used_by, .. }) => assert_eq!(used_by, "service web"),
        other => panic!("in use, not {other:?}"),
    }
    log.admin(Command::UpdateService(service.id, attach(None)))
        .expect("detached");
    item(&mut log, config, "A", "1").expect("made");
    log.admin(Command::DeleteConfig(config)).expect("deleted");
    assert_eq!(log.state.config_items().count(), 0, "items go with their config");

    log.admin(Command::CreateProject(crate::ProjectDraft { name: "p".to_owned() }))
        .expect("made");
    let project = log.state.project_by_name(log.account(), "p").expect("there").id;
    assert_eq!(log.state.configs().count(), 2);
    log.admin(Command::DeleteProject(project)).expect("deleted");
    assert_eq!((log.state.configs().count(), log.state.secrets().count()), (1, 1));
}

#[test]
fn an_item_that_is_set_to_what_it_is_begins_no_rollout() {
    let mut log = Log::new();
    let (_, secret) = defaults(&log);
    log.admin(Command::CreateSecretItem(secret, seal(1, 1, "PW", "a")))
        .expect("made");
    let service = log.service("web");
    let before = log.state.secret_items().next().expect("there").clone();
    log.admin(Command::UpdateSecretItem(seal(1, 1, "PW", "a")))
        .expect("touched");
    let after = log.state.secret_items().next().expect("there").clone();
    assert!(after.updated_at > before.updated_at && after.version == 1);
    assert!(log.state.service(service.id).expect("there").item_change.is_none());
}
