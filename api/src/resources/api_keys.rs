//! `/api/api-keys/`

use model::{AccountId, ApiKey, ApiKeyId, Command, Key, Kind, Members, ProjectId, Revision, Scope};

use super::TEXT;
use crate::auth;
use crate::errors::{ApiError, FieldErrors};
use crate::fields::{Field, Shape, Values};
use crate::output::Out;
use crate::resource::{Create, Delete, Realm, Resource, Writable, from_outcome, missing};
use crate::{scalars, texts};

/// Credentials of an account. The key itself is shown once.
pub struct ApiKeys;

const PREFIX: &str = "gob_";
const SCOPES: &[&str] = &["full", "read_only", "no_secret_values"];

/// A scope as clients see it.
#[must_use]
pub fn scope_word(scope: Scope) -> &'static str {
    match scope {
        Scope::Full => "full",
        Scope::ReadOnly => "read_only",
        Scope::NoSecretValues => "no_secret_values",
    }
}

impl Resource for ApiKeys {
    type Model = ApiKey;
    type View = ApiKey;

    const FIELDS: &'static [Field<ApiKey>] = &[
        Field::read_only("id", Shape::Id, "Its id.", |v| v.id.0.into()),
        Field::required("name", TEXT, "What its owner calls it.", |v| (&v.name).into()),
        Field::optional("scope", Shape::Choice(SCOPES), "What it may do; default full.", |v| {
            scope_word(v.scope).into()
        }),
        Field::read_only("created_at", Shape::Time, "When it was made.", |v| v.created_at.into()),
        Field::optional_or_null(
            "expires_at",
            Shape::Time,
            "When it stops working; null is never.",
            |v| Out::or_null(v.expires_at),
        ),
        Field::read_only_or_null(
            "last_used_at",
            Shape::Time,
            "When it was last used, to the minute.",
            |v| Out::or_null(v.last_used_at),
        ),
        Field::optional(
            "account",
            Shape::Reference(Kind::Account),
            "Whose key it is. Default: who asks; only admins may name another.",
            |v| v.account.0.into(),
        ),
    ];

    fn all<'a>(realm: &Realm<'a>, _project: Option<ProjectId>) -> Members<'a, ApiKey> {
        realm.state.api_keys_of(realm.account.id)
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

    fn version(model: &ApiKey) -> Option<(Key, Revision)> {
        Some((Key::ApiKey(model.id), model.revision))
    }
}

impl Writable for ApiKeys {
    from_outcome!(ApiKey);

    fn check(realm: &Realm<'_>, values: &Values, _own: Option<&ApiKey>, errors: &mut FieldErrors) {
        if values.peek_time("expires_at").is_some_and(|end| end <= realm.now) {
            errors.add("expires_at", [texts::NOT_IN_FUTURE.to_owned()]);
        }
    }
}

impl Create for ApiKeys {
    fn create(realm: &Realm<'_>, mut values: Values) -> Result<Command, ApiError> {
        let key = auth::secret_of(PREFIX, &realm.secret_bits()?);
        let scope = match values.text("scope").as_deref() {
            Some("read_only") => Scope::ReadOnly,
            Some("no_secret_values") => Scope::NoSecretValues,
            _ => Scope::Full,
        };
        Ok(Command::CreateApiKey {
            account: values.reference("account").map_or(realm.account.id, AccountId),
            name: values.text("name").ok_or_else(|| missing("name"))?,
            hash: auth::hash(key.as_bytes()),
            scope,
            expires_at: values.time("expires_at"),
        })
    }

    fn reveal(realm: &Realm<'_>, made: &ApiKey) -> Result<Option<(&'static str, String)>, ApiError> {
        let key = auth::secret_of(PREFIX, &realm.secret_bits()?);
        Ok((auth::hash(key.as_bytes()) == made.hash).then_some(("key", key)))
    }
}

impl Delete for ApiKeys {
    fn delete(own: &ApiKey) -> Command {
        Command::RevokeApiKey(own.id)
    }
}
