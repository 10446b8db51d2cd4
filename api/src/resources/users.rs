//! `/api/users/`: accounts, each with its user name and password. An account sees itself, an admin all of them.

use model::{Account, AccountId, AccountPatch, Command, Key, Members, ProjectId, Revision};

use super::TEXT_MAX;
use crate::auth::password;
use crate::errors::{ApiError, FieldErrors};
use crate::fields::{Field, Shape, Values};
use crate::resource::{Create, Delete, Realm, Resource, Update, Writable, from_outcome, missing};
use crate::{scalars, texts};

/// Accounts.
pub struct Users;

impl Resource for Users {
    type Model = Account;
    type View = Account;

    const FIELDS: &'static [Field<Account>] = &[
        Field::read_only("id", Shape::Id, "Its id.", |v| v.id.0.into()),
        Field::required(
            "username",
            Shape::Text { max: 150, blank: false },
            "Unique in the cluster.",
            |v| (&v.name).into(),
        ),
        Field::write_only(
            "password",
            Shape::Text {
                max: TEXT_MAX,
                blank: false,
            },
            "At least 8 characters. Without one, only keys work.",
        ),
        Field::optional(
            "is_admin",
            Shape::Boolean,
            "Whether it manages the cluster; default false.",
            |v| v.is_admin.into(),
        ),
        Field::read_only("created_at", Shape::Time, "When it was made.", |v| v.created_at.into()),
        Field::read_only("updated_at", Shape::Time, "When it was last changed.", |v| {
            v.updated_at.into()
        }),
    ];

    fn all<'a>(realm: &Realm<'a>, _project: Option<ProjectId>) -> Members<'a, Account> {
        if realm.account.is_admin {
            realm.state.all_accounts()
        } else {
            Members::of(realm.state.account(realm.account.id).into_iter().collect())
        }
    }

    fn find<'a>(realm: &Realm<'a>, id: &str) -> Option<&'a Account> {
        realm
            .state
            .account(AccountId(scalars::uuid(id)?))
            .filter(|it| it.id == realm.account.id || realm.account.is_admin)
    }

    fn view(_realm: &Realm<'_>, model: &Account) -> Account {
        model.clone()
    }

    fn version(model: &Account) -> Option<(Key, Revision)> {
        Some((Key::Account(model.id), model.revision))
    }
}

impl Writable for Users {
    from_outcome!(Account);

    fn check(_realm: &Realm<'_>, values: &Values, _own: Option<&Account>, errors: &mut FieldErrors) {
        if values
            .peek_text("password")
            .is_some_and(|it| it.chars().count() < password::MIN)
        {
            errors.add("password", [texts::too_short(password::MIN)]);
        }
    }
}

impl Create for Users {
    fn create(realm: &Realm<'_>, mut values: Values) -> Result<Command, ApiError> {
        if !realm.account.is_admin {
            return Err(ApiError::Forbidden);
        }
        let password = values.text("password").map(|it| password::hash(&it)).transpose()?;
        Ok(Command::CreateAccount {
            name: values.text("username").ok_or_else(|| missing("username"))?,
            password,
            is_admin: values.boolean("is_admin").unwrap_or(false),
        })
    }
}

impl Update for Users {
    fn update(_realm: &Realm<'_>, own: &Account, mut values: Values) -> Result<Command, ApiError> {
        let patch = AccountPatch {
            name: values.text("username"),
            password: values.text("password").map(|it| password::hash(&it)).transpose()?,
            is_admin: values.boolean("is_admin"),
        };
        Ok(Command::UpdateAccount(own.id, patch))
    }
}

impl Delete for Users {
    fn delete(own: &Account) -> Command {
        Command::DeleteAccount(own.id)
    }
}
