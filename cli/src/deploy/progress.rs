//! What is shown while a deployment goes on: one line that changes on a terminal, elsewhere a line for each change.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TICK: Duration = Duration::from_millis(120);

/// See the module.
pub(super) struct Progress {
    title: String,
    bar: Option<ProgressBar>,
    is_quiet: bool,
    last: String,
}

impl Progress {
    pub(super) fn new(title: &str, is_quiet: bool) -> Self {
        let is_terminal = std::io::stderr().is_terminal() && !is_quiet;
        let bar = is_terminal.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(TICK);
            bar
        });
        Self {
            title: title.to_owned(),
            bar,
            is_quiet,
            last: String::new(),
        }
    }

    /// How it stands now.
    pub(super) fn say(&mut self, text: &str) {
        if self.last == text {
            return;
        }
        text.clone_into(&mut self.last);
        match &self.bar {
            Some(bar) => bar.set_message(format!("{}: {text}", self.title)),
            None if self.is_quiet => {}
            None => println!("{}: {text}", self.title),
        }
    }

    /// The line that changes goes.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
