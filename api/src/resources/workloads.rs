//! What services and workers have in common: all but the port.

mod container;
mod pinned;
mod settings;
mod table;

use std::marker::PhantomData;

use model::{
    Command, ConfigId, DeploymentStatus, Key, Members, ProjectId, Revision, SecretId, Service, ServiceDraft, ServiceId,
    ServiceKind, ServicePatch, Settings,
};

pub use self::pinned::{PINNED, pinned_out};
pub use self::table::{OF_SERVICES, OF_WORKERS};
use crate::errors::{ApiError, FieldErrors};
use crate::fields::{Field, Values};
use crate::resource::{Create, Delete, Realm, Resource, Update, Writable, from_outcome, missing};
use crate::view::service_status::{Standing, service_status};
use crate::{scalars, texts};

/// Which of the two it is.
pub trait Workload: 'static {
    /// As the cluster tells them apart.
    const KIND: ServiceKind;
    /// Its fields in the order shown.
    const FIELDS: &'static [Field<View>];
}

/// Container images, each run as N replicas.
pub struct Workloads<K>(PhantomData<K>);

/// A service or worker as it is shown.
pub struct View {
    service: Service,
    settings: Settings,
    standing: Standing,
}

/// How `service` stands in this state.
pub fn standing(realm: &Realm<'_>, service: &Service) -> Standing {
    let state = realm.state;
    let succeeded_before = state
        .deployments_of(service.id)
        .any(|it| it.id != service.deployment && it.status == DeploymentStatus::Success);
    let replicas = state
        .replicas_of(service.id)
        .map(|replica| (replica, state.node(replica.node)));
    service_status(
        service,
        state.deployment(service.deployment),
        succeeded_before,
        replicas,
    )
}

impl<K: Workload> Resource for Workloads<K> {
    type Model = Service;
    type View = View;

    const FIELDS: &'static [Field<View>] = K::FIELDS;
    const FILTERS_BY_PROJECT: bool = true;

    fn all<'a>(realm: &Realm<'a>, project: Option<ProjectId>) -> Members<'a, Service> {
        realm.filed(
            project,
            |state, account| state.services_of(account, K::KIND),
            |state, project| state.services_in(project, K::KIND),
        )
    }

    fn find<'a>(realm: &Realm<'a>, id: &str) -> Option<&'a Service> {
        realm
            .state
            .service(ServiceId(scalars::uuid(id)?))
            .filter(|it| it.account == realm.account.id && it.kind() == K::KIND)
    }

    fn view(realm: &Realm<'_>, model: &Service) -> View {
        View {
            service: model.clone(),
            settings: realm.state.settings_of(model.id),
            standing: standing(realm, model),
        }
    }

    /// Its first deployment has just begun.
    fn newborn(realm: &Realm<'_>, model: &Service) -> View {
        View {
            service: model.clone(),
            // Not those of today: what it began with was pinned.
            settings: realm.state.pinned_settings(model.deployment),
            standing: Standing::newborn(),
        }
    }

    fn version(model: &Service) -> Option<(Key, Revision)> {
        Some((Key::Service(model.id), model.revision))
    }
}

impl<K: Workload> Writable for Workloads<K> {
    from_outcome!(Service);

    fn check(realm: &Realm<'_>, values: &Values, _own: Option<&Service>, errors: &mut FieldErrors) {
        settings::check(&mut values.clone(), K::KIND, errors);
        let may_mount = realm.account.is_admin || !values.has("volumes");
        if !may_mount && !errors.mentions("volumes") {
            errors.add("volumes", [texts::VOLUMES_NEED_ADMIN.to_owned()]);
        }
    }
}

/// The port that was sent, where there is one to send.
fn port<K: Workload>(values: &mut Values) -> Result<Option<u16>, ApiError> {
    match K::KIND {
        ServiceKind::Service => Ok(Some(values.integer("port").ok_or_else(|| missing("port"))?)),
        ServiceKind::Worker => Ok(None),
    }
}

impl<K: Workload> Create for Workloads<K> {
    fn create(_realm: &Realm<'_>, mut values: Values) -> Result<Command, ApiError> {
        let draft = ServiceDraft {
            name: values.text("name").ok_or_else(|| missing("name"))?,
            image: values.text("image").ok_or_else(|| missing("image"))?,
            port: port::<K>(&mut values)?,
            replicas: values.integer("replicas_target").unwrap_or(1),
            project: values.reference("project").map(ProjectId),
            config: values.nullable_reference("config").map(|id| id.map(ConfigId)),
            secret: values.nullable_reference("secret").map(|id| id.map(SecretId)),
            container: container::sent(container::plain(), &mut values).unwrap_or_else(container::plain),
            notes: values.text("notes").unwrap_or_default(),
        };
        let said = settings::sent(&mut values, K::KIND)?;
        Ok(if said.is_empty() {
            Command::CreateService(draft)
        } else {
            Command::CreateServiceWith(draft, said)
        })
    }
}

impl<K: Workload> Update for Workloads<K> {
    fn update(_realm: &Realm<'_>, own: &Service, mut values: Values) -> Result<Command, ApiError> {
        let patch = ServicePatch {
            name: values.text("name"),
            image: values.text("image"),
            port: values.integer("port"),
            replicas: values.integer("replicas_target"),
            project: values.reference("project").map(ProjectId),
            config: values.nullable_reference("config").map(|id| id.map(ConfigId)),
            secret: values.nullable_reference("secret").map(|id| id.map(SecretId)),
            container: container::sent(own.spec.container.clone(), &mut values),
            notes: values.text("notes").unwrap_or_default(),
        };
        let said = settings::sent(&mut values, K::KIND)?;
        Ok(if said.is_empty() {
            Command::UpdateService(own.id, patch)
        } else {
            Command::UpdateServiceWith(own.id, patch, said)
        })
    }

    /// The container goes into it as a whole.
    fn carries_over(command: &Command) -> bool {
        match command {
            Command::UpdateService(_, patch) | Command::UpdateServiceWith(_, patch, _) => patch.container.is_some(),
            _ => false,
        }
    }
}

impl<K: Workload> Delete for Workloads<K> {
    fn delete(own: &Service) -> Command {
        Command::DeleteService(own.id)
    }
}
