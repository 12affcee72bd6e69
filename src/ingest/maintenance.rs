//! What the worker does besides: it forgets whoever is erased, and lets go of what is kept long enough.
//!
//! It does so in small steps: while nothing waits, and after every few batches where something always does.

use std::time::Instant;

use crate::clock::now_ms;
use crate::domain::Event;
use crate::metrics::Metrics;
use crate::smooch::{self, split_body::SplitBody};
use crate::store::{BodyReader, Error, Retention, Source, Store};

/// Batches between two steps while there is no pause.
const BATCHES: usize = 4;

/// See the module.
pub(super) struct Maintenance {
    retention: Retention,
    /// Something may be left to do.
    due: bool,
    batches: usize,
}

impl Maintenance {
    pub(super) fn new(retention: Retention) -> Self {
        Self { retention, due: true, batches: 0 }
    }

    /// Time has passed: something may be old enough.
    pub(super) fn mark_due(&mut self) {
        self.due = true;
    }

    /// Whether a step may be taken while nothing waits.
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    /// Takes a step every few batches, in case there never is a pause.
    pub(super) fn after_batch(&mut self, store: &mut impl Store, metrics: &Metrics) -> Result<(), Error> {
        self.batches += 1;
        if self.due && self.batches >= BATCHES { self.step(store, metrics) } else { Ok(()) }
    }

    /// Takes a step. What fails now is tried again when the next tick comes.
    pub(super) fn step(&mut self, store: &mut impl Store, metrics: &Metrics) -> Result<(), Error> {
        self.batches = 0;
        let began = Instant::now();
        self.due = match store.let_go(&self.retention, now_ms(), &READING) {
            Ok(more) => {
                if more {
                    metrics.upkeep_seconds.observe(began.elapsed().as_secs_f64());
                }
                more
            }
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "what is kept long enough was not let go: {error}");
                false
            }
        };
        Ok(())
    }
}

/// How the store reads bodies.
pub const READING: BodyReader = BodyReader { event: reparse_event, without };

/// A body without the events that are told of by their text.
fn without(body: &[u8], named: &dyn Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    SplitBody::of(body, |_, text| named(text)).rest
}

/// Reads the event at a place of a journalled body again; nothing if it cannot be read any more.
pub fn reparse_event(source: Source, body: &[u8], place: usize) -> Option<Event> {
    match source {
        Source::Webhook => smooch::history::event_at(body, place),
        Source::Reduced | Source::Api => serde_json::from_slice(body).ok(),
    }
}
