//! Keeping the memory of the daemon out of files.

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use thiserror::Error;

/// The operating system would not turn core dumps off.
#[derive(Debug, Error)]
#[error("cannot turn core dumps off ({doing}), and one would hold keys: allow it in the sandbox that this runs in")]
pub struct HardenError {
    doing: &'static str,
    #[source]
    source: nix::Error,
}

/// Turns core dumps of this process off, and with them ptrace and `/proc/PID/mem` for others than root. To be called
/// first, before there is anything to hide.
///
/// The size limit alone would not do: the kernel ignores it where `core_pattern` names a program. Only its soft value is
/// lowered, because containers inherit it and may want to raise it again; not being dumpable ends with `exec`.
pub fn harden() -> Result<(), HardenError> {
    let failed = |doing| move |source| HardenError { doing, source };
    prctl::set_dumpable(false).map_err(failed("PR_SET_DUMPABLE"))?;
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE).map_err(failed("read RLIMIT_CORE"))?;
    setrlimit(Resource::RLIMIT_CORE, 0, hard).map_err(failed("set RLIMIT_CORE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hardened_process_leaves_no_core_dump() {
        harden().expect("nothing forbids it here");
        assert_eq!(prctl::get_dumpable(), Ok(false));
        assert_eq!(getrlimit(Resource::RLIMIT_CORE).map(|(soft, _)| soft), Ok(0));
    }
}
