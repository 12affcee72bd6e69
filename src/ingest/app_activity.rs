//! When each app was last heard, and which of them have been silent for too long.
//!
//! A webhook that was switched off, or a secret that no longer fits, looks from here like nothing at all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use crate::clock::now_ms;
use crate::domain::AppId;

/// The clock of the machine may be set meanwhile, so nobody sleeps longer than this.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Never heard: before any time that a webhook can be received at.
const NEVER: i64 = i64::MIN;

/// All apps of the settings.
pub struct AppActivity(BTreeMap<AppId, TrackedApp>);

struct TrackedApp {
    /// How long it may be silent.
    silent_after: Option<Duration>,
    /// In ms since 1970.
    last: AtomicI64,
    /// When it began to be listened to, in ms since 1970.
    from: i64,
    silent: AtomicBool,
}

/// What is known of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppStatus {
    /// The app.
    pub app: AppId,
    /// When its last webhook was stored, in ms since 1970.
    pub last: Option<i64>,
    /// Nothing has come from it for longer than the settings allow.
    pub silent: bool,
}

impl AppActivity {
    /// Listens from now on to these apps, each of which may be silent for so long.
    pub fn new(apps: impl IntoIterator<Item = (AppId, Option<Duration>)>) -> Self {
        let app = |silent_after| TrackedApp {
            silent_after,
            last: AtomicI64::new(NEVER),
            from: now_ms(),
            silent: AtomicBool::new(false),
        };
        Self(apps.into_iter().map(|(id, silent_after)| (id, app(silent_after))).collect())
    }

    /// The same for other settings: what is known of an app that was there before stays known.
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

    /// A webhook of the app was stored that was received at `at`, in ms since 1970.
    pub fn record_webhook(&self, app: &AppId, at: i64) {
        let Some(known) = self.0.get(app) else { return };
        known.last.fetch_max(at, Ordering::AcqRel);
        if known.silent.load(Ordering::Acquire) {
            known.check_silence(app);
        }
    }

    /// Every app, in the order of their ids.
    pub fn statuses(&self) -> Vec<AppStatus> {
        let told = self.0.iter().map(|(app, known)| {
            let last = Some(known.last.load(Ordering::Acquire)).filter(|last| *last != NEVER);
            AppStatus { app: app.clone(), last, silent: known.silent.load(Ordering::Acquire) }
        });
        told.collect()
    }

    /// Says when an app falls silent, for as long as it is polled.
    pub async fn watch(&self) {
        loop {
            let next = self.0.iter().filter_map(|(app, known)| known.check_silence(app)).min();
            sleep(next.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP)).await;
        }
    }
}

impl TrackedApp {
    /// Whether it is silent by now: said once when it begins, and once when it ends. Gives when to look
    /// again: it cannot fall silent before.
    fn check_silence(&self, app: &AppId) -> Option<Duration> {
        let silent_after = self.silent_after?;
        let quiet = now_ms().saturating_sub(self.last.load(Ordering::Acquire).max(self.from));
        let quiet = Duration::from_millis(u64::try_from(quiet).unwrap_or(0));
        let (silent, seconds) = (quiet >= silent_after, quiet.as_secs());
        if self.silent.swap(silent, Ordering::AcqRel) != silent {
            if silent {
                tracing::warn!(%app, seconds, "app {app} is silent: no webhook for {seconds} s");
            } else {
                tracing::info!(%app, "app {app} is heard again");
            }
        }
        // A moment later, so that the time is over for sure.
        let left = if silent { silent_after } else { silent_after - quiet };
        Some(left + Duration::from_millis(1))
    }
}
