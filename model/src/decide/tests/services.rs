//! Services, plans and reports.

use super::*;
use crate::{DeploymentStatus, ServicePatch};

#[test]
fn a_name_is_free_again_at_once() {
    let mut log = Log::new();
    let service = log.service("web");
    assert_eq!(
        log.admin(Command::CreateService(draft("web"))),
        Err(Rejection::NameTaken(Kind::Service))
    );
    log.admin(Command::DeleteService(service.id)).expect("deleted");
    log.service("web");
}

#[test]
fn naming_a_fixed_field_starts_the_next_version_and_ends_the_one_before() {
    let mut log = Log::new();
    let service = log.service("web");
    let patch = ServicePatch {
        image: Some("web:2".to_owned()),
        ..ServicePatch::default()
    };
    log.admin(Command::UpdateService(service.id, patch)).expect("patched");
    let versions: Vec<_> = log
        .state
        .deployments_of(service.id)
        .map(|it| (it.version, it.status))
        .collect();
    assert_eq!(
        versions,
        [(1, DeploymentStatus::Failed), (2, DeploymentStatus::Pending)]
    );
    let rename = ServicePatch {
        name: Some("www".to_owned()),
        ..ServicePatch::default()
    };
    log.admin(Command::UpdateService(service.id, rename)).expect("patched");
    assert_eq!(
        log.state.deployments_of(service.id).count(),
        2,
        "a new name restarts nothing"
    );
    assert!(
        log.state
            .service_by_name(log.account(), ServiceKind::Service, "web")
            .is_none()
    );
}

#[test]
fn a_plan_from_an_older_state_does_nothing() {
    let mut log = Log::new();
    let node = log.node("a", 100);
    let service = log.service("web");
    let seen = service.touched;
    log.place(&service, node);
    let actions = vec![PlanAction::Place {
        deployment: service.deployment,
        node,
    }];
    let late = log.system(Command::ApplyPlan {
        service: service.id,
        seen,
        actions,
    });
    assert_eq!(late, Err(Rejection::Stale));
    assert_eq!(log.state.replicas_of(service.id).count(), 1);
}

#[test]
fn reports_of_an_earlier_life_are_refused() {
    let mut log = Log::new();
    let node = log.node("a", 100);
    let service = log.service("web");
    let replica = log.place(&service, node);
    let reports = vec![report(&replica, Phase::Ready)];
    let old = Command::ReportReplicas {
        node,
        boot: Uuid::from_u128(9),
        reports: reports.clone(),
    };
    assert_eq!(log.system(old), Err(Rejection::WrongBoot { node: node.0 }));
    log.system(Command::ReportReplicas {
        node,
        boot: Uuid::from_u128(1),
        reports,
    })
    .expect("of this life");
    assert!(log.state.replica(replica.id).is_some_and(Replica::is_serving));
}

#[test]
fn replicas_of_a_deleted_service_stay_until_their_host_has_stopped_them() {
    let mut log = Log::new();
    let node = log.node("a", 100);
    let service = log.service("web");
    let replica = log.place(&service, node);
    log.admin(Command::DeleteService(service.id)).expect("deleted");
    assert_eq!(log.state.replica(replica.id).map(|it| it.intent), Some(Intent::Stop));
    let reports = vec![report(&replica, Phase::Stopped)];
    log.system(Command::ReportReplicas {
        node,
        boot: Uuid::from_u128(1),
        reports,
    })
    .expect("reported");
    assert_eq!(log.state.replica(replica.id), None);
}

#[test]
fn an_unchanged_report_touches_nothing() {
    let mut log = Log::new();
    let node = log.node("a", 100);
    let service = log.service("web");
    let replica = log.place(&service, node);
    let ready = || Command::ReportReplicas {
        node,
        boot: Uuid::from_u128(1),
        reports: vec![report(&replica, Phase::Ready)],
    };
    log.system(ready()).expect("reported");
    let touched = |log: &Log| log.state.service(service.id).map(|it| it.touched);
    let before = touched(&log);
    log.system(ready()).expect("reported");
    assert_eq!(touched(&log), before);
    assert_eq!(
        log.state.service(ServiceId(service.id.0)).map(|it| it.revision),
        Some(service.revision)
    );
}

#[test]
fn workers_have_names_of_their_own_and_take_no_routes() {
    let mut log = Log::new();
    log.service("web");
    let worker = ServiceDraft {
        port: None,
        ..draft("web")
    };
    log.admin(Command::CreateService(worker.clone())).expect("another list");
    assert_eq!(
        log.admin(Command::CreateService(worker)),
        Err(Rejection::NameTaken(Kind::Worker))
    );
    let account = log.account();
    let id = log
        .state
        .service_by_name(account, ServiceKind::Worker, "web")
        .expect("the worker")
        .id;
    assert_eq!(log.state.services_of(account, ServiceKind::Worker).count(), 1);
    assert_eq!(log.state.services_of(account, ServiceKind::Service).count(), 1);
    let hostname = "a.test".to_owned();
    log.admin(Command::CreateDomain(DomainDraft {
        hostname,
        project: None,
    }))
    .expect("made");
    let domain = log.state.domains().next().expect("the domain").id;
    let route = RouteDraft {
        path: "/".to_owned(),
        enabled: true,
        domain,
        service: id,
    };
    let refused = log.admin(Command::CreateRoute(route));
    assert_eq!(
        refused,
        Err(Rejection::BadReferences(vec![(crate::Field::Service, id.0)]))
    );
    let patch = ServicePatch {
        port: Some(80),
        ..ServicePatch::default()
    };
    log.admin(Command::UpdateService(id, patch)).expect("ignored");
    let worker = log.state.service(id).expect("there");
    assert_eq!((worker.kind(), worker.version), (ServiceKind::Worker, 1));
}

#[test]
fn a_rollback_brings_the_whole_revision_as_the_next_version() {
    let mut log = Log::new();
    let service = log.service("web");
    let patch = ServicePatch {
        image: Some("web:2".to_owned()),
        port: Some(81),
        replicas: Some(5),
        ..ServicePatch::default()
    };
    log.admin(Command::UpdateService(service.id, patch)).expect("patched");
    let back = Command::RollBack {
        deployment: service.deployment,
        notes: "oops".to_owned(),
    };
    match log.admin(back) {
        Ok(Outcome::Resource(Resource::Deployment(it))) => {
            assert_eq!((it.version, it.rollback_from), (3, Some(service.deployment)));
            assert_eq!((&it.spec, it.notes.as_str()), (&service.spec, "oops"));
        }
        other => panic!("a deployment, not {other:?}"),
    }
    let now = log.state.service(service.id).expect("there");
    assert_eq!((&now.spec, now.version), (&service.spec, 3));
    let statuses: Vec<_> = log.state.deployments_of(service.id).map(|it| it.status).collect();
    use DeploymentStatus::{Failed, Pending, RolledBack};
    assert_eq!(statuses, [Failed, RolledBack, Pending]);
}
