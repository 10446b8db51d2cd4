//! `/api/configs/{id}/items/`

use model::{Command, Config, ConfigItem, ConfigItemId, ConfigItemPatch, Key, Kind, Members, ProjectId, Revision};

use super::Configs;
use super::items::{KEY, VALUE, check_key, check_value};
use crate::errors::{ApiError, FieldErrors};
use crate::fields::{Field, Shape, Values};
use crate::resource::{Create, Delete, Realm, Resource, Update, Writable, from_outcome, missing};
use crate::{scalars, texts};

/// Values of a config.
pub struct ConfigItems;

/// The config in the path.
fn parent<'a>(realm: &Realm<'a>) -> Option<&'a Config> {
    Configs::find(realm, realm.parent)
}

impl Resource for ConfigItems {
    type Model = ConfigItem;
    type View = ConfigItem;

    const FIELDS: &'static [Field<ConfigItem>] = &[
        Field::read_only("id", Shape::Id, "Its id.", |v| v.id.0.into()),
        Field::read_only("config", Shape::Reference(Kind::Config), "What it is part of.", |v| {
            v.config.0.into()
        }),
        Field::required(
            "key",
            KEY,
            "Name of the environment variable; unique within the config.",
            |v| (&v.key).into(),
        ),
        Field::required("value", VALUE, "What it holds: 500 KB at most.", |v| (&v.value).into()),
        Field::read_only("created_at", Shape::Time, "When it was made.", |v| v.created_at.into()),
        Field::read_only("updated_at", Shape::Time, "When it was last changed.", |v| {
            v.updated_at.into()
        }),
    ];

    fn has_parent(realm: &Realm<'_>) -> bool {
        parent(realm).is_some()
    }

    fn all<'a>(realm: &Realm<'a>, _project: Option<ProjectId>) -> Members<'a, ConfigItem> {
        match parent(realm) {
            Some(config) => realm.state.items_of_config(config.id),
            None => Members::of(Vec::new()),
        }
    }

    fn find<'a>(realm: &Realm<'a>, id: &str) -> Option<&'a ConfigItem> {
        let config = parent(realm)?.id;
        realm
            .state
            .config_item(ConfigItemId(scalars::uuid(id)?))
            .filter(|it| it.config == config)
    }

    fn view(_realm: &Realm<'_>, model: &ConfigItem) -> ConfigItem {
        model.clone()
    }

    fn version(model: &ConfigItem) -> Option<(Key, Revision)> {
        Some((Key::ConfigItem(model.id), model.revision))
    }
}

impl Writable for ConfigItems {
    from_outcome!(ConfigItem);

    fn check(_realm: &Realm<'_>, values: &Values, _own: Option<&ConfigItem>, errors: &mut FieldErrors) {
        check_key(values, |key| !key.contains('='), texts::BAD_ENV_NAME, errors);
        check_value(values, errors);
    }
}

impl Create for ConfigItems {
    fn create(realm: &Realm<'_>, mut values: Values) -> Result<Command, ApiError> {
        Ok(Command::CreateConfigItem {
            config: parent(realm).map(|it| it.id).ok_or(ApiError::NotFound)?,
            key: values.text("key").ok_or_else(|| missing("key"))?,
            value: values.text("value").ok_or_else(|| missing("value"))?,
        })
    }
}

impl Update for ConfigItems {
    fn update(_realm: &Realm<'_>, own: &ConfigItem, mut values: Values) -> Result<Command, ApiError> {
        let patch = ConfigItemPatch {
            key: values.text("key"),
            value: values.text("value"),
        };
        Ok(Command::UpdateConfigItem(own.id, patch))
    }
}

impl Delete for ConfigItems {
    fn delete(own: &ConfigItem) -> Command {
        Command::DeleteConfigItem(own.id)
    }
}
