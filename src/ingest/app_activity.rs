//! The time of each app's last webhook, and a warning for apps that send none for too long.
//!
//! A webhook that was switched off and a secret that no longer matches are both visible only as silence.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use crate::clock::now_ms;
use crate::domain::AppId;

/// Bounds each sleep, because the clock of the machine may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// No webhook yet: earlier than any receive time.
const NEVER: i64 = i64::MIN;

/// The activity of every app of the settings.
pub struct AppActivity(BTreeMap<AppId, TrackedApp>);

struct TrackedApp {
    /// The silence after which it is reported; `None` for never.
    silent_after: Option<Duration>,
    /// Receive time of the last webhook, in ms since 1970.
    last: AtomicI64,
    /// The time from which webhooks of the app are expected, in ms since 1970.
    from: i64,
    silent: AtomicBool,
}

/// The activity of one app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppStatus {
    /// The app.
    pub app: AppId,
    /// The time when its last webhook was stored, in ms since 1970.
    pub last: Option<i64>,
    /// No webhook came for longer than the settings allow.
    pub silent: bool,
}

impl AppActivity {
    /// Starts now for these apps, each with its tolerated silence.
    pub fn new(apps: impl IntoIterator<Item = (AppId, Option<Duration>)>) -> Self {
        let app = |silent_after| TrackedApp {
            silent_after,
            last: AtomicI64::new(NEVER),
            from: now_ms(),
            silent: AtomicBool::new(false),
        };
        Self(apps.into_iter().map(|(id, silent_after)| (id, app(silent_after))).collect())
    }

    /// The same for changed settings. Apps that stay keep their activity.
    pub fn with_settings(&self, apps: impl IntoIterator<Item = (AppId, Option<Duration>)>) -> Self {
        let mut again = Self::new(apps);
        for (id, app) in &mut again.0 {
            if let Some(known) = self.0.get(id) {
                app.last = AtomicI64::new(known.last.load(Ordering::Acquire));
                app.from = known.from;
                app.silent = AtomicBool::new(known.silent.load(Ordering::Acquire));
            }
        }
        again
    }

    /// Records that a webhook received at `at`, in ms since 1970, was stored.
    pub fn record_webhook(&self, app: &AppId, at: i64) {
        let Some(known) = self.0.get(app) else { return };
        known.last.fetch_max(at, Ordering::AcqRel);
        if known.silent.load(Ordering::Acquire) {
            known.check_silence(app);
        }
    }

    /// Every app, ordered by id.
    pub fn statuses(&self) -> Vec<AppStatus> {
        let told = self.0.iter().map(|(app, known)| {
            let last = Some(known.last.load(Ordering::Acquire)).filter(|last| *last != NEVER);
            AppStatus { app: app.clone(), last, silent: known.silent.load(Ordering::Acquire) }
        });
        told.collect()
    }

    /// Logs when an app falls silent. Never ends.
    pub async fn watch(&self) {
        loop {
            let next = self.0.iter().filter_map(|(app, known)| known.check_silence(app)).min();
            sleep(next.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP)).await;
        }
    }
}

impl TrackedApp {
    /// Updates `silent`, and logs each change of it. Returns the time until the next check: it cannot fall silent
    /// earlier.
    fn check_silence(&self, app: &AppId) -> Option<Duration> {
        let silent_after = self.silent_after?;
        let quiet = now_ms().saturating_sub(self.last.load(Ordering::Acquire).max(self.from));
        let quiet = Duration::from_millis(u64::try_from(quiet).unwrap_or(0));
        let (silent, seconds) = (quiet >= silent_after, quiet.as_secs());
        if self.silent.swap(silent, Ordering::AcqRel) != silent {
            if silent {
                tracing::warn!(%app, seconds, "app {app} is silent: no webhook for {seconds} s");
            } else {
                tracing::info!(%app, "app {app} sends webhooks again");
            }
        }
        // One ms later, so that the time is over for certain.
        let left = if silent { silent_after } else { silent_after - quiet };
        Some(left + Duration::from_millis(1))
    }
}
