//! Whether the worker gets on, for whoever watches over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Odd while the worker is in a batch, even between two. Clones feel the same worker.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// A batch begins.
    pub fn begin(&self) {
        self.0.fetch_or(1, Ordering::AcqRel);
    }

    /// The batch that began ends.
    pub fn end(&self) {
        // Only the worker counts, so that nothing comes between.
        if self.batch().is_some() {
            self.0.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// The batch that is under way, if there is one: another number for each.
    pub fn batch(&self) -> Option<u64> {
        let beats = self.0.load(Ordering::Acquire);
        (beats % 2 == 1).then_some(beats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_under_way_from_its_begin_to_its_end_however_often_they_are_said() {
        let pulse = Pulse::default();
        assert_eq!(pulse.batch(), None);
        pulse.end();
        assert_eq!(pulse.batch(), None);
        pulse.begin();
        let first = pulse.batch().unwrap();
        pulse.begin();
        assert_eq!(pulse.batch(), Some(first));
        pulse.end();
        assert_eq!(pulse.batch(), None);
        pulse.begin();
        assert_ne!(pulse.batch(), Some(first));
    }
}
