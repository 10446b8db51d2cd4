//! `/api/secrets/{id}/items/`: values are sealed here, before there is a command, and opened here, for nobody else to
//! see on the way.

use model::{
    Command, Key, Kind, Members, ProjectId, Revision, SealedItem, Secret, SecretItem, SecretItemId, SecretValueId,
};
use zeroize::Zeroizing;

use super::items::{KEY, VALUE, check_key, check_value};
use super::{ANY_TEXT, Secrets};
use crate::errors::{ApiError, FieldErrors};
use crate::fields::{Field, Shape, Values};
use crate::output::Out;
use crate::resource::{Create, Delete, Realm, Resource, Update, Writable, from_outcome, missing};
use crate::{scalars, texts};

/// Values of a secret.
pub struct SecretItems;

/// An item as it is shown.
pub struct SecretItemView {
    item: SecretItem,
    /// Only where it was asked for by itself, and that is on record.
    value: Option<Zeroizing<String>>,
}

/// The secret in the path.
fn parent<'a>(realm: &Realm<'a>) -> Option<&'a Secret> {
    Secrets::find(realm, realm.parent)
}

/// The value of an item as it is now.
fn open(realm: &Realm<'_>, item: &SecretItem) -> Result<Zeroizing<String>, ApiError> {
    let value = realm
        .state
        .secret_value(item.value())
        .ok_or_else(|| ApiError::Internal(format!("the secret item {} has no value", item.id)))?;
    Ok(realm.sealer.open(value)?)
}

/// A value under the key that it will have, sealed for its place.
fn sealed(realm: &Realm<'_>, id: SecretValueId, key: String, value: &str) -> Result<SealedItem, ApiError> {
    let sealed = realm.sealer.seal(id, &key, value)?;
    Ok(SealedItem { id, key, sealed })
}

/// Whether this can name an environment variable in a shell, and a file.
fn is_environment_name(key: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    key.chars().all(plain) && !key.starts_with(|c: char| c.is_ascii_digit())
}

impl SecretItems {
    /// The item with its value. That it is read must be on record before.
    ///
    /// # Errors
    /// When the keyring is locked, or the value does not open.
    pub fn opened(realm: &Realm<'_>, item: &SecretItem) -> Result<SecretItemView, ApiError> {
        Ok(SecretItemView {
            item: item.clone(),
            value: Some(open(realm, item)?),
        })
    }
}

impl Resource for SecretItems {
    type Model = SecretItem;
    type View = SecretItemView;

    const FIELDS: &'static [Field<SecretItemView>] = &[
        Field::read_only("id", Shape::Id, "Its id.", |v| v.item.id.0.into()),
        Field::read_only("secret", Shape::Reference(Kind::Secret), "What it is part of.", |v| {
            v.item.secret.0.into()
        }),
        Field::required(
            "key",
            KEY,
            "Name of the environment variable or file; unique within the secret.",
            |v| (&v.item.key).into(),
        ),
        Field::required(
            "value",
            VALUE,
            "What it holds: 500 KB at most. Shown when the item is read by itself, null in lists.",
            |v: &SecretItemView| Out::or_null(v.value.as_ref().map(|it| it.as_str())),
        )
        .or_hidden(),
        Field::read_only("created_at", Shape::Time, "When it was made.", |v| {
            v.item.created_at.into()
        }),
        Field::read_only("updated_at", Shape::Time, "When it was last changed.", |v| {
            v.item.updated_at.into()
        }),
        Field::read_only_or_null("last_accessed_at", Shape::Time, "When its value was last read.", |v| {
            Out::or_null(v.item.last_accessed_at)
        }),
        Field::read_only_or_null("last_accessed_by", ANY_TEXT, "The user who read it then.", |v| {
            Out::or_null(v.item.last_accessed_by.as_ref())
        }),
    ];

    fn has_parent(realm: &Realm<'_>) -> bool {
        parent(realm).is_some()
    }

    fn all<'a>(realm: &Realm<'a>, _project: Option<ProjectId>) -> Members<'a, SecretItem> {
        match parent(realm) {
            Some(secret) => realm.state.items_of_secret(secret.id),
            None => Members::of(Vec::new()),
        }
    }

    fn find<'a>(realm: &Realm<'a>, id: &str) -> Option<&'a SecretItem> {
        let secret = parent(realm)?.id;
        realm
            .state
            .secret_item(SecretItemId(scalars::uuid(id)?))
            .filter(|it| it.secret == secret)
    }

    /// Without the value: that is for [`SecretItems::opened`].
    fn view(_realm: &Realm<'_>, model: &SecretItem) -> SecretItemView {
        SecretItemView {
            item: model.clone(),
            value: None,
        }
    }

    fn version(model: &SecretItem) -> Option<(Key, Revision)> {
        Some((Key::SecretItem(model.id), model.revision))
    }
}

impl Writable for SecretItems {
    from_outcome!(SecretItem);

    fn echo(values: &Values) -> Option<(&'static str, Out)> {
        Some(("value", Out::or_null(values.peek_text("value"))))
    }

    fn check(_realm: &Realm<'_>, values: &Values, _own: Option<&SecretItem>, errors: &mut FieldErrors) {
        check_key(values, is_environment_name, texts::BAD_SECRET_KEY, errors);
        check_value(values, errors);
    }
}

impl Create for SecretItems {
    fn create(realm: &Realm<'_>, mut values: Values) -> Result<Command, ApiError> {
        let secret = parent(realm).ok_or(ApiError::NotFound)?.id;
        let key = values.text("key").ok_or_else(|| missing("key"))?;
        let value = Zeroizing::new(values.text("value").ok_or_else(|| missing("value"))?);
        // The seal is bound to the item, so its id is drawn here, as unguessable as those that the log draws.
        let mut entropy = [0; 16];
        entropy.copy_from_slice(&realm.secret_bits()?[..16]);
        let item = SecretItemId(model::fresh_uuid(realm.now, u128::from_le_bytes(entropy), 0));
        let id = SecretValueId { item, version: 1 };
        Ok(Command::CreateSecretItem(secret, sealed(realm, id, key, &value)?))
    }
}

impl Update for SecretItems {
    /// A new key alone needs the old value too: the seal is bound to both.
    fn update(realm: &Realm<'_>, own: &SecretItem, mut values: Values) -> Result<Command, ApiError> {
        let (value, key) = (values.text("value"), values.text("key"));
        if value.is_none() && key.as_ref().is_none_or(|it| *it == own.key) {
            return unchanged(realm, own);
        }
        let value = match value {
            Some(value) => Zeroizing::new(value),
            None => open(realm, own)?,
        };
        let id = SecretValueId {
            item: own.id,
            version: own.version + 1,
        };
        let key = key.unwrap_or_else(|| own.key.clone());
        Ok(Command::UpdateSecretItem(sealed(realm, id, key, &value)?))
    }
}

/// The value stays as it is sealed: nothing is rolled out.
fn unchanged(realm: &Realm<'_>, own: &SecretItem) -> Result<Command, ApiError> {
    let value = realm.state.secret_value(own.value());
    let value = value.ok_or_else(|| ApiError::Internal(format!("the value of item {} is not there", own.id)))?;
    Ok(Command::UpdateSecretItem(SealedItem {
        id: value.id,
        key: own.key.clone(),
        sealed: value.sealed.clone(),
    }))
}

impl Delete for SecretItems {
    fn delete(own: &SecretItem) -> Command {
        Command::DeleteSecretItem(own.id)
    }
}
