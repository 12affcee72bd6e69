//! Metrics that need a scan of the database.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::reads;
use crate::clock::now_ms;
use crate::directory::DirectoryReader;
use crate::directory::census::Census;
use crate::domain::AppId;
use crate::store::readers::Readers;

/// The pause after a count, as a multiple of its duration: counting takes at most a twentieth of one
/// processor.
const PAUSE_FACTOR: u32 = 19;

/// The time that a caller waits for the count; after it, the last count is returned.
const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// A count, and its time in ms since 1970.
#[derive(Clone)]
pub(super) struct CountedAt {
    pub(super) census: Census,
    pub(super) time: i64,
}

pub(super) struct MetricCounts {
    apps: Vec<AppId>,
    next: Arc<tokio::sync::Mutex<Option<Instant>>>,
    last: Arc<Mutex<Option<CountedAt>>>,
}

impl MetricCounts {
    pub(super) fn new(apps: impl Iterator<Item = AppId>) -> Self {
        Self { apps: apps.collect(), next: Arc::default(), last: Arc::default() }
    }

    pub(super) fn of(&self, apps: impl Iterator<Item = AppId>) -> Self {
        Self { apps: apps.collect(), next: self.next.clone(), last: self.last.clone() }
    }

    /// The last count: a current one unless counting takes long. None before the first.
    pub(super) async fn last(&self, readers: &Readers<DirectoryReader>) -> Option<CountedAt> {
        self.count_when_due(readers, LONGEST_WAIT).await;
        self.last_known()
    }

    /// The last count, whatever its age, for a caller who must not wait; a current one is begun if it is due. The first is
    /// waited for as in [`Self::last`].
    pub(super) async fn last_at_once(&self, readers: &Readers<DirectoryReader>) -> Option<CountedAt> {
        let wait = if self.last_known().is_some() { Duration::ZERO } else { LONGEST_WAIT };
        self.count_when_due(readers, wait).await;
        self.last_known()
    }

    fn last_known(&self) -> Option<CountedAt> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn count_when_due(&self, readers: &Readers<DirectoryReader>, wait: Duration) {
        if let Ok(mut next) = self.next.clone().try_lock_owned()
            && next.is_none_or(|next| next <= Instant::now())
        {
            let (apps, last, readers) = (self.apps.clone(), self.last.clone(), readers.clone());
            // In its own task, so that a slow count is ready for the next call.
            let count = tokio::spawn(async move {
                let count = move |reader: &mut DirectoryReader| {
                    let began = Instant::now();
                    Ok((reader.take_census(&apps)?, began.elapsed()))
                };
                match reads::CENSUS.run_beside(&readers, count).await {
                    Ok((census, took)) => {
                        *last.lock().unwrap_or_else(PoisonError::into_inner) =
                            Some(CountedAt { census, time: now_ms() });
                        *next = Some(Instant::now() + took * PAUSE_FACTOR);
                    }
                    Err(error) => tracing::debug!("counting for the metrics failed: {}", error.description),
                }
            });
            _ = timeout(wait, count).await;
        }
    }
}
