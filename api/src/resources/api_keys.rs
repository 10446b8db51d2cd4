//! `/api/api-keys/`

use model::{ApiKey, ApiKeyId, Command, Outcome, Revision, Scope, Timestamp};
use uuid::Uuid;

use super::TEXT_MAX;
use crate::auth;
use crate::errors::{ApiError, FieldErrors};
use crate::fields::{Field, Shape, Values};
use crate::output::Out;
use crate::resource::{Create, Delete, Prepared, Realm, Resource, Writable, missing};
use crate::{scalars, texts};

/// Credentials of an account. The key itself is shown once.
pub struct ApiKeys;

impl Resource for ApiKeys {
    type Model = ApiKey;
    type View = ApiKey;

    const FIELDS: &'static [Field<ApiKey>] = &[
        Field::read_only("id", Shape::Id, "Its id.", |v| v.id.0.into()),
        Field::required(
            "name",
            Shape::Text {
                max: TEXT_MAX,
                blank: false,
            },
            "What its owner calls it.",
            |v| (&v.name).into(),
        ),
        Field::optional(
            "scope",
            Shape::Choice(&["full", "read_only"]),
            "What it may do; default full.",
            |v| {
                match v.scope {
                    Scope::Full => "full",
                    Scope::ReadOnly => "read_only",
                }
                .into()
            },
        ),
        Field::read_only("created_at", Shape::Time, "When it was made.", |v| v.created_at.into()),
        Field::optional_or_null(
            "expires_at",
            Shape::Time,
            "When it stops working; null is never.",
            |v| Out::or_null(v.expires_at),
        ),
    ];

    fn all<'a>(realm: &Realm<'a>) -> Vec<&'a ApiKey> {
        realm.state.api_keys_of(realm.account.id).collect()
    }

    fn find<'a>(realm: &Realm<'a>, id: &str) -> Option<&'a ApiKey> {
        realm
            .state
            .api_key(ApiKeyId(scalars::uuid(id)?))
            .filter(|it| it.account == realm.account.id)
    }

    fn view(_realm: &Realm<'_>, model: &ApiKey) -> ApiKey {
        model.clone()
    }

    fn age(model: &ApiKey) -> (Timestamp, Uuid) {
        (model.created_at, model.id.0)
    }

    fn revision(model: &ApiKey) -> Option<Revision> {
        Some(model.revision)
    }
}

impl Writable for ApiKeys {
    fn from_outcome(outcome: Outcome) -> Option<ApiKey> {
        match outcome {
            Outcome::Resource(resource) => match *resource {
                model::Resource::ApiKey(key) => Some(key),
                _ => None,
            },
            _ => None,
        }
    }

    fn check(realm: &Realm<'_>, values: &Values, _own: Option<&ApiKey>, errors: &mut FieldErrors) {
        if values.peek_time("expires_at").is_some_and(|end| end <= realm.now) {
            errors.add("expires_at", [texts::NOT_IN_FUTURE.to_owned()]);
        }
    }
}

impl Create for ApiKeys {
    fn create(realm: &Realm<'_>, mut values: Values) -> Result<Prepared, ApiError> {
        let key = auth::new_secret("gob_")?;
        let scope = match values.text("scope").as_deref() {
            Some("read_only") => Scope::ReadOnly,
            _ => Scope::Full,
        };
        let command = Command::CreateApiKey {
            account: realm.account.id,
            name: values.text("name").ok_or_else(|| missing("name"))?,
            hash: auth::hash(key.as_bytes()),
            scope,
            expires_at: values.time("expires_at"),
        };
        Ok(Prepared {
            command,
            reveal: Some(("key", key)),
        })
    }
}

impl Delete for ApiKeys {
    fn delete(own: &ApiKey) -> Command {
        Command::RevokeApiKey(own.id)
    }
}
