//! What a starting node proves with who it is.

use std::time::Duration;

use model::State;
use storage::{CredentialsFile, Identity};

use crate::authority::BACKDATED;
use crate::cluster::Core;
use crate::credentials::{Credentials, clock};
use crate::tls::{self, Tls};
use crate::{AuthorityError, StartError};

/// Reads the credentials in the folder, if there are any, and takes them into use.
pub(super) fn load(file: &CredentialsFile, identity: Identity) -> Result<Tls, StartError> {
    let tls = Tls::new(identity.cluster);
    let Some(content) = file.read()? else {
        return Ok(tls);
    };
    let unusable = |source| StartError::Credentials {
        path: file.path().to_owned(),
        source,
    };
    let credentials = Credentials::decode(&content).map_err(unusable)?;
    let certified = credentials.certified().map_err(unusable)?;
    let named = |cluster, node| format!("node {node} of cluster {cluster}");
    if (certified.cluster, certified.node) != (identity.cluster, identity.node) {
        return Err(StartError::OtherCredentials {
            path: file.path().to_owned(),
            found: named(certified.cluster, certified.node),
            expected: named(identity.cluster, identity.node),
        });
    }
    tls.install(&credentials)?;
    Ok(tls)
}

/// Sees to it that this node can prove who it is, and that its clock can be right. A node that founds its cluster is
/// certified once there is an authority.
pub(super) fn check(core: &Core) -> Result<(), StartError> {
    let now = clock();
    let begins = core.tls.current().map(|it| it.certified.from);
    match begins.map(|begins| judge(now, begins, newest(&core.published.state()))) {
        Some(Verdict::ClockIsWrong { begins }) => {
            return Err(StartError::Clock {
                now: tls::time(now),
                begins: tls::time(begins),
            });
        }
        Some(Verdict::MadeUnderAWrongClock) => return core.certify_self(),
        Some(Verdict::Fine) | None => {}
    }
    match core.ensure_certified() {
        // Nothing of the cluster has arrived on this node yet; what it was given when it joined has to do.
        Err(StartError::Authority(AuthorityError::Unknown)) if begins.is_some() => Ok(()),
        Err(error) if begins.is_some() => {
            tracing::error!(
                error = crate::error::chain(&error),
                "this node cannot renew its certificate; others may refuse it"
            );
            Ok(())
        }
        done => done,
    }
}

/// What the clock says, seen together with what this node has kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It can be right.
    Fine,
    /// Both the certificate and the last entry are of a time that has not come yet.
    ClockIsWrong { begins: i64 },
    /// Only the certificate is.
    MadeUnderAWrongClock,
}

/// All in seconds since 1970: the clock, when the certificate begins, and when the last entry was made.
fn judge(now: i64, begins: i64, newest: i64) -> Verdict {
    if begins <= now {
        Verdict::Fine
    } else if newest > now.saturating_add(seconds(BACKDATED)) {
        Verdict::ClockIsWrong { begins }
    } else {
        Verdict::MadeUnderAWrongClock
    }
}

/// The time of the last entry that this node has applied, in seconds since 1970.
fn newest(state: &State) -> i64 {
    let since_epoch = Duration::from_micros(state.now().0);
    seconds(since_epoch)
}

fn seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_called_wrong_only_if_two_witnesses_say_so() {
        let day = 24 * 3600;
        assert_eq!(judge(10 * day, 9 * day, 9 * day), Verdict::Fine);
        assert_eq!(
            judge(10 * day, 9 * day, 99 * day),
            Verdict::Fine,
            "entries may have been stamped wrongly"
        );
        assert_eq!(judge(day, 9 * day, 9 * day), Verdict::ClockIsWrong { begins: 9 * day });
        assert_eq!(judge(day, 9 * day, day - 60), Verdict::MadeUnderAWrongClock);
        assert_eq!(
            judge(day, 9 * day, day + 60),
            Verdict::MadeUnderAWrongClock,
            "clocks differ a little"
        );
    }
}
