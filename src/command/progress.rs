//! How far a long command is: a bar on a terminal, a line every few seconds elsewhere.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::config::Settings;
use crate::store::sqlite::{Stage, Work};

/// Between two lines.
const EVERY: Duration = Duration::from_secs(5);

/// Shows on stderr how far it is.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    stage: Option<Stage>,
    said: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = stderr().is_terminal().then(ProgressBar::no_length);
        Self { bar, stage: None, said: Instant::now() }
    }

    /// Does long work of the store, and shows how far it is.
    pub(super) fn during<T>(mut self, settings: &Settings, work: impl FnOnce(&mut Work<'_>) -> T) -> T {
        let mut told = |stage, done, of| self.tell(stage, done, of);
        let wal_limit = settings.store.wal_limit;
        let ended = work(&mut Work { told: &mut told, stop: Arc::default(), wal_limit });
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
        ended
    }

    fn tell(&mut self, stage: Stage, done: u64, of: u64) {
        let changed = self.stage.replace(stage) != Some(stage);
        match &self.bar {
            Some(bar) => {
                if changed {
                    let template = if of == 0 {
                        "{spinner} {msg}, {elapsed}"
                    } else {
                        "{msg} {wide_bar} {percent} %, {eta} left"
                    };
                    bar.set_style(
                        ProgressStyle::with_template(template)
                            .unwrap_or_else(|_| ProgressStyle::default_bar()),
                    );
                    bar.set_message(word(stage));
                    bar.enable_steady_tick(Duration::from_millis(200));
                    bar.reset_elapsed();
                }
                bar.set_length(of);
                bar.set_position(done);
            }
            None if changed || self.said.elapsed() < EVERY => {}
            None => {
                self.said = Instant::now();
                // Whoever closed stderr still gets the work done.
                _ = writeln!(stderr(), "{}: {done} of {of}", word(stage));
            }
        }
    }
}

fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Copying => "copying pages",
        Stage::Checking => "checking every page",
        Stage::Summing => "reading app users",
    }
}
