//! What can only be counted by reading it all, for the metrics.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::reads;
use crate::domain::AppId;
use crate::store::readers::Readers;
use crate::store::sqlite::SqliteReader;
use crate::store::{self, Reader};

/// Counting may take a twentieth of one processor's time: nobody counts again for so many times as long as
/// it took.
const REST: u32 = 19;

/// Whoever asks waits this long for the count; then they are told the last one.
const PATIENCE: Duration = Duration::from_millis(250);

/// See the module.
pub(super) struct MetricCounts {
    apps: Vec<AppId>,
    /// When it is counted again, and not before.
    next: Arc<tokio::sync::Mutex<Option<Instant>>>,
    last: Arc<Mutex<Option<store::Census>>>,
}

impl MetricCounts {
    /// Counts for these apps.
    pub(super) fn new(apps: impl Iterator<Item = AppId>) -> Self {
        Self { apps: apps.collect(), next: Arc::default(), last: Arc::default() }
    }

    /// The same for other apps.
    pub(super) fn of(&self, apps: impl Iterator<Item = AppId>) -> Self {
        Self { apps: apps.collect(), next: self.next.clone(), last: self.last.clone() }
    }

    /// The last count: one of this moment, unless counting takes long. Nothing before the first.
    pub(super) async fn last(&self, readers: &Readers<SqliteReader>) -> Option<store::Census> {
        if let Ok(mut next) = self.next.clone().try_lock_owned()
            && next.is_none_or(|next| next <= Instant::now())
        {
            let (apps, last, readers) = (self.apps.clone(), self.last.clone(), readers.clone());
            // Beside this call, so that a count that takes long is good for the next one.
            let count = tokio::spawn(async move {
                let count = move |reader: &mut SqliteReader| {
                    let began = Instant::now();
                    Ok((reader.census(&apps)?, began.elapsed()))
                };
                match reads::CENSUS.run_beside(&readers, count).await {
                    Ok((census, took)) => {
                        *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(census);
                        *next = Some(Instant::now() + took * REST);
                    }
                    Err(error) => {
                        let why = error.description();
                        tracing::debug!("counting for the metrics failed: {why}");
                    }
                }
            });
            _ = timeout(PATIENCE, count).await;
        }
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
