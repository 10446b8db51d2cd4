//! `/api/configs/`

use model::{Command, Config, ConfigId, Key, Members, ProjectId, Revision};

use super::sets::{self, SetView, status};
use crate::errors::ApiError;
use crate::fields::{Field, Values};
use crate::resource::{Create, Delete, Realm, Resource, Update, Writable, from_outcome};
use crate::scalars;
use crate::view::service_status::ServiceStatus;

/// Sets of environment values.
pub struct Configs;

fn view(model: &Config, status: ServiceStatus) -> SetView {
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

impl Resource for Configs {
    type Model = Config;
    type View = SetView;

    const FIELDS: &'static [Field<SetView>] = sets::FIELDS;
    const FILTERS_BY_PROJECT: bool = true;

    fn all<'a>(realm: &Realm<'a>, project: Option<ProjectId>) -> Members<'a, Config> {
        realm.filed(
            project,
            |state, id| state.configs_of(id),
            |state, id| state.configs_in(id),
        )
    }

    fn find<'a>(realm: &Realm<'a>, id: &str) -> Option<&'a Config> {
        realm
            .state
            .config(ConfigId(scalars::uuid(id)?))
            .filter(|it| it.account == realm.account.id)
    }

    fn view(realm: &Realm<'_>, model: &Config) -> SetView {
        view(model, status(realm.state, realm.state.users_of_config(model.id)))
    }

    /// Nothing uses it yet.
    fn newborn(_realm: &Realm<'_>, model: &Config) -> SetView {
        view(model, ServiceStatus::Ready)
    }

    fn version(model: &Config) -> Option<(Key, Revision)> {
        Some((Key::Config(model.id), model.revision))
    }
}

impl Writable for Configs {
    from_outcome!(Config);
}

impl Create for Configs {
    fn create(_realm: &Realm<'_>, values: Values) -> Result<Command, ApiError> {
        Ok(Command::CreateConfig(sets::draft(values)?))
    }
}

impl Update for Configs {
    fn update(_realm: &Realm<'_>, own: &Config, values: Values) -> Result<Command, ApiError> {
        Ok(Command::UpdateConfig(own.id, sets::patch(values)))
    }
}

impl Delete for Configs {
    fn delete(own: &Config) -> Command {
        Command::DeleteConfig(own.id)
    }
}
