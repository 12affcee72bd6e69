//! What can only be counted by reading it all, for the metrics.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use crate::domain::AppId;
use crate::store::sqlite::SqliteReader;
use crate::store::{self, Reader};

/// Counting may take a twentieth of one processor's time: nobody counts again for so many times as long as
/// it took.
const REST: u32 = 19;

/// Whoever asks waits this long for the count; then they are told the last one.
const PATIENCE: Duration = Duration::from_millis(250);

/// See the module. Its reader is its own, so that no look-up waits behind it.
pub struct Census {
    apps: Vec<AppId>,
    reader: Arc<tokio::sync::Mutex<Counting>>,
    last: Arc<Mutex<Option<store::Census>>>,
}

struct Counting {
    reader: SqliteReader,
    /// Not before.
    next: Option<Instant>,
}

impl Census {
    /// Counts with this reader, for these apps.
    pub fn new(reader: SqliteReader, apps: Vec<AppId>) -> Self {
        let reader = Arc::new(tokio::sync::Mutex::new(Counting { reader, next: None }));
        Self { apps, reader, last: Arc::default() }
    }

    /// The same for other apps.
    pub(super) fn of(&self, apps: impl Iterator<Item = AppId>) -> Self {
        Self { apps: apps.collect(), reader: self.reader.clone(), last: self.last.clone() }
    }

    /// The last count: one of this moment, unless counting takes long. Nothing before the first.
    pub(super) async fn last(&self) -> Option<store::Census> {
        if let Ok(mut counting) = self.reader.clone().try_lock_owned()
            && counting.next.is_none_or(|next| next <= Instant::now())
        {
            let (apps, last) = (self.apps.clone(), self.last.clone());
            let count = spawn_blocking(move || {
                let began = Instant::now();
                match counting.reader.census(&apps) {
                    Ok(census) => *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(census),
                    Err(error) => tracing::warn!(%error, "counting for the metrics failed: {error}"),
                }
                counting.next = Some(Instant::now() + began.elapsed() * REST);
            });
            _ = timeout(PATIENCE, count).await;
        }
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
