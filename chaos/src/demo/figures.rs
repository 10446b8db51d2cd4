//! What was measured, beside what was promised.

use std::fmt;
use std::time::Duration;

/// The figures of one run.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    /// Resident memory of the largest idle daemon, in bytes.
    pub idle_bytes: u64,
    /// From the start of a daemon on the folder it left until it is ready to serve.
    pub restart: Duration,
    /// From POST of the service until it is `ready`.
    pub ready: Duration,
    /// The longest time without an acknowledged write around the loss of the leader's host.
    pub write_gap: Duration,
    /// The longest time without an answered request through a proxy that is left.
    pub request_gap: Duration,
    /// Requests sent around the loss, and those that were not answered with 200.
    pub requests: (u64, u64),
    /// From the loss of the host until three replicas are ready again elsewhere.
    pub replaced: Duration,
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        let mebibytes = self.idle_bytes as f64 / f64::from(1 << 20);
        let rows = [
            (
                "idle daemon, resident",
                format!("{mebibytes:.1} MiB"),
                "64 MiB",
                mebibytes < 64.0,
            ),
            (
                "start on its folder to first answer",
                seconds(self.restart),
                "1 s",
                self.restart.as_secs_f64() < 1.0,
            ),
            (
                "service of 3 replicas ready",
                seconds(self.ready),
                "2 s",
                self.ready.as_secs_f64() < 2.0,
            ),
            (
                "leader's host lost: writes stood still",
                seconds(self.write_gap),
                "1 s",
                self.write_gap.as_secs_f64() < 1.0,
            ),
            (
                "host lost: 3 replicas again",
                seconds(self.replaced),
                "10 s",
                self.replaced.as_secs_f64() < 10.0,
            ),
        ];
        writeln!(out, "{:<42}{:>12}   promised", "figure", "measured")?;
        for (what, measured, promised, kept) in rows {
            let verdict = if kept { "" } else { "   NOT KEPT" };
            writeln!(out, "{what:<42}{measured:>12}   under {promised}{verdict}")?;
        }
        let (sent, failed) = self.requests;
        let gap = seconds(self.request_gap);
        writeln!(
            out,
            "host lost: longest time without an answer {gap:>13}   ({failed} of {sent} requests failed)"
        )
    }
}
