//! Passwords: argon2id (RFC 9106), off the threads that serve requests, and few at a time.

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use model::PasswordHash;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::errors::ApiError;

/// Characters at least (NIST SP 800-63B, section 5.1.1.1).
pub const MIN: usize = 8;
/// Each needs 19 MiB and some 20 ms: more at a time would let strangers use up the machine.
static TURNS: Semaphore = Semaphore::const_new(2);

/// The parameters that OWASP recommends for argon2id: 19 MiB, two passes, one lane.
fn argon2() -> Result<Argon2<'static>, ApiError> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(|it| ApiError::Internal(it.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// What is kept of a password. Takes some 20 ms of one core.
///
/// # Errors
/// [`ApiError::Internal`] when the system gives no memory or randomness.
pub fn hash(password: &str) -> Result<PasswordHash, ApiError> {
    let salt = SaltString::encode_b64(&rand::random::<[u8; 16]>()).map_err(unhashed)?;
    let hashed = argon2()?.hash_password(password.as_bytes(), &salt);
    Ok(PasswordHash(hashed.map_err(unhashed)?.to_string()))
}

fn unhashed(error: argon2::password_hash::Error) -> ApiError {
    ApiError::Internal(format!("a password cannot be hashed: {error}"))
}

/// Whether this is the password. Without a hash to compare with, it takes as long and is not, so that nobody learns
/// which accounts exist.
///
/// # Errors
/// [`ApiError::Internal`] when the system gives no memory.
pub async fn verify(password: Zeroizing<String>, known: Option<PasswordHash>) -> Result<bool, ApiError> {
    let turn = TURNS.acquire().await;
    let checked = tokio::task::spawn_blocking(move || {
        let argon2 = argon2()?;
        let Some(known) = known else {
            hash(&password)?;
            return Ok(false);
        };
        let parsed = argon2::PasswordHash::new(&known.0)
            .map_err(|error| ApiError::Internal(format!("a stored password cannot be read: {error}")))?;
        Ok(argon2.verify_password(password.as_bytes(), &parsed).is_ok())
    });
    let result = checked.await;
    drop(turn);
    result.unwrap_or_else(|error| Err(ApiError::Internal(format!("a password was not checked: {error}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_itself_is_right() {
        let known = hash("correct horse").unwrap();
        assert!(known.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", known.0);
        let check = |text: &str, known: Option<&PasswordHash>| verify(Zeroizing::new(text.to_owned()), known.cloned());
        assert!(check("correct horse", Some(&known)).await.unwrap());
        assert!(!check("Correct horse", Some(&known)).await.unwrap());
        assert!(!check("correct horse", None).await.unwrap());
        assert!(check("x", Some(&PasswordHash("broken".to_owned()))).await.is_err());
    }
}
