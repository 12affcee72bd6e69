//! Whether the worker gets on, for whoever watches over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Beats when a batch begins and when it ends. Clones feel the same worker.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// A batch begins, or the one that began ends.
    pub fn beat(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// The batch that is under way, if there is one: another number for each.
    pub fn batch(&self) -> Option<u64> {
        let beats = self.0.load(Ordering::Acquire);
        (beats % 2 == 1).then_some(beats)
    }
}
