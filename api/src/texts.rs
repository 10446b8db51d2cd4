//! Every text that clients match on, in one place. The fixed ones hold character for character.

use crate::json::{Value, repr};

/// A field that must be sent is not there.
pub const REQUIRED: &str = "This field is required.";
/// `null` where it has no meaning.
pub const NOT_NULL: &str = "This field may not be null.";
/// An empty text, or one of white space only.
pub const BLANK: &str = "This field may not be blank.";
/// Not a string, nor a number that could be one.
pub const NOT_A_STRING: &str = "Not a valid string.";
/// U+0000 in a text.
pub const NULL_CHARACTERS: &str = "Null characters are not allowed.";
/// Not an integer.
pub const NOT_AN_INTEGER: &str = "A valid integer is required.";
/// Too much text to be an integer.
pub const INTEGER_TOO_LONG: &str = "String value too large.";
/// Not a boolean.
pub const NOT_A_BOOLEAN: &str = "Must be a valid boolean.";
/// `?project=` is not an id.
pub const FILTER_NOT_A_UUID: &str = "Must be a valid UUID.";
/// Two resources of one account with the same name.
pub const NAME_TAKEN: &str = "The fields account, name must make a unique set.";
/// Two domains with the same hostname.
pub const HOSTNAME_TAKEN: &str = "domain with this hostname already exists.";
/// `null` as the whole body.
pub const NO_DATA: &str = "No data provided";
/// No such object, or not yours.
pub const NOT_FOUND: &str = "Not found.";
/// No such page.
pub const INVALID_PAGE: &str = "Invalid page.";
/// No renderer fits the Accept header.
pub const NOT_ACCEPTABLE: &str = "Could not satisfy the request Accept header.";
/// Nothing was sent to tell who asks.
pub const NO_CREDENTIALS: &str = "Authentication credentials were not provided.";
/// An unknown, expired or revoked key.
pub const INVALID_TOKEN: &str = "Invalid token.";
/// `Bearer` alone.
pub const TOKEN_EMPTY: &str = "Invalid token header. No credentials provided.";
/// `Bearer` and two words.
pub const TOKEN_SPACES: &str = "Invalid token header. Token string should not contain spaces.";
/// `Bearer` and something that is not text.
pub const TOKEN_CHARACTERS: &str = "Invalid token header. Token string should not contain invalid characters.";
/// A key or an account without the right.
pub const FORBIDDEN: &str = "You do not have permission to perform this action.";
/// A session's unsafe request without the cookie that its token is held against.
pub const CSRF_NO_COOKIE: &str = "CSRF Failed: CSRF cookie not set.";
/// A session's unsafe request without its token.
pub const CSRF_NO_TOKEN: &str = "CSRF Failed: CSRF token missing.";
/// A session's unsafe request with another token.
pub const CSRF_WRONG_TOKEN: &str = "CSRF Failed: CSRF token from the 'X-Csrftoken' HTTP header incorrect.";
/// A login that failed, for whichever reason.
pub const BAD_LOGIN: &str = "Unable to log in with provided credentials.";
/// Two accounts with the same user name.
pub const USERNAME_TAKEN: &str = "user with this username already exists.";
/// Two items of one config with the same key.
pub const CONFIG_KEY_TAKEN: &str = "The fields config, key must make a unique set.";
/// Two items of one secret with the same key.
pub const SECRET_KEY_TAKEN: &str = "The fields secret, key must make a unique set.";
/// An idempotency key that cannot be one.
pub const BAD_IDEMPOTENCY_KEY: &str = "An idempotency key has 1 to 255 visible ASCII characters.";
/// An idempotency key that was used for something else.
pub const IDEMPOTENCY_KEY_REUSED: &str = "This idempotency key was used for another request. Take a new one.";
/// Nobody could manage the cluster any more.
pub const LAST_ADMIN: &str = "There must be an admin left. Make another account an admin first.";
/// Nobody could vote any more.
pub const LAST_VOTER: &str =
    "Every other node is set never to vote, and somebody has to. Set `voting` of another node to auto or always first.";
/// The object has moved on since the client read it.
pub const PRECONDITION_FAILED: &str = "The object has changed since it was read. Read it again and retry.";
/// Something of ours broke.
pub const SERVER_ERROR: &str = "A server error occurred.";
/// Not a moment in ISO 8601.
pub const NOT_A_TIME: &str = "Datetime has wrong format. Use one of these formats instead: \
    YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].";
/// A moment that lies behind us.
pub const NOT_IN_FUTURE: &str = "This moment has already passed.";
/// A session's WebSocket that a page of another site opens.
pub const FOREIGN_ORIGIN: &str = "CSRF Failed: the Origin header does not name this host.";
/// A request that should have been a WebSocket's.
pub const NEEDS_WEBSOCKET: &str = "This path is for WebSockets: ask for an upgrade, as `goblins exec` does.";
/// No replica to run a command beside.
pub const NOTHING_RUNS: &str = "No replica runs right now; `status_reason` and `replicas/` say why.";
/// A replica of a node that is down.
pub const ITS_NODE_IS_DOWN: &str = "The node of this replica is down.";
/// The end of an id that several replicas share.
pub const SEVERAL_REPLICAS: &str = "Several replicas have an id that ends like this. Write more of it.";
/// The end of an id that no replica has.
pub const NO_SUCH_REPLICA: &str = "There is no such replica; `replicas/` lists them.";
/// Not a moment, nor how long ago it was.
pub const NOT_SINCE: &str = "Write how long ago, such as 90s, 10m or 1h30m, or a moment such as 2026-01-31T23:59:59Z.";
/// Not the id of a replica.
pub const NOT_A_REPLICA: &str = "Write the id of a replica, or at least the last 4 characters of it.";
/// Not the name of an environment variable.
pub const BAD_ENV_NAME: &str = "Names of environment variables may not be empty or contain \"=\".";
/// Not a key that an item of a secret may have.
pub const BAD_SECRET_KEY: &str = "Keys of secrets are names of environment variables: letters A to Z, digits and \
    underscores, not beginning with a digit.";

/// A health check's path that cannot be one.
pub const BAD_CHECK_PATH: &str = "A path begins with \"/\" and has visible ASCII characters only, without \"#\".";
/// A worker's check of a port without saying which.
pub const WORKER_HAS_NO_PORT: &str = "A worker has no port of its own; say which one is to be checked.";
/// A command without a program.
pub const EMPTY_COMMAND: &str = "Name the program to run, and its arguments.";
/// A rollout that could never go on.
pub const BAD_CONSTRAINT: &str = "A constraint is node==NAME or node!=NAME.";
/// Not a path that can be mounted.
pub const BAD_VOLUME_PATH: &str = "Has to be an absolute path other than \"/\", without \".\" and \"..\" in it.";
/// Folders of the host are the host.
pub const VOLUMES_NEED_ADMIN: &str = "Only an admin may mount folders of the host.";

/// A text with more than `max` code points.
#[must_use]
pub fn too_long(max: usize) -> String {
    format!("Ensure this field has no more than {max} characters.")
}

/// A text with fewer than `min` code points.
#[must_use]
pub fn too_short(min: usize) -> String {
    format!("Ensure this field has at least {min} characters.")
}

/// A value with more than `max` bytes.
#[must_use]
pub fn value_too_large(max: usize) -> String {
    format!(
        "Ensure this value has no more than {} KB ({max} bytes in UTF-8).",
        max / 1024
    )
}

/// Too many requests.
#[must_use]
pub fn throttled(seconds: u32) -> String {
    let s = if seconds == 1 { "" } else { "s" };
    format!("Request was throttled. Expected available in {seconds} second{s}.")
}

/// A list or object with more than `max` members.
#[must_use]
pub fn too_many(max: usize) -> String {
    format!("Ensure this field has no more than {max} elements.")
}

/// What is wrong with one item of a list.
#[must_use]
pub fn of_item(n: usize, text: &str) -> String {
    format!("Item {n}: {text}")
}

/// A member that an object does not have.
#[must_use]
pub fn unknown_member<'a>(sent: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<_> = known.collect();
    format!("\"{sent}\" is not known here; known are {}.", known.join(", "))
}

/// A member without which another makes no sense.
#[must_use]
pub fn needed_for(member: &str, kind: &str) -> String {
    format!("{member}: Needed for type \"{kind}\".")
}

/// A member that means nothing with another.
#[must_use]
pub fn not_for(member: &str, kind: &str) -> String {
    format!("{member}: Means nothing for type \"{kind}\".")
}

/// A place in a container that is taken.
#[must_use]
pub fn target_taken(target: &str, by: &str) -> String {
    format!("target: {target} is taken by {by} already.")
}

/// An integer below `min`.
#[must_use]
pub fn too_small(min: i64) -> String {
    format!("Ensure this value is greater than or equal to {min}.")
}

/// An integer above `max`.
#[must_use]
pub fn too_large(max: i64) -> String {
    format!("Ensure this value is less than or equal to {max}.")
}

/// Half of a surrogate pair in a text.
#[must_use]
pub fn surrogate(code: u16) -> String {
    format!("Surrogate characters are not allowed: U+{code:04X}.")
}

/// A well-formed id of nothing that the client may refer to.
#[must_use]
pub fn no_such_object(sent: &str) -> String {
    format!("Invalid pk \"{sent}\" - object does not exist.")
}

/// Not an id.
#[must_use]
pub fn not_a_uuid(sent: &Value) -> String {
    format!("\u{201c}{}\u{201d} is not a valid UUID.", repr(sent))
}

/// A value of a type that can never be an id.
#[must_use]
pub fn incorrect_type(sent: &Value) -> String {
    format!("Incorrect type. Expected pk value, received {}.", sent.type_name())
}

/// A body that is JSON but no object.
#[must_use]
pub fn not_an_object(sent: &Value) -> String {
    format!("Invalid data. Expected a dictionary, but got {}.", sent.type_name())
}

/// A field that should hold an object.
#[must_use]
pub fn not_a_dictionary(sent: &Value) -> String {
    format!("Expected a dictionary of items but got type \"{}\".", sent.type_name())
}

/// A field that should hold a list.
#[must_use]
pub fn not_a_list(sent: &Value) -> String {
    format!("Expected a list of items but got type \"{}\".", sent.type_name())
}

/// Not one of the words a field knows.
#[must_use]
pub fn not_a_choice(sent: &Value) -> String {
    format!("\"{}\" is not a valid choice.", repr(sent))
}

/// A method that a path does not know.
#[must_use]
pub fn method_not_allowed(method: &str) -> String {
    format!("Method \"{method}\" not allowed.")
}

/// A body of a type that is not JSON.
#[must_use]
pub fn unsupported_media_type(sent: &str) -> String {
    format!("Unsupported media type \"{sent}\" in request.")
}

/// A body that is not JSON.
#[must_use]
pub fn parse_error(why: &str) -> String {
    format!("JSON parse error - {why}")
}

/// A body beyond the limit.
#[must_use]
pub fn body_too_large(limit: usize) -> String {
    format!("The request body is larger than {limit} bytes.")
}

/// As many active keys as an account may have.
#[must_use]
pub fn too_many_keys(max: u32) -> String {
    format!("An account may have at most {max} active API keys. Revoke one first.")
}
