//! `/api/secrets/`

use model::{Command, Key, Members, ProjectId, Revision, Secret, SecretId};

use super::sets::{self, SetView, status};
use crate::errors::ApiError;
use crate::fields::{Field, Values};
use crate::resource::{Create, Delete, Realm, Resource, Update, Writable, from_outcome};
use crate::scalars;
use crate::view::service_status::ServiceStatus;

/// Sets of values that are stored sealed.
pub struct Secrets;

fn view(model: &Secret, status: ServiceStatus) -> SetView {
    SetView {
        id: model.id.0,
        name: model.name.clone(),
        is_default: model.is_default,
        status,
        project: model.project,
        created_at: model.created_at,
        updated_at: model.updated_at,
    }
}

impl Resource for Secrets {
    type Model = Secret;
    type View = SetView;

    const FIELDS: &'static [Field<SetView>] = sets::FIELDS;
    const FILTERS_BY_PROJECT: bool = true;

    fn all<'a>(realm: &Realm<'a>, project: Option<ProjectId>) -> Members<'a, Secret> {
        realm.filed(
            project,
            |state, id| state.secrets_of(id),
            |state, id| state.secrets_in(id),
        )
    }

    fn find<'a>(realm: &Realm<'a>, id: &str) -> Option<&'a Secret> {
        realm
            .state
            .secret(SecretId(scalars::uuid(id)?))
            .filter(|it| it.account == realm.account.id)
    }

    fn view(realm: &Realm<'_>, model: &Secret) -> SetView {
        view(model, status(realm.state, realm.state.users_of_secret(model.id)))
    }

    /// Nothing uses it yet.
    fn newborn(_realm: &Realm<'_>, model: &Secret) -> SetView {
        view(model, ServiceStatus::Ready)
    }

    fn version(model: &Secret) -> Option<(Key, Revision)> {
        Some((Key::Secret(model.id), model.revision))
    }
}

impl Writable for Secrets {
    from_outcome!(Secret);
}

impl Create for Secrets {
    fn create(_realm: &Realm<'_>, values: Values) -> Result<Command, ApiError> {
        Ok(Command::CreateSecret(sets::draft(values)?))
    }
}

impl Update for Secrets {
    fn update(_realm: &Realm<'_>, own: &Secret, values: Values) -> Result<Command, ApiError> {
        Ok(Command::UpdateSecret(own.id, sets::patch(values)))
    }
}

impl Delete for Secrets {
    fn delete(own: &Secret) -> Command {
        Command::DeleteSecret(own.id)
    }
}
