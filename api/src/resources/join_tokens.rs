//! `/api/join-tokens/`, for admins

use std::time::Duration;

use model::{Command, JoinToken, Outcome, Revision, Timestamp};
use uuid::Uuid;

use crate::auth;
use crate::errors::ApiError;
use crate::fields::{Field, Shape, Values};
use crate::resource::{Create, Prepared, Realm, Resource, Writable};

/// Tokens with which hosts join. The token itself is shown once.
pub struct JoinTokens;

/// Seconds that a token is good for where nobody says.
const TTL_SECONDS: u64 = 3600;
/// Thirty days: a token that lives longer is a password.
const TTL_MAX: i64 = 30 * 24 * 3600;

impl Resource for JoinTokens {
    type Model = JoinToken;
    type View = JoinToken;

    const FIELDS: &'static [Field<JoinToken>] = &[
        Field::read_only("id", Shape::Id, "Its id.", |v| v.id.0.into()),
        Field::read_only("created_at", Shape::Time, "When it was made.", |v| v.created_at.into()),
        Field::read_only("expires_at", Shape::Time, "From then on it is refused.", |v| {
            v.expires_at.into()
        }),
        Field::write_only(
            "ttl_seconds",
            Shape::Integer { min: 1, max: TTL_MAX },
            "Seconds it is good for; 3600.",
        ),
    ];

    fn all<'a>(realm: &Realm<'a>) -> Vec<&'a JoinToken> {
        realm.state.join_tokens().collect()
    }

    fn find<'a>(_realm: &Realm<'a>, _id: &str) -> Option<&'a JoinToken> {
        // There is no path for one of them.
        None
    }

    fn view(_realm: &Realm<'_>, model: &JoinToken) -> JoinToken {
        model.clone()
    }

    fn age(model: &JoinToken) -> (Timestamp, Uuid) {
        (model.created_at, model.id.0)
    }

    fn revision(_model: &JoinToken) -> Option<Revision> {
        None
    }
}

impl Writable for JoinTokens {
    fn from_outcome(outcome: Outcome) -> Option<JoinToken> {
        match outcome {
            Outcome::Resource(resource) => match *resource {
                model::Resource::JoinToken(token) => Some(token),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Create for JoinTokens {
    fn create(realm: &Realm<'_>, mut values: Values) -> Result<Prepared, ApiError> {
        let token = auth::new_secret("gobjoin_")?;
        let ttl = Duration::from_secs(values.integer("ttl_seconds").unwrap_or(TTL_SECONDS));
        let command = Command::CreateJoinToken {
            hash: auth::hash(token.as_bytes()),
            expires_at: realm.now.after(ttl),
        };
        Ok(Prepared {
            command,
            reveal: Some(("token", token)),
        })
    }
}
