//! The state shared by all followers.

use std::sync::Arc;
use std::time::Duration;

use super::throttle::Throttle;
use crate::metrics::Metrics;

pub(in crate::http) struct FeedState {
    pub(super) pace: Arc<Throttle>,
    pub(super) heartbeat: Duration,
    pub(super) stream_life: Duration,
}

impl FeedState {
    pub(in crate::http) fn new(settings: &crate::config::FeedSettings) -> Self {
        Self { pace: Arc::default(), heartbeat: settings.heartbeat, stream_life: settings.stream_life }
    }

    /// The same with other settings, for followers that start from now on.
    pub(in crate::http) fn with_settings(&self, settings: &crate::config::FeedSettings) -> Self {
        Self { pace: self.pace.clone(), ..Self::new(settings) }
    }
}

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
