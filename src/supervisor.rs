//! Word to systemd, where it started the service (`NOTIFY_SOCKET`): ready, reloading, stopping, alive.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use crate::ingest::heartbeat::WorkerHeartbeat;

/// While the database is being opened, as long as it may take: a large one is copied before its schema changes.
const STILL_OPENING: Duration = Duration::from_secs(5);
const STUCK: &str = "STATUS=stuck: a batch does not come to its end";

/// The service answers.
pub fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("ready")]);
}

/// The service goes on with the settings it had.
pub fn reload_refused() {
    tell(&[NotifyState::Ready, NotifyState::Status("ready; the last reload was refused, the log says why")]);
}

/// The settings are being read again; [`ready`] or [`reload_refused`] follows.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "the clock cannot be read: {error}"),
    }
}

/// The service was told to stop, and does.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("finishing what is under way")]);
}

/// Asks for time, again and again. Drop it once the database is open.
pub async fn opening() {
    let more = u32::try_from((STILL_OPENING * 3).as_micros()).unwrap_or(u32::MAX);
    loop {
        tell(&[NotifyState::Status("opening the database"), NotifyState::ExtendTimeoutUsec(more)]);
        tokio::time::sleep(STILL_OPENING).await;
    }
}

/// Says that the service is alive, as often as systemd wants to hear it, unless the worker is in one batch for
/// half of that time: then systemd ends the process, and starts it afresh. Returns at once where there is no
/// watchdog.
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
                tracing::error!("the worker is stuck in a batch; the watchdog is not told that all is well");
                tell(&[NotifyState::Custom(STUCK)]);
            }
            (true, true) => {}
            (true, false) => tell(&[NotifyState::Watchdog, NotifyState::Status("ready")]),
            (false, false) => tell(&[NotifyState::Watchdog]),
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd cannot be told: {error}");
    }
}
