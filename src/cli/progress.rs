//! Progress on stderr: a bar on a terminal, elsewhere a line every few seconds.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};

use crate::config::Settings;
use crate::store::sqlite::{FileTask, TaskStage};

const SPIN: Duration = Duration::from_millis(100);
/// Between two lines where stderr is no terminal.
const BETWEEN: Duration = Duration::from_secs(5);

pub(super) struct Progress {
    bar: ProgressBar,
    steps: Option<u64>,
    /// The unit of the steps.
    name: &'static str,
    began: Instant,
    said: Instant,
    silent: bool,
}

impl Progress {
    /// A task with this many steps, if known; `steps` is called only if a bar is shown.
    pub(super) fn new(steps: impl FnOnce() -> Option<u64>, name: &'static str) -> anyhow::Result<Self> {
        let now = Instant::now();
        let bar = ProgressBar::no_length();
        let mut progress = Self { bar, steps: None, name, began: now, said: now, silent: false };
        if !progress.bar.is_hidden() {
            progress.begin(name, steps().unwrap_or(0))?;
        }
        Ok(progress)
    }

    /// The same for a task with data on stdout: on a terminal, it shows no progress.
    pub(super) fn beside_data(
        steps: impl FnOnce() -> Option<u64>,
        name: &'static str,
    ) -> anyhow::Result<Self> {
        if io::stdout().is_terminal() && io::stderr().is_terminal() {
            let now = Instant::now();
            let bar = ProgressBar::hidden();
            return Ok(Self { bar, steps: None, name, began: now, said: now, silent: true });
        }
        Self::new(steps, name)
    }

    fn show(&self) -> anyhow::Result<()> {
        let template = match self.steps {
            Some(_) => "{wide_bar} {human_pos} of {human_len} {msg}, {rate}/s, {eta} left",
            None => "{spinner} {human_pos} {msg}, {rate}/s, {elapsed}",
        };
        let style = ProgressStyle::with_template(template).context("the progress cannot be shown")?;
        let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // A failed write has no reader.
            let _ = write!(out, "{}", HumanCount(state.per_sec().round() as u64));
        };
        self.bar.set_style(style.with_key("rate", rate));
        self.bar.enable_steady_tick(SPIN);
        Ok(())
    }

    pub(super) fn advance(&mut self, steps: u64) {
        self.reach(self.bar.position() + steps);
    }

    pub(super) fn reach(&mut self, steps: u64) {
        // The task may have grown since it was counted.
        if self.steps.is_some_and(|known| known < steps) {
            self.steps = Some(steps);
            self.bar.set_length(steps);
        }
        self.bar.set_position(steps);
        if self.bar.is_hidden() && !self.silent && self.said.elapsed() > BETWEEN {
            self.said = Instant::now();
            self.say(&line(steps, self.steps, self.name, self.began.elapsed()));
        }
    }

    /// Begins another task with this many steps; 0 is unknown.
    pub(super) fn begin(&mut self, name: &'static str, steps: u64) -> anyhow::Result<()> {
        self.name = name;
        self.steps = Some(steps).filter(|steps| *steps > 0);
        self.began = Instant::now();
        // Every change is drawn at once, so the style comes first.
        self.show()?;
        self.bar.set_message(name);
        match self.steps {
            Some(steps) => self.bar.set_length(steps),
            None => self.bar.unset_length(),
        }
        self.bar.reset();
        Ok(())
    }

    /// Prints a line on stderr without disturbing the bar. A closed stderr is ignored.
    pub(super) fn say(&self, line: &str) {
        self.bar.suspend(|| {
            let _ = writeln!(io::stderr(), "{line}");
        });
    }

    /// Prints a line of data on stdout without disturbing the bar.
    pub(super) fn print(&self, line: &str) -> io::Result<()> {
        self.bar.suspend(|| writeln!(io::stdout(), "{line}"))
    }

    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// Runs a long task of the store and shows its progress.
pub(super) fn watched<T>(
    settings: &Settings,
    work: impl FnOnce(&mut FileTask<'_>) -> T,
) -> anyhow::Result<T> {
    let (mut progress, mut now) = (Progress::new(|| None, word(TaskStage::Copying))?, None);
    let mut told = |stage, done, of| {
        if now.replace(stage) != Some(stage) {
            // The bar could be drawn before.
            _ = progress.begin(word(stage), of);
        }
        progress.reach(done);
    };
    let wal_limit = settings.store.wal_limit;
    let ended = work(&mut FileTask { progress: &mut told, stop: Arc::default(), wal_limit });
    progress.finish();
    Ok(ended)
}

fn word(stage: TaskStage) -> &'static str {
    match stage {
        TaskStage::Copying => "pages copied",
        TaskStage::Checking => "steps of checking every page",
        TaskStage::Summing => "app users read",
        TaskStage::Comparing => "rows of derived tables compared",
    }
}

/// A line of progress without a bar.
fn line(done: u64, of: Option<u64>, name: &str, took: Duration) -> String {
    let of = of.map(|of| format!(" of {}", HumanCount(of))).unwrap_or_default();
    let rate = HumanCount((done as f64 / took.as_secs_f64().max(0.001)).round() as u64);
    format!("{}{of} {name}, {rate}/s", HumanCount(done))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_whole_numbers_and_an_end_only_where_one_is_known() {
        let second = Duration::from_secs(1);
        assert_eq!(line(30_598, Some(40_000), "lines", 2 * second), "30,598 of 40,000 lines, 15,299/s");
        assert_eq!(line(1_027, None, "app users", second), "1,027 app users, 1,027/s");
        assert_eq!(line(0, None, "app users", Duration::ZERO), "0 app users, 0/s");
    }
}
