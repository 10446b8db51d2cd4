//! How it is found out whether a replica is fit for requests.

use serde::{Deserialize, Serialize};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Probe {
    /// Its port takes a connection.
    Tcp,
    /// It answers a GET of `path` with a status from 200 to 399.
    Http {
        /// Begins with `/`.
        path: String,
    },
    /// A command in its container ends with exit code 0. Not empty.
    Command(Vec<String>),
    /// Nothing: it is fit once its process has lasted a while.
    None,
}

/// How it is found out whether a replica is fit for requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HealthCheck {
    /// What is asked.
    pub probe: Probe,
    /// At which port; `None` is the service's.
    pub port: Option<u16>,
    /// Between the end of one check and the next.
    pub interval_seconds: u32,
    /// A check that takes longer has failed.
    pub timeout_seconds: u32,
    /// So many failures in a row take a replica out of service; as many again have it restarted.
    pub threshold: u32,
    /// So many successes in a row put it into service.
    pub success_threshold: u32,
    /// After a start failures count for nothing for so long; a success ends it.
    pub start_grace_seconds: u32,
}

impl HealthCheck {
    /// After a start, where nobody says otherwise.
    pub const START_GRACE_SECONDS: u32 = 60;
    /// Failures in a row, where nobody says otherwise.
    pub const THRESHOLD: u32 = 3;

    /// A check of which nothing but this is said.
    #[must_use]
    pub fn plain(probe: Probe) -> Self {
        // Running a command costs more than opening a connection.
        let seconds = match probe {
            Probe::Tcp | Probe::None => 1,
            Probe::Http { .. } => 2,
            Probe::Command(_) => 5,
        };
        Self {
            probe,
            port: None,
            interval_seconds: seconds,
            timeout_seconds: seconds,
            threshold: Self::THRESHOLD,
            success_threshold: 1,
            start_grace_seconds: Self::START_GRACE_SECONDS,
        }
    }

    /// What is checked where nobody says anything: the port, if there is one.
    #[must_use]
    pub fn usual(port: Option<u16>) -> Self {
        Self::plain(if port.is_some() { Probe::Tcp } else { Probe::None })
    }
}
