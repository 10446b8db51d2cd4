//! `/api/join-tokens/`, for admins

use std::time::Duration;

use model::{Command, JoinToken, Key, Members, ProjectId, Revision};

use crate::auth;
use crate::errors::ApiError;
use crate::fields::{Field, Shape, Values};
use crate::output::Out;
use crate::resource::{Create, Realm, Resource, Writable, from_outcome};

/// Tokens with which hosts join. The token itself is shown once.
pub struct JoinTokens;

const PREFIX: &str = "gobj_";
/// Seconds that a token is good for where nobody says.
const TTL_SECONDS: u64 = 3600;
/// Thirty days: a token that lives longer is a password.
const TTL_MAX: i64 = 30 * 24 * 3600;
/// Hosts that may join with a token where nobody says.
const USES: u32 = 1;
const USES_MAX: i64 = 10_000;

/// A token, and how many more hosts may join with it; `None`: any number, as tokens of older versions.
pub struct View {
    token: JoinToken,
    left: Option<u32>,
}

/// The token of this request: a secret, and the digest by which a host that joins recognises the cluster's authority.
fn token(realm: &Realm<'_>) -> Result<String, ApiError> {
    let cluster = realm.state.cluster();
    let cluster = cluster.ok_or_else(|| ApiError::Unavailable("There is no cluster to join yet.".to_owned()))?;
    naming(realm, &cluster.authority.certificate)
}

/// The token of this request, by which to recognise the authority of this certificate.
fn naming(realm: &Realm<'_>, authority: &[u8]) -> Result<String, ApiError> {
    let secret = auth::secret_of(PREFIX, &realm.secret_bits()?);
    let digest = auth::hash(authority);
    Ok(digest
        .iter()
        .fold(format!("{secret}_"), |text, byte| text + &format!("{byte:02x}")))
}

impl Resource for JoinTokens {
    type Model = JoinToken;
    type View = View;

    const FIELDS: &'static [Field<View>] = &[
        Field::read_only("id", Shape::Id, "Its id.", |v| v.token.id.0.into()),
        Field::read_only("created_at", Shape::Time, "When it was made.", |v| {
            v.token.created_at.into()
        }),
        Field::read_only("expires_at", Shape::Time, "From then on it is refused.", |v| {
            v.token.expires_at.into()
        }),
        Field::read_only_or_null(
            "uses_left",
            Shape::Integer { min: 0, max: USES_MAX },
            "How many more hosts may join with it; null: any number (a token of an older version).",
            |v| Out::or_null(v.left),
        ),
        Field::write_only(
            "ttl_seconds",
            Shape::Integer { min: 1, max: TTL_MAX },
            "Seconds it is good for; 3600.",
        ),
        Field::write_only(
            "uses",
            Shape::Integer { min: 1, max: USES_MAX },
            "How many hosts may join with it; 1.",
        ),
    ];

    fn all<'a>(realm: &Realm<'a>, _project: Option<ProjectId>) -> Members<'a, JoinToken> {
        Members::of(realm.state.join_tokens().collect())
    }

    fn find<'a>(_realm: &Realm<'a>, _id: &str) -> Option<&'a JoinToken> {
        // There is no path for one of them.
        None
    }

    fn view(realm: &Realm<'_>, model: &JoinToken) -> View {
        View {
            token: model.clone(),
            left: realm.state.join_token_uses(model.id).map(|it| it.left),
        }
    }

    fn version(_model: &JoinToken) -> Option<(Key, Revision)> {
        None
    }
}

impl Writable for JoinTokens {
    from_outcome!(JoinToken);
}

impl Create for JoinTokens {
    fn create(realm: &Realm<'_>, mut values: Values) -> Result<Command, ApiError> {
        let token = token(realm)?;
        let ttl = Duration::from_secs(values.integer("ttl_seconds").unwrap_or(TTL_SECONDS));
        Ok(Command::CreateCountedJoinToken {
            hash: auth::hash(token.as_bytes()),
            expires_at: realm.now.after(ttl),
            uses: values.integer("uses").unwrap_or(USES),
        })
    }

    fn reveal(realm: &Realm<'_>, made: &JoinToken) -> Result<Option<(&'static str, String)>, ApiError> {
        // The next authority may have begun to sign since it was made.
        let before = realm.state.authority_under_way().map(|it| naming(realm, it.other()));
        let mut tokens = [Some(token(realm)), before].into_iter().flatten();
        let token = tokens.find(|it| it.as_ref().is_ok_and(|it| auth::hash(it.as_bytes()) == made.hash));
        Ok(token.transpose()?.map(|it| ("token", it)))
    }
}
