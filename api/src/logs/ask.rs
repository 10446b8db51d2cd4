//! What a client asks for.

use std::time::Duration;

use model::ServiceId;

use crate::errors::{ApiError, FieldErrors};
use crate::port::LogsRequest;
use crate::request::Query;
use crate::router::call::Call;
use crate::{scalars, texts};

/// Lines of a tail at most.
const TAIL_MAX: i128 = 10_000;
/// Characters of the end of an id that make sense.
const REPLICA_MIN: usize = 4;

/// Whether `format` names one that logs have.
pub fn takes_format(query: &Query) -> bool {
    matches!(query.last("format"), None | Some("" | "text" | "ndjson" | "sse"))
}

/// Reads the parameters.
///
/// # Errors
/// Those that mean nothing, each under its name.
pub fn request(call: &Call<'_>, service: ServiceId) -> Result<LogsRequest, ApiError> {
    let text = |name: &str| call.query.last(name).filter(|it| !it.is_empty());
    let mut errors = FieldErrors::default();
    let now = call.control.now().0.saturating_mul(1000);
    let since = text("since").map_or(Ok(0), |it| since(it, now));
    let tail = text("tail").filter(|it| *it != "all").map(tail).transpose();
    let replica = text("replica").map(replica).transpose();
    let mut or_tell = |field, error: &str| errors.add(field, [error.to_owned()]);
    let since = since.unwrap_or_else(|error| {
        or_tell("since", error);
        0
    });
    let tail = tail.unwrap_or_else(|error| {
        or_tell("tail", &error);
        None
    });
    let replica = replica.unwrap_or_else(|error| {
        or_tell("replica", error);
        None
    });
    if !errors.is_empty() {
        return Err(errors.into());
    }
    Ok(LogsRequest {
        service,
        replica,
        since,
        tail,
        follow: call.follows(),
    })
}

fn tail(text: &str) -> Result<usize, String> {
    match scalars::integer(text) {
        Some(count) if count < 0 => Err(texts::too_small(0)),
        Some(count) if count > TAIL_MAX => Err(texts::too_large(TAIL_MAX as i64)),
        Some(count) => Ok(count as usize),
        None => Err(texts::NOT_AN_INTEGER.to_owned()),
    }
}

/// The whole id, or enough of its end.
fn replica(text: &str) -> Result<String, &'static str> {
    let text = text.to_ascii_lowercase();
    let good = |c: char| c.is_ascii_hexdigit() || c == '-';
    if text.len() < REPLICA_MIN || !text.chars().all(good) {
        return Err(texts::NOT_A_REPLICA);
    }
    Ok(text)
}

/// A moment, or how long ago it was, in nanoseconds since 1970.
fn since(text: &str, now: u64) -> Result<u64, &'static str> {
    if let Some(ago) = span(text) {
        return Ok(now.saturating_sub(u64::try_from(ago.as_nanos()).unwrap_or(u64::MAX)));
    }
    let at: jiff::Timestamp = text.parse().map_err(|_| texts::NOT_SINCE)?;
    Ok(u64::try_from(at.as_nanosecond()).unwrap_or(0))
}

/// Such as `90s` or `1h30m`.
fn span(text: &str) -> Option<Duration> {
    let (mut total, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit = match rest.as_bytes()[digits] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
    }
    (!text.is_empty()).then(|| Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_named_or_counted_back_to() {
        let now = 1_767_225_600_000_000_000;
        assert_eq!(since("90s", now), Ok(now - 90_000_000_000));
        assert_eq!(since("1h30m", now), Ok(now - 5_400_000_000_000));
        assert_eq!(since("9999d", now), Ok(now - 9999 * 86_400_000_000_000));
        assert_eq!(since("99999999d", now), Ok(0));
        assert_eq!(since("2026-01-01T00:00:00.000000001Z", 0), Ok(now + 1));
        assert_eq!(since("2026-01-01T01:00:00+01:00", 0), Ok(now));
        for wrong in ["10", "m", "-1h", "1.5h", "yesterday", "1h 30m", "99999999999999999999d"] {
            assert_eq!(since(wrong, now), Err(texts::NOT_SINCE), "{wrong}");
        }
    }

    #[test]
    fn a_tail_is_a_number_and_a_replica_an_id_or_its_end() {
        assert_eq!(tail("0"), Ok(0));
        assert!(tail("-1").is_err() && tail("10001").is_err() && tail("x").is_err());
        assert_eq!(replica("9F3a"), Ok("9f3a".to_owned()));
        assert!(replica("9f3").is_err() && replica("web-1").is_err());
    }
}
