//! Erasure and retention, in small steps: while no job waits, and after every few batches if there is no pause.

use std::time::Instant;

use crate::clock::now_ms;
use crate::directory::DirectoryWriter;
use crate::domain::Event;
use crate::metrics::Metrics;
use crate::smooch::{self, split_body::SplitBody};
use crate::store::{BodyReader, Error, Retention, Source};

/// Batches between two steps if there is no pause.
const BATCHES: usize = 4;

/// Decides when the store takes its next step.
pub(super) struct Maintenance {
    retention: Retention,
    /// There may be work left.
    due: bool,
    batches: usize,
}

impl Maintenance {
    pub(super) fn new(retention: Retention) -> Self {
        Self { retention, due: true, batches: 0 }
    }

    /// Lets the next step run: rows may have become old enough.
    pub(super) fn mark_due(&mut self) {
        self.due = true;
    }

    /// True if a step is due while no job waits.
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    /// Counts a batch, and takes a step after every few of them.
    pub(super) fn after_batch(
        &mut self,
        directory: &mut DirectoryWriter,
        metrics: &Metrics,
    ) -> Result<(), Error> {
        self.batches += 1;
        if self.due && self.batches >= BATCHES { self.step(directory, metrics) } else { Ok(()) }
    }

    /// Takes one step. A step that failed is tried again at the next tick.
    pub(super) fn step(&mut self, directory: &mut DirectoryWriter, metrics: &Metrics) -> Result<(), Error> {
        self.batches = 0;
        let began = Instant::now();
        self.due = match directory.maintenance_step(&self.retention, now_ms(), &READING) {
            Ok(more) => {
                if more {
                    metrics.upkeep_seconds.observe(began.elapsed().as_secs_f64());
                }
                more
            }
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "retention step failed, will retry at the next tick: {error}");
                false
            }
        };
        Ok(())
    }
}

/// The functions with which the store parses bodies.
pub const READING: BodyReader = BodyReader { event: reparse_event, without: remove_events };

/// A body without the events whose text `named` accepts; `None` if nothing is left.
fn remove_events(body: &[u8], named: &dyn Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    SplitBody::of(body, |_, text| named(text)).rest
}

/// Parses the event at a place of a journalled body again; `None` if it cannot be parsed any more.
pub fn reparse_event(source: Source, body: &[u8], place: usize) -> Option<Event> {
    match source {
        Source::Webhook => smooch::journal_entry::event_at(body, place),
        Source::Reduced | Source::Api => serde_json::from_slice(body).ok(),
    }
}
