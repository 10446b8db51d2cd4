//! Everything that can go wrong with a request, and the one place where each becomes an answer.

use http::StatusCode;
use http::header::{ALLOW, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use model::{Field, Kind, Rejection};
use thiserror::Error;

use crate::answer::Answer;
use crate::output::Out;
use crate::port::{KeyringFault, SealError, SubmitError, Unavailable};
use crate::texts;

/// Texts under the names of the fields they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(Vec<(&'static str, Vec<String>)>);

impl FieldErrors {
    /// One text for one field.
    #[must_use]
    pub fn one(field: &'static str, text: impl Into<String>) -> Self {
        Self(vec![(field, vec![text.into()])])
    }

    /// Nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds to what is said of a field.
    pub fn add(&mut self, field: &'static str, texts: impl IntoIterator<Item = String>) {
        let texts = texts.into_iter();
        match self.0.iter_mut().find(|(name, _)| *name == field) {
            Some((_, known)) => known.extend(texts),
            None => self.0.push((field, texts.collect())),
        }
    }

    /// Adds all that is said elsewhere.
    pub fn merge(&mut self, others: Self) {
        for (field, texts) in others.0 {
            self.add(field, texts);
        }
    }

    /// Whether something is said of this field.
    #[must_use]
    pub fn mentions(&self, field: &str) -> bool {
        self.0.iter().any(|(name, _)| *name == field)
    }

    /// In the order in which the fields are listed.
    #[must_use]
    pub fn sorted_like(mut self, fields: impl Iterator<Item = &'static str>) -> Self {
        let order: Vec<_> = fields.collect();
        self.0
            .sort_by_key(|(name, _)| order.iter().position(|field| field == name).unwrap_or(usize::MAX));
        self
    }

    fn into_out(self) -> Out {
        Out::Object(
            self.0
                .into_iter()
                .map(|(name, texts)| (name.into(), texts.into_iter().collect()))
                .collect(),
        )
    }
}

/// What can go wrong with a request.
#[derive(Debug, Error)]
pub enum ApiError {
    /// The path exists with a slash at its end.
    #[error("moved to {0}")]
    Moved(String),
    /// No such path or object, or not one that the client may know of.
    #[error("not found")]
    NotFound,
    /// No such page of the list.
    #[error("no such page")]
    InvalidPage,
    /// The client takes nothing that we could send.
    #[error("not acceptable")]
    NotAcceptable,
    /// It is not known who asks; the text says why.
    #[error("not authenticated: {0}")]
    Unauthenticated(&'static str),
    /// The client may not do this.
    #[error("forbidden")]
    Forbidden,
    /// A browser's session did not prove that its own page asks. Holds the text.
    #[error("{0}")]
    CsrfFailed(&'static str),
    /// Too many requests: again after so many seconds.
    #[error("throttled for {0} seconds")]
    Throttled(u32),
    /// The object is not as the client has seen it.
    #[error("the object has changed")]
    PreconditionFailed,
    /// A value of a secret cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The keyring does not do what it was asked.
    #[error(transparent)]
    Keyring(#[from] KeyringFault),
    /// The path does not know the method.
    #[error("method {method} not allowed")]
    MethodNotAllowed {
        /// As it was sent.
        method: String,
        /// What the path knows.
        allow: String,
    },
    /// The body's type is not JSON. Holds the type as it was sent.
    #[error("unsupported media type {0}")]
    UnsupportedMediaType(String),
    /// The body is larger than this many bytes.
    #[error("body larger than {0} bytes")]
    BodyTooLarge(usize),
    /// The body did not arrive in time, or broke off.
    #[error("the body did not arrive: {0}")]
    BodyLost(String),
    /// The body is not JSON; says why.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// Fields, or the whole of them, are not as they should be.
    #[error("invalid fields: {0:?}")]
    Invalid(FieldErrors),
    /// It cannot be done as things are; says why.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The command was refused.
    #[error("refused: {0}")]
    Rejected(Rejection),
    /// The cluster cannot do it now.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The cluster may or may not have done it.
    #[error("outcome unknown: {0}")]
    OutcomeUnknown(String),
    /// Something of ours broke; says what, for the log only.
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<Unavailable> for ApiError {
    fn from(error: Unavailable) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Rejected(rejection) => Self::Rejected(rejection),
            SubmitError::Unavailable(_) => Self::Unavailable(error.to_string()),
            SubmitError::OutcomeUnknown { .. } => Self::OutcomeUnknown(error.to_string()),
        }
    }
}

impl From<FieldErrors> for ApiError {
    fn from(errors: FieldErrors) -> Self {
        Self::Invalid(errors)
    }
}

impl ApiError {
    /// As clients see it.
    #[must_use]
    pub fn into_answer(self) -> Answer {
        match self {
            Self::Moved(to) => Answer::empty(StatusCode::MOVED_PERMANENTLY).with(LOCATION, to),
            Self::NotFound => Answer::detail(StatusCode::NOT_FOUND, texts::NOT_FOUND),
            Self::InvalidPage => Answer::detail(StatusCode::NOT_FOUND, texts::INVALID_PAGE),
            Self::NotAcceptable => Answer::detail(StatusCode::NOT_ACCEPTABLE, texts::NOT_ACCEPTABLE),
            Self::Unauthenticated(text) => {
                Answer::detail(StatusCode::UNAUTHORIZED, text).with(WWW_AUTHENTICATE, "Bearer")
            }
            Self::Forbidden => Answer::detail(StatusCode::FORBIDDEN, texts::FORBIDDEN),
            Self::CsrfFailed(text) => Answer::detail(StatusCode::FORBIDDEN, text),
            Self::Throttled(seconds) => throttled(seconds),
            Self::PreconditionFailed => Answer::detail(StatusCode::PRECONDITION_FAILED, texts::PRECONDITION_FAILED),
            Self::Seal(error @ SealError::Locked) => locked(&error),
            Self::Seal(error @ SealError::Missing(_)) => {
                Answer::detail(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).with(RETRY_AFTER, "1")
            }
            Self::Keyring(fault) => keyring(fault),
            Self::Seal(error @ SealError::Damaged(_)) => {
                coded(StatusCode::INTERNAL_SERVER_ERROR, &error, "secret_unreadable")
            }
            Self::MethodNotAllowed { method, allow } => {
                Answer::detail(StatusCode::METHOD_NOT_ALLOWED, texts::method_not_allowed(&method)).with(ALLOW, allow)
            }
            Self::UnsupportedMediaType(sent) => {
                Answer::detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, texts::unsupported_media_type(&sent))
            }
            Self::BodyTooLarge(limit) => Answer::detail(StatusCode::PAYLOAD_TOO_LARGE, texts::body_too_large(limit)),
            Self::BodyLost(why) => Answer::detail(StatusCode::REQUEST_TIMEOUT, why),
            Self::NotJson(why) => Answer::detail(StatusCode::BAD_REQUEST, texts::parse_error(&why)),
            Self::Invalid(errors) => Answer::json(StatusCode::BAD_REQUEST, errors.into_out()),
            Self::Conflict(why) => Answer::detail(StatusCode::CONFLICT, why),
            Self::Rejected(rejection) => rejected(&rejection),
            Self::Unavailable(why) => Answer::detail(StatusCode::SERVICE_UNAVAILABLE, why).with(RETRY_AFTER, "1"),
            Self::OutcomeUnknown(why) => Answer::json(
                StatusCode::SERVICE_UNAVAILABLE,
                Out::object([("detail", why.into()), ("code", "outcome_unknown".into())]),
            )
            .with(RETRY_AFTER, "1"),
            Self::Internal(why) => {
                tracing::error!(%why, "a request failed for a reason of our own");
                Answer::detail(StatusCode::INTERNAL_SERVER_ERROR, texts::SERVER_ERROR)
            }
        }
    }
}

fn throttled(seconds: u32) -> Answer {
    Answer::detail(StatusCode::TOO_MANY_REQUESTS, texts::throttled(seconds)).with(RETRY_AFTER, seconds.to_string())
}

/// Somebody has to give the passphrase: soon is not worth asking again.
fn locked(error: &dyn std::error::Error) -> Answer {
    coded(StatusCode::SERVICE_UNAVAILABLE, error, "keyring_locked").with(RETRY_AFTER, "30")
}

fn keyring(fault: KeyringFault) -> Answer {
    let invalid = |text: String| ApiError::Invalid(FieldErrors::one("passphrase", text)).into_answer();
    match fault {
        KeyringFault::Locked => locked(&fault),
        KeyringFault::WrongPassphrase { .. } | KeyringFault::BadPassphrase(_) => invalid(fault.to_string()),
        KeyringFault::TooManyAttempts { wait_seconds } => throttled(u32::try_from(wait_seconds).unwrap_or(u32::MAX)),
        KeyringFault::NoPassphrase => Answer::detail(StatusCode::BAD_REQUEST, fault.to_string()),
        KeyringFault::UnderWay(_) => Answer::detail(StatusCode::CONFLICT, fault.to_string()),
        KeyringFault::Missing(_) => {
            Answer::detail(StatusCode::SERVICE_UNAVAILABLE, fault.to_string()).with(RETRY_AFTER, "5")
        }
        KeyringFault::Submit(error) => ApiError::from(error).into_answer(),
        KeyringFault::Failed(why) => ApiError::Internal(why).into_answer(),
    }
}

/// With a code that has a page in `docs/errors/`.
fn coded(status: StatusCode, error: &dyn std::error::Error, code: &str) -> Answer {
    let detail = error.to_string().into();
    Answer::json(status, Out::object([("detail", detail), ("code", code.into())]))
}

/// A refusal of the replicated state, as clients see it.
fn rejected(rejection: &Rejection) -> Answer {
    let invalid = |errors: FieldErrors| Answer::json(StatusCode::BAD_REQUEST, errors.into_out());
    match rejection {
        Rejection::NotFound { .. } => Answer::detail(StatusCode::NOT_FOUND, texts::NOT_FOUND),
        Rejection::BadReferences(references) => {
            let mut errors = FieldErrors::default();
            for (field, id) in references {
                errors.add(field_name(*field), [texts::no_such_object(&id.to_string())]);
            }
            invalid(errors)
        }
        Rejection::NameTaken(_) => invalid(FieldErrors::one("non_field_errors", texts::NAME_TAKEN)),
        Rejection::HostnameTaken => invalid(FieldErrors::one("hostname", texts::HOSTNAME_TAKEN)),
        Rejection::InUse { kind, used_by } => {
            let kind = kind.word();
            let text = format!("This {kind} is still in use by {used_by}.");
            Answer::detail(StatusCode::BAD_REQUEST, text)
        }
        Rejection::KeyTaken(Kind::SecretItem) => invalid(FieldErrors::one("non_field_errors", texts::SECRET_KEY_TAKEN)),
        Rejection::KeyTaken(_) => invalid(FieldErrors::one("non_field_errors", texts::CONFIG_KEY_TAKEN)),
        Rejection::UsernameTaken => invalid(FieldErrors::one("username", texts::USERNAME_TAKEN)),
        Rejection::DefaultStays(kind) => {
            let kind = kind.word();
            let text = format!("This is its project's default {kind}: it stays there, and goes with it.");
            Answer::detail(StatusCode::BAD_REQUEST, text)
        }
        Rejection::LastAdmin => Answer::detail(StatusCode::BAD_REQUEST, texts::LAST_ADMIN),
        Rejection::VolumesNeedAdmin => invalid(FieldErrors::one("volumes", texts::VOLUMES_NEED_ADMIN)),
        Rejection::LastVoter => Answer::detail(StatusCode::BAD_REQUEST, texts::LAST_VOTER),
        Rejection::Throttled { seconds } => throttled(*seconds),
        Rejection::IdempotencyKeyReused => {
            Answer::detail(StatusCode::UNPROCESSABLE_ENTITY, texts::IDEMPOTENCY_KEY_REUSED)
        }
        Rejection::TooManyKeys(max) => invalid(FieldErrors::one("non_field_errors", texts::too_many_keys(*max))),
        Rejection::PreconditionFailed => Answer::detail(StatusCode::PRECONDITION_FAILED, texts::PRECONDITION_FAILED),
        Rejection::Forbidden => Answer::detail(StatusCode::FORBIDDEN, texts::FORBIDDEN),
        // Answers to commands that the API never submits; should it come to that, the text still names the thing.
        Rejection::Stale
        | Rejection::Unwarranted
        | Rejection::WrongBoot { .. }
        | Rejection::BadJoinToken
        | Rejection::NodeConflict(_)
        | Rejection::AlreadyInitialised => Answer::detail(StatusCode::CONFLICT, rejection.to_string()),
    }
}

fn field_name(field: Field) -> &'static str {
    match field {
        Field::Project => "project",
        Field::Domain => "domain",
        Field::Service => "service",
        Field::Config => "config",
        Field::Secret => "secret",
        Field::RegistrySecret => "registry_secret",
    }
}
