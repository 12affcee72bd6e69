//! The worker's heartbeat, by which the supervisor notices a stuck batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter: odd during a batch, even between two. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct WorkerHeartbeat(Arc<AtomicU64>);

impl WorkerHeartbeat {
    /// A batch begins.
    pub fn begin(&self) {
        self.0.fetch_or(1, Ordering::AcqRel);
    }

    /// The batch ends.
    pub fn end(&self) {
        // Only the worker writes, so read and write need not be one operation.
        if self.current_batch().is_some() {
            self.0.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// The number of the current batch; `None` between two.
    pub fn current_batch(&self) -> Option<u64> {
        let beats = self.0.load(Ordering::Acquire);
        (beats % 2 == 1).then_some(beats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_lasts_from_its_begin_to_its_end_even_if_these_are_repeated() {
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
