//! Which versions can apply a command: while a cluster is upgraded, nothing may be written to the log that one of its
//! members would halt at.

use crate::{Actor, Command, Node, State, Submission};

/// The commands that this build can apply: those of this level and below. Raised with each command that is added.
pub const COMMAND_LEVEL: u32 = 5;

/// Since when a command may come with a [`crate::Warrant`].
const WARRANTS_LEVEL: u32 = 5;

/// What every version knows.
const LOWEST: u32 = 1;

/// In a version, before the level of its commands. A version without it is of level 1.
const MARK: &str = "+commands.";

/// A version with the level of its commands, as a node tells it to the cluster.
#[must_use]
pub fn leveled_version(version: &str) -> String {
    format!("{version}{MARK}{COMMAND_LEVEL}")
}

/// The level of commands that a daemon of this version can apply.
#[must_use]
pub fn level_of_version(version: &str) -> u32 {
    let level = version.split_once(MARK).and_then(|(_, level)| level.parse().ok());
    level.unwrap_or(LOWEST)
}

impl Command {
    /// Since which level it is known.
    #[must_use]
    pub fn level(&self) -> u32 {
        match self {
            Self::CreateCountedJoinToken { .. } => 4,
            Self::RotateAuthority { .. } | Self::SignByNextAuthority(_) | Self::RetireAuthority(_) => 3,
            Self::SetVoting(..) | Self::Refound { .. } => 2,
            Self::CreateServiceWith(..) | Self::UpdateServiceWith(..) | Self::PinImage { .. } => 3,
            Self::NoteExec { .. } | Self::RestartService { .. } => 3,
            _ => LOWEST,
        }
    }
}

impl Submission {
    /// Since which level it is known, with what comes with its command.
    #[must_use]
    pub fn level(&self) -> u32 {
        match self.actor {
            Actor::Warranted(..) => WARRANTS_LEVEL.max(self.command.level()),
            Actor::System | Actor::Account(_) => self.command.level(),
        }
    }
}

impl Node {
    /// The version for people, without the level of its commands.
    #[must_use]
    pub fn plain_version(&self) -> &str {
        self.version
            .split_once(MARK)
            .map_or(&self.version, |(version, _)| version)
    }
}

impl State {
    /// A node of the cluster that would halt at a command of this level.
    #[must_use]
    pub fn too_old_for(&self, level: u32) -> Option<&Node> {
        self.lowest_node().filter(|it| level_of_version(&it.version) < level)
    }

    /// Whether commands may come with a [`crate::Warrant`]. Not while a node could not apply that.
    #[must_use]
    pub fn takes_warrants(&self) -> bool {
        self.too_old_for(WARRANTS_LEVEL).is_none()
    }

    /// Whether rollouts are pinned to the bytes of their image. Not while a node could not apply that.
    #[must_use]
    pub fn pins_images(&self) -> bool {
        self.too_old_for(3).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_tells_its_level() {
        assert_eq!(level_of_version("0.1.0"), 1);
        assert_eq!(level_of_version("0.1.0+commands.7"), 7);
        assert_eq!(level_of_version("0.1.0+commands.x"), 1);
        assert_eq!(level_of_version(&leveled_version("0.3.0-beta")), COMMAND_LEVEL);
    }
}
