//! What happened, as a number: two runs with the same one were the same.

use std::fmt;
use std::fmt::Write as _;

use crate::net::Micros;

/// Says everything that is noted, for whoever looks for the place where two runs differ.
pub const SHOW: &str = "SIM_TRACE";

/// FNV-1a over the text of every note.
pub struct Trace {
    hash: u64,
    count: u64,
    is_shown: bool,
    line: String,
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            count: 0,
            is_shown: std::env::var_os(SHOW).is_some(),
            line: String::new(),
        }
    }
}

impl Trace {
    pub fn note(&mut self, at: Micros, what: fmt::Arguments<'_>) {
        self.line.clear();
        // A string takes everything.
        let _ = write!(self.line, "{at} {what}");
        for byte in self.line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.count += 1;
        if self.is_shown {
            println!("{}", self.line);
        }
    }

    /// The number, and of how many notes.
    pub fn digest(&self) -> (u64, u64) {
        (self.hash, self.count)
    }
}
