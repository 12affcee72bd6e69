//! Whether the worker gets on, for whoever watches over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Odd while the worker is in a batch, even between two. Clones feel the same worker.
#[derive(Clone, Debug, Default)]
pub struct WorkerHeartbeat(Arc<AtomicU64>);

impl WorkerHeartbeat {
    /// A batch begins.
    pub fn begin(&self) {
        self.0.fetch_or(1, Ordering::AcqRel);
    }

    /// The batch that began ends.
    pub fn end(&self) {
        // Only the worker counts, so that nothing comes between.
        if self.current_batch().is_some() {
            self.0.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// The batch that is under way, if there is one: another number for each.
    pub fn current_batch(&self) -> Option<u64> {
        let beats = self.0.load(Ordering::Acquire);
        (beats % 2 == 1).then_some(beats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_under_way_from_its_begin_to_its_end_however_often_they_are_said() {
        let heartbeat = WorkerHeartbeat::default();
        assert_eq!(heartbeat.current_batch(), None);
        heartbeat.end();
        assert_eq!(heartbeat.current_batch(), None);
        heartbeat.begin();
        let first = heartbeat.current_batch().unwrap();
        heartbeat.begin();
        assert_eq!(heartbeat.current_batch(), Some(first));
        heartbeat.end();
        assert_eq!(heartbeat.current_batch(), None);
        heartbeat.begin();
        assert_ne!(heartbeat.current_batch(), Some(first));
    }
}
