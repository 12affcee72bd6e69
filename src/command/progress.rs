//! How far long work is, on stderr: a bar on a terminal, elsewhere a line every few seconds.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

/// How often a bar without a known end turns.
const SPIN: Duration = Duration::from_millis(100);
/// Time between two lines where stderr is no terminal.
const BETWEEN: Duration = Duration::from_secs(5);

/// Long work, as somebody watches it.
pub(super) struct Progress {
    bar: ProgressBar,
    said: Instant,
}

impl Progress {
    /// Work with that many steps, if that is known; it is asked for only where a bar is shown.
    ///
    /// # Errors
    /// The bar cannot be drawn.
    pub(super) fn new(steps: impl FnOnce() -> Option<u64>) -> anyhow::Result<Self> {
        let bar = ProgressBar::no_length();
        if !bar.is_hidden() {
            let template = match steps() {
                Some(steps) => {
                    bar.set_length(steps);
                    "{wide_bar} {human_pos}/{human_len}, {per_sec}, {eta} left {msg}"
                }
                None => "{spinner} {human_pos} done, {per_sec}, {elapsed} {msg}",
            };
            bar.set_style(ProgressStyle::with_template(template).context("the progress cannot be shown")?);
            bar.enable_steady_tick(SPIN);
        }
        Ok(Self { bar, said: Instant::now() })
    }

    /// So many more steps are done.
    pub(super) fn advance(&mut self, steps: u64) {
        self.reach(self.bar.position() + steps);
    }

    /// So many steps are done.
    pub(super) fn reach(&mut self, steps: u64) {
        self.bar.set_position(steps);
        if self.bar.is_hidden() && self.said.elapsed() > BETWEEN {
            self.said = Instant::now();
            self.say(format!("{steps} done {}", self.bar.message()).trim_end());
        }
    }

    /// What the steps are, from now on.
    pub(super) fn name(&self, what: &'static str) {
        self.bar.set_message(what);
    }

    /// Prints a line without disturbing the bar. Whoever closed stderr does without.
    pub(super) fn say(&self, line: &str) {
        self.bar.suspend(|| {
            let _ = writeln!(io::stderr(), "{line}");
        });
    }

    /// The bar goes.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}
