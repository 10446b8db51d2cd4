//! What the demo shows: a spinner on a terminal, plain lines elsewhere.

use std::cell::RefCell;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

const TICK: Duration = Duration::from_millis(100);

/// Shows one step at a time.
pub(super) struct Screen {
    terminal: bool,
    step: RefCell<Option<(ProgressBar, String, Instant)>>,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            terminal: stderr().is_terminal(),
            step: RefCell::new(None),
        }
    }

    /// Lines that stay.
    pub(super) fn say(&self, text: &str) {
        println!("{text}");
    }

    /// Begins a step; the one before it has succeeded.
    pub(super) fn step(&self, text: &str) {
        self.done("");
        let bar = if self.terminal {
            let bar = ProgressBar::new_spinner().with_message(text.to_owned());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(TICK);
            bar
        } else {
            println!("... {text}");
            ProgressBar::hidden()
        };
        *self.step.borrow_mut() = Some((bar, text.to_owned(), Instant::now()));
    }

    /// What the step waits for right now.
    pub(super) fn progress(&self, detail: &str) {
        if let Some((bar, text, _)) = &*self.step.borrow() {
            bar.set_message(format!("{text}: {detail}"));
        }
    }

    /// The step has succeeded; `result` says with what.
    pub(super) fn done(&self, result: &str) {
        if let Some((bar, text, since)) = self.step.borrow_mut().take() {
            bar.finish_and_clear();
            let colon = if result.is_empty() { "" } else { ": " };
            println!(" ok {text}{colon}{result} ({:.2} s)", since.elapsed().as_secs_f64());
        }
    }

    /// The step has failed.
    pub(super) fn fail(&self) {
        if let Some((bar, text, since)) = self.step.borrow_mut().take() {
            bar.finish_and_clear();
            println!("NOT {text} ({:.2} s)", since.elapsed().as_secs_f64());
        }
    }
}
