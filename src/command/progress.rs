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
        let progress = Self { bar: ProgressBar::no_length(), said: Instant::now() };
        if !progress.bar.is_hidden() {
            let steps = steps();
            steps.into_iter().for_each(|steps| progress.bar.set_length(steps));
            progress.show(steps)?;
        }
        Ok(progress)
    }

    fn show(&self, steps: Option<u64>) -> anyhow::Result<()> {
        let template = match steps {
            Some(_) => "{wide_bar} {human_pos}/{human_len}, {per_sec}, {eta} left {msg}",
            None => "{spinner} {human_pos} done, {per_sec}, {elapsed} {msg}",
        };
        self.bar.set_style(ProgressStyle::with_template(template).context("the progress cannot be shown")?);
        self.bar.enable_steady_tick(SPIN);
        Ok(())
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

    /// Other work begins, with that many steps; 0 if that is not known.
    pub(super) fn begin(&mut self, what: &'static str, steps: u64) -> anyhow::Result<()> {
        self.bar.set_length(steps);
        self.bar.set_message(what);
        self.show((steps > 0).then_some(steps))
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
