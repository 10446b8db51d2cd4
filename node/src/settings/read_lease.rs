//! Whether this node, while it leads, answers reads for a moment without asking a majority again.

use clap::ValueEnum;
use serde::Deserialize;

const CPUINFO: &str = "/proc/cpuinfo";

/// What `--read-lease` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReadLease {
    /// On a host of its own, yes; in a virtual machine, or where that cannot be told, no.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

impl ReadLease {
    /// Whether it is to be so here. A hypervisor may stop a machine, with all its clocks, at any time and for any time;
    /// nothing in the machine could tell then that its lease is over.
    pub(crate) fn is_on(self) -> bool {
        match self {
            Self::Auto => std::fs::read_to_string(CPUINFO).is_ok_and(|text| is_bare(&text)),
            Self::On => true,
            Self::Off => false,
        }
    }
}

/// Whether processors say what they can do, and nothing of a hypervisor (x86; others do not tell).
fn is_bare(cpuinfo: &str) -> bool {
    let mut flags = cpuinfo.lines().filter(|line| line.starts_with("flags")).peekable();
    flags.peek().is_some() && !flags.any(|line| line.split_whitespace().any(|flag| flag == "hypervisor"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_that_says_so_is_a_host_of_its_own() {
        assert!(is_bare("processor\t: 0\nflags\t\t: fpu vme sse2\n"));
        assert!(!is_bare("processor\t: 0\nflags\t\t: fpu sse2 hypervisor lahf_lm\n"));
        assert!(!is_bare("processor\t: 0\nFeatures\t: fp asimd\n"), "no x86");
        assert!(!is_bare(""));
    }

    #[test]
    fn what_is_said_goes_before_what_is_seen() {
        assert!(ReadLease::On.is_on());
        assert!(!ReadLease::Off.is_on());
    }
}
