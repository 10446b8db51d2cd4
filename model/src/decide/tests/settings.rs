//! Settings: what starts a rollout, what is pinned, what a rollback brings back, and that nothing of them is left over.

use std::time::Duration;

use super::*;
use crate::{HealthCheck, Probe, ServicePatch, Setting, Settings, UpdatePolicy, Volume};

fn check(path: &str, start_grace_seconds: u32) -> Setting {
    Setting::HealthCheck(Some(HealthCheck {
        start_grace_seconds,
        ..HealthCheck::plain(Probe::Http { path: path.to_owned() })
    }))
}

fn careful() -> Setting {
    Setting::Update(UpdatePolicy {
        parallelism: Some(1),
        ..UpdatePolicy::default()
    })
}

fn create(log: &mut Log, said: Vec<Setting>) -> Service {
    log.admin(Command::CreateServiceWith(draft("web"), said)).expect("made");
    log.state.services().last().expect("made").clone()
}

fn say(log: &mut Log, id: ServiceId, said: Vec<Setting>) -> Result<Outcome, Rejection> {
    log.admin(Command::UpdateServiceWith(id, ServicePatch::default(), said))
}

fn newest(log: &Log, id: ServiceId) -> (u32, Settings) {
    let service = log.state.service(id).expect("there");
    (service.version, log.state.pinned_settings(service.deployment))
}

#[test]
fn what_bears_on_containers_starts_a_rollout_and_how_rollouts_go_does_not() {
    let mut log = Log::new();
    let id = create(&mut log, vec![check("/a", 60)]).id;
    say(&mut log, id, vec![check("/a", 60)]).expect("said");
    say(&mut log, id, vec![careful()]).expect("said");
    let (version, pinned) = newest(&log, id);
    assert_eq!((version, pinned.update), (1, UpdatePolicy::default()));
    assert_eq!(log.state.settings_of(id).update.parallelism, Some(1));
    say(&mut log, id, vec![check("/b", 60)]).expect("said");
    let (version, pinned) = newest(&log, id);
    assert_eq!((version, pinned), (2, log.state.settings_of(id)));
    say(
        &mut log,
        id,
        vec![Setting::HealthCheck(None), Setting::Update(UpdatePolicy::default())],
    )
    .expect("said");
    assert_eq!(newest(&log, id), (3, Settings::default()));
    assert!(
        log.state.service_settings(id).is_none(),
        "no record of what goes without saying"
    );
}

#[test]
fn every_rollout_is_pinned_and_a_rollback_brings_back_what_was() {
    let mut log = Log::new();
    let id = create(&mut log, vec![check("/a", 60)]).id;
    let first = log.state.service(id).expect("there").deployment;
    let patch = ServicePatch {
        image: Some("web:2".to_owned()),
        ..ServicePatch::default()
    };
    log.admin(Command::UpdateService(id, patch)).expect("patched");
    assert_eq!(newest(&log, id), (2, log.state.pinned_settings(first)), "settings stay");
    say(&mut log, id, vec![check("/b", 60), careful()]).expect("said");
    let notes = String::new();
    log.admin(Command::RollBack {
        deployment: first,
        notes,
    })
    .expect("back");
    let now = log.state.settings_of(id);
    assert_eq!(newest(&log, id), (4, now.clone()));
    assert_eq!(
        now.list(),
        [check("/a", 60), careful()],
        "how rollouts go is not rolled back"
    );
    log.admin(Command::DeleteService(id)).expect("deleted");
    assert_eq!(log.state.service_settings_records().count(), 0);
    assert_eq!(log.state.deployment_settings_records().count(), 0);
}

#[test]
fn changed_items_are_rolled_out_with_the_settings() {
    let mut log = Log::new();
    let service = create(&mut log, vec![check("/a", 60)]);
    let config = service.spec.config.expect("the default");
    let (key, value) = ("K".to_owned(), "v".to_owned());
    log.admin(Command::CreateConfigItem { config, key, value })
        .expect("made");
    let seen = log.state.service(service.id).expect("there").touched;
    let actions = vec![PlanAction::Redeploy];
    let service = service.id;
    log.system(Command::ApplyPlan { service, seen, actions })
        .expect("planned");
    assert_eq!(newest(&log, service), (2, log.state.settings_of(service)));
}

#[test]
fn slow_starters_have_a_later_deadline() {
    let mut log = Log::new();
    let limit = |log: &Log, id| {
        let service = log.state.service(id).expect("there");
        let it = log.state.deployment(service.deployment).expect("there");
        it.deadline.since(it.deployed_at)
    };
    let id = create(&mut log, vec![check("/a", 5)]).id;
    let usual = limit(&log, id);
    say(&mut log, id, vec![check("/a", 360)]).expect("said");
    assert_eq!(limit(&log, id), usual + Duration::from_secs(300));
}

#[test]
fn only_an_admin_gives_folders_of_hosts_away() {
    let mut log = Log::new();
    log.admin(Command::CreateAccount {
        name: "guest".to_owned(),
        password: None,
        is_admin: false,
    })
    .expect("made");
    let guest = Actor::Account(log.state.account_by_name("guest").expect("made").id);
    let volumes = vec![Setting::Volumes(vec![Volume {
        source: "/".to_owned(),
        target: "/host".to_owned(),
        read_only: false,
    }])];
    let envelope = log.envelope(guest, Command::CreateServiceWith(draft("web"), volumes.clone()));
    assert_eq!(log.apply(&envelope), Err(Rejection::VolumesNeedAdmin));
    let envelope = log.envelope(guest, Command::CreateService(draft("web")));
    log.apply(&envelope).expect("made");
    let id = log.state.services().next().expect("made").id;
    let update = Command::UpdateServiceWith(id, ServicePatch::default(), volumes.clone());
    let envelope = log.envelope(guest, update);
    assert_eq!(log.apply(&envelope), Err(Rejection::VolumesNeedAdmin));
    assert_eq!(newest(&log, id), (1, Settings::default()));
    create(&mut log, volumes);
}

#[test]
fn requests_without_settings_suit_older_members() {
    assert_eq!(Command::CreateService(draft("web")).level(), 1);
    assert_eq!(Command::CreateServiceWith(draft("web"), Vec::new()).level(), 3);
}
