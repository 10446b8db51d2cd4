//! Why nothing can be read or written, for people.

use std::time::Duration;

use crate::cluster::Core;

/// Longer than it takes to replace a leader that is lost.
const REPLACED: Duration = Duration::from_secs(1);

/// No leader is known to this node.
pub(crate) const NO_LEADER: &str = "no leader is known";

impl Core {
    /// What went wrong, and what that means once it has lasted for longer than it takes to elect somebody.
    pub(crate) fn unled(&self, reason: &str) -> String {
        let voters = self.metrics().membership_config.voter_ids().count();
        explain(reason, self.staleness(), voters)
    }
}

fn explain(reason: &str, heard: Option<Duration>, voters: usize) -> String {
    let since = match heard {
        Some(age) if age < REPLACED => return reason.to_owned(),
        Some(age) => format!("for {} s", age.as_secs()),
        None => "since this node has started".to_owned(),
    };
    let needed = voters / 2 + 1;
    format!(
        "{reason}; there has been no majority {since}: {needed} of the {voters} voters must be up and reach each other, see `goblins cluster health`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_majority_is_told_once_it_cannot_be_an_election() {
        let refused = "the leader, node 2, does not answer: connection refused";
        assert_eq!(explain(refused, Some(Duration::from_millis(400)), 3), refused);
        let lost = explain(refused, Some(Duration::from_secs(7)), 3);
        assert!(lost.starts_with(refused), "{lost}");
        assert!(lost.contains("for 7 s: 2 of the 3 voters must be up"), "{lost}");
        assert!(explain(NO_LEADER, None, 5).contains("3 of the 5 voters"));
    }
}
