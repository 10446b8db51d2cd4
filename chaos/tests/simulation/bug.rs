//! Bugs that are put in on purpose, to see that they are found.

/// One of them, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bug {
    #[default]
    None,
    /// Appended entries count as synced at once.
    AckBeforeSync,
    /// A vote counts as synced at once, and never is.
    VoteIsNotSynced,
    /// A leader answers reads by itself for as long as its own clock says that nobody else can lead.
    ReadByLease,
    /// A leader that has a lease does not notice that its host was suspended.
    SleepUnnoticed,
}

impl Bug {
    pub const ALL: [Self; 4] = [
        Self::AckBeforeSync,
        Self::VoteIsNotSynced,
        Self::ReadByLease,
        Self::SleepUnnoticed,
    ];

    /// The name that a child process is told.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::AckBeforeSync => "ack-before-sync",
            Self::VoteIsNotSynced => "vote-is-not-synced",
            Self::ReadByLease => "read-by-lease",
            Self::SleepUnnoticed => "sleep-unnoticed",
        }
    }

    pub fn of(name: &str) -> Self {
        Self::ALL.into_iter().find(|it| it.name() == name).unwrap_or_default()
    }
}
