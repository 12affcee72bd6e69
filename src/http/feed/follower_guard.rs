//! Counts the followers of the feed.

use std::sync::Arc;

use crate::metrics::Metrics;

/// Counts a follower for as long as it is connected.
pub(super) struct FollowerGuard(Arc<Metrics>);

impl FollowerGuard {
    pub(super) fn begin(metrics: &Arc<Metrics>) -> Self {
        metrics.feed_readers.inc();
        Self(metrics.clone())
    }
}

impl Drop for FollowerGuard {
    fn drop(&mut self) {
        self.0.feed_readers.dec();
    }
}
