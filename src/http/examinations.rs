//! Examinations of the installation, as `rollcall doctor` makes them, by the running service.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::clock::now_ms;
use crate::config::Settings;
use crate::diagnosis::{self, Finding};
use crate::store::readers::give_way;

/// The pause after an examination, as a multiple of its duration: it takes at most a twentieth of one processor.
const PAUSE_FACTOR: u32 = 19;

/// The time that a call waits for an examination; after it, the last one is returned.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The last examination of the installation, and when the service started. Clones share it.
#[derive(Clone)]
pub(super) struct Examinations {
    /// When the service started.
    pub(super) started: Instant,
    next: Arc<tokio::sync::Mutex<Option<Instant>>>,
    last: Arc<Mutex<Option<Examined>>>,
}

/// The findings of an examination.
#[derive(Clone)]
pub(super) struct Examined {
    pub(super) findings: Vec<Finding>,
    /// In ms since 1970.
    pub(super) time: i64,
}

impl Default for Examinations {
    fn default() -> Self {
        Self { started: Instant::now(), next: Arc::default(), last: Arc::default() }
    }
}

impl Examinations {
    /// The last examination: a current one unless it takes long. None before the first. One runs at a time, on a thread
    /// below the priority of the rest; it reads the whole database as `rollcall doctor` does.
    pub(super) async fn last(&self, settings: &Settings) -> Option<Examined> {
        if let Ok(mut next) = self.next.clone().try_lock_owned()
            && next.is_none_or(|next| next <= Instant::now())
        {
            let (settings, last, (done, is_done)) = (settings.clone(), self.last.clone(), oneshot::channel());
            let examine = move || {
                give_way();
                let began = Instant::now();
                let config = settings.origin.exists.then(|| PathBuf::from(&settings.origin.file));
                let mut findings = vec![diagnosis::library()];
                findings.extend(diagnosis::examine(&settings, config, Arc::default()));
                *last.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Examined { findings, time: now_ms() });
                *next = Some(Instant::now() + began.elapsed() * PAUSE_FACTOR);
                drop(next);
                _ = done.send(());
            };
            let started = std::thread::Builder::new().name("examine".to_owned()).spawn(examine);
            if let Err(error) = started {
                tracing::warn!(%error, "the installation cannot be examined: {error}");
            }
            _ = timeout(LONGEST_WAIT, is_done).await;
        }
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
