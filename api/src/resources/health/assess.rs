//! How a cluster is, and what to do about it: a pure judgement of what was seen.

use std::time::Duration;

use model::{NodeId, Voting};

/// A leader that no majority has answered for this long has been replaced, if there is a majority.
const REPLACED: Duration = Duration::from_millis(600);
/// A node that lacks more entries than this is behind.
const LAG_MAX: u64 = 1_000;
/// With less of a disk free than this part of it, and less than this many bytes, it is nearly full.
const DISK_PART: u64 = 10;
const DISK_BYTES: u64 = 2 << 30;
/// Voters at most.
const VOTERS_MAX: usize = 7;

/// What was seen.
pub(super) struct Facts {
    /// Whether the asked node has fresh word from a leader.
    pub(super) has_leader: bool,
    /// Whether the asked node leads, be it without a majority.
    pub(super) leads: bool,
    /// Name of the asked node.
    pub(super) asked: String,
    /// Members whose votes count.
    pub(super) voters: usize,
    /// Whether the cluster key is being rotated.
    pub(super) is_rotating: bool,
    /// Whether the certificate authority is.
    pub(super) is_certifying: bool,
    /// All nodes.
    pub(super) members: Vec<Member>,
}

/// What was seen of one node.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Member {
    pub(super) id: NodeId,
    pub(super) name: String,
    pub(super) votes: bool,
    pub(super) leads: bool,
    /// What is wanted of its vote.
    pub(super) voting: Voting,
    /// Why it does not answer.
    pub(super) silent: Option<String>,
    pub(super) lag: Option<u64>,
    /// Bytes free, and bytes.
    pub(super) disk: Option<(u64, u64)>,
    pub(super) version: Option<String>,
    pub(super) locked: bool,
    /// Its keys are not those of the cluster.
    pub(super) keys_behind: bool,
}

/// How the cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Healthy,
    Degraded,
    NoQuorum,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::NoQuorum => "no_quorum",
        }
    }
}

/// Something to know, or to do something about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) is_problem: bool,
    pub(super) text: String,
    pub(super) remedy: String,
}

/// The judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) status: Status,
    pub(super) survives: u64,
    pub(super) should_survive: u64,
    pub(super) voters: u64,
    pub(super) needed: u64,
    pub(super) answering: u64,
    pub(super) findings: Vec<Finding>,
}

impl Verdict {
    pub(super) fn summary(&self) -> String {
        let Self {
            survives,
            should_survive,
            voters,
            needed,
            answering,
            ..
        } = self;
        match self.status {
            Status::Healthy => format!("healthy: {answering} of {voters} voters answer, {survives} more may be lost"),
            Status::Degraded if survives < should_survive => format!(
                "degraded: {answering} of {voters} voters answer, {survives} more may be lost where it should be {should_survive}"
            ),
            Status::Degraded => format!("degraded: {answering} of {voters} voters answer, {survives} more may be lost"),
            Status::NoQuorum => format!(
                "no quorum: {answering} of {voters} voters answer, {needed} have to; what is shown is what the asked node knew \
                 last"
            ),
        }
    }
}

fn count(it: usize) -> u64 {
    u64::try_from(it).unwrap_or(u64::MAX)
}

/// The largest useful number of voters among so many nodes.
fn best_size(nodes: usize) -> usize {
    let nodes = nodes.min(VOTERS_MAX);
    nodes - usize::from(nodes.is_multiple_of(2) && nodes > 0)
}

/// Whether a node that leads does so in vain: fewer than a majority answer it, and that is nothing that passes. `heard` is
/// how long ago one did.
pub(super) fn is_cut_off(answering: usize, voters: usize, heard: Option<Duration>) -> bool {
    answering <= voters / 2 && heard.is_none_or(|it| it > REPLACED)
}

/// Judges.
pub(super) fn assess(facts: &Facts) -> Verdict {
    let voters = || facts.members.iter().filter(|it| it.votes);
    let answering = voters().filter(|it| it.silent.is_none()).count();
    let needed = facts.voters / 2 + 1;
    let may_vote = facts.members.iter().filter(|it| it.voting != Voting::Never).count();
    let should_survive = best_size(may_vote).saturating_sub(1) / 2;
    let survives = if facts.has_leader {
        answering.saturating_sub(needed)
    } else {
        0
    };
    let mut findings = Vec::new();
    if !facts.has_leader {
        let silent = count(facts.voters.saturating_sub(answering));
        findings.push(Finding {
            is_problem: true,
            text: format!(
                "{} {}, and {silent} of {} voters do not answer it",
                facts.asked,
                if facts.leads {
                    "leads without a majority"
                } else {
                    "has no word from a leader"
                },
                facts.voters
            ),
            remedy:
                "start the voters that are off and see that they reach each other; if a majority is lost for good, see \
                     `goblins recover --plan`"
                    .to_owned(),
        });
    }
    findings.extend(facts.members.iter().flat_map(|it| of_member(facts, it)));
    let mut versions: Vec<&str> = facts.members.iter().filter_map(|it| it.version.as_deref()).collect();
    versions.sort_unstable();
    versions.dedup();
    if versions.len() > 1 {
        findings.push(Finding {
            is_problem: false,
            text: format!("nodes run different versions: {}", versions.join(", ")),
            remedy: "upgrade the others, one at a time".to_owned(),
        });
    }
    if facts.is_rotating {
        findings.push(Finding {
            is_problem: false,
            text: "the cluster key is being rotated".to_owned(),
            remedy: "nothing; `goblins keyring status` tells how far it is".to_owned(),
        });
    }
    if facts.is_certifying {
        findings.push(Finding {
            is_problem: false,
            text: "the certificate authority is being rotated".to_owned(),
            remedy: "nothing, unless `goblins ca status` names a node that it waits for".to_owned(),
        });
    }
    let is_degraded = survives < should_survive || findings.iter().any(|it| it.is_problem);
    Verdict {
        status: match (facts.has_leader, is_degraded) {
            (false, _) => Status::NoQuorum,
            (true, true) => Status::Degraded,
            (true, false) => Status::Healthy,
        },
        survives: count(survives),
        should_survive: count(should_survive),
        voters: count(facts.voters),
        needed: count(needed),
        answering: count(answering),
        findings,
    }
}

fn of_member(facts: &Facts, it: &Member) -> Vec<Finding> {
    let name = &it.name;
    let mut findings = Vec::new();
    let mut problem = |text: String, remedy: String| {
        findings.push(Finding {
            is_problem: true,
            text,
            remedy,
        });
    };
    if let Some(reason) = &it.silent {
        let remedy = if facts.has_leader {
            format!("start its daemon, or take it out with `goblins node remove {name}` if it is gone for good")
        } else {
            "start its daemon".to_owned()
        };
        problem(format!("{name} does not answer: {reason}"), remedy);
    }
    if let Some(lag) = it.lag.filter(|lag| *lag > LAG_MAX) {
        problem(
            format!("{name} lacks {lag} entries"),
            "wait; if it does not get less, look at its disk and its network".to_owned(),
        );
    }
    if let Some((free, total)) = it.disk
        && free < DISK_BYTES
        && free < total / DISK_PART
    {
        problem(
            format!("the disk of {name} has {} MiB free of {} MiB", free >> 20, total >> 20),
            "make room there: a full disk stops writes".to_owned(),
        );
    }
    if it.locked {
        problem(
            format!("the keyring of {name} is locked"),
            "give the passphrase with `goblins keyring unlock`".to_owned(),
        );
    }
    if it.keys_behind && !facts.is_rotating {
        problem(
            format!("{name} does not hold the keys of the cluster yet"),
            "wait; if it goes on, `goblins keyring status` says more".to_owned(),
        );
    }
    findings.extend(unmet(facts, it).map(|(text, remedy)| Finding {
        is_problem: false,
        text,
        remedy,
    }));
    findings
}

/// Why what an operator wants of a node's vote is not so.
fn unmet(facts: &Facts, it: &Member) -> Option<(String, String)> {
    let name = &it.name;
    let able = |other: &&Member| other.silent.is_none() && other.voting != Voting::Never;
    let others = facts.members.iter().filter(|other| other.id != it.id);
    match (it.voting, it.votes) {
        (Voting::Always, false) => {
            let able = facts.members.iter().filter(able).count();
            let wait = "nothing: it gets its vote by itself then".to_owned();
            let (why, remedy) = if it.silent.is_some() {
                ("it does not answer".to_owned(), wait)
            } else if it.lag.is_none_or(|lag| lag > LAG_MAX) {
                ("it has to catch up first".to_owned(), wait)
            } else if best_size(able) <= facts.voters
                && facts
                    .members
                    .iter()
                    .filter(|it| it.votes)
                    .all(|it| it.voting == Voting::Always || it.leads)
            {
                let text = format!(
                    "{able} nodes can vote, of which {} survive as many losses as all; those that do are wanted too, or lead",
                    best_size(able)
                );
                (text, "let another node join, or demote one that votes".to_owned())
            } else {
                (
                    "the leader has not changed the voters yet".to_owned(),
                    "wait a few seconds".to_owned(),
                )
            };
            Some((format!("{name} is to vote always and does not: {why}"), remedy))
        }
        (Voting::Never, true) => {
            let (why, remedy) = if !facts.has_leader {
                let why = "there is no leader that could change it".to_owned();
                (why, "nothing: it is changed once there is one".to_owned())
            } else if others.clone().any(|other| able(&other)) {
                (
                    "the leader has not changed the voters yet".to_owned(),
                    "wait a few seconds".to_owned(),
                )
            } else {
                let why = "no other node is up that may vote".to_owned();
                (why, "start another, or let one of them vote".to_owned())
            };
            Some((format!("{name} is never to vote and does: {why}"), remedy))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
