//! Notifies systemd over `NOTIFY_SOCKET`: ready, reloading, stopping, watchdog.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use crate::ingest::heartbeat::WorkerHeartbeat;

/// Between two extensions of the start timeout. Opening takes long when a large database is copied before a
/// migration.
const STILL_OPENING: Duration = Duration::from_secs(5);
const STUCK: &str = "STATUS=stuck: a batch does not finish";

/// The service is ready.
pub fn ready() {
    notify(&[NotifyState::Ready, NotifyState::Status("ready")]);
}

/// The reload was refused; the previous settings stay in force.
pub fn reload_refused() {
    notify(&[
        NotifyState::Ready,
        NotifyState::Status("ready; the last reload was refused, the log says why"),
    ]);
}

/// The settings are being read again; [`ready`] or [`reload_refused`] follows.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "cannot read the monotonic clock: {error}"),
    }
}

/// The service is shutting down.
pub fn stopping() {
    notify(&[NotifyState::Stopping, NotifyState::Status("finishing requests in progress")]);
}

/// Extends the start timeout until it is dropped.
pub async fn opening() {
    let more = u32::try_from((STILL_OPENING * 3).as_micros()).unwrap_or(u32::MAX);
    loop {
        notify(&[NotifyState::Status("opening the database"), NotifyState::ExtendTimeoutUsec(more)]);
        tokio::time::sleep(STILL_OPENING).await;
    }
}

/// Notifies the watchdog, unless the worker has been in one batch for half of its interval: then systemd restarts
/// the process. Returns at once without a watchdog.
pub async fn watch(heartbeat: WorkerHeartbeat) {
    let Some(within) = sd_notify::watchdog_enabled().filter(|within| !within.is_zero()) else { return };
    let mut seen: Option<(u64, Instant)> = None;
    let mut stuck = false;
    loop {
        tokio::time::sleep(within / 4).await;
        let before = seen;
        seen = heartbeat.current_batch().map(|batch| match before {
            Some((known, since)) if known == batch => (batch, since),
            _ => (batch, Instant::now()),
        });
        let lasts = seen.is_some_and(|(_, since)| since.elapsed() >= within / 2);
        let was_stuck = std::mem::replace(&mut stuck, lasts);
        match (was_stuck, stuck) {
            (false, true) => {
                tracing::error!("the worker is stuck in a batch; watchdog notifications stop");
                notify(&[NotifyState::Custom(STUCK)]);
            }
            (true, true) => {}
            (true, false) => notify(&[NotifyState::Watchdog, NotifyState::Status("ready")]),
            (false, false) => notify(&[NotifyState::Watchdog]),
        }
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot notify systemd: {error}");
    }
}
