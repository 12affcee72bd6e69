//! The time of each app's last webhook, and a warning for apps that send none for too long.
//!
//! A webhook that was switched off and a secret that no longer matches are both visible only as silence.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use tokio::time::sleep;

use crate::clock::now_ms;
use crate::domain::AppId;
use crate::metrics::WebhookOutcome;

/// Bounds each sleep, because the clock of the machine may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// No webhook yet: earlier than any receive time.
const NEVER: i64 = i64::MIN;

/// The activity of every app of the settings.
pub struct AppActivity(BTreeMap<AppId, TrackedApp>);

/// Deliveries that were accepted since the start, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeliveryCounts {
    /// Something in them was new.
    pub stored: u64,
    /// All of them was stored before.
    pub repeated: u64,
    /// They are in quarantine, whole or in part.
    pub quarantined: u64,
    /// They were dropped, because they name an erased app user.
    pub erased: u64,
}

impl DeliveryCounts {
    fn each(self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            stored: join(self.stored, other.stored),
            repeated: join(self.repeated, other.repeated),
            quarantined: join(self.quarantined, other.quarantined),
            erased: join(self.erased, other.erased),
        }
    }

    /// Those since an earlier count.
    pub fn since(self, earlier: Self) -> Self {
        self.each(earlier, u64::saturating_sub)
    }
}

/// [`DeliveryCounts`] as they grow.
#[derive(Default)]
struct DeliveryCounters {
    stored: AtomicU64,
    repeated: AtomicU64,
    quarantined: AtomicU64,
    erased: AtomicU64,
}

impl DeliveryCounters {
    fn counts(&self) -> DeliveryCounts {
        let [stored, repeated, quarantined, erased] =
            [&self.stored, &self.repeated, &self.quarantined, &self.erased]
                .map(|count| count.load(Ordering::Relaxed));
        DeliveryCounts { stored, repeated, quarantined, erased }
    }
}

struct TrackedApp {
    /// The silence after which it is reported; `None` for never.
    silent_after: Option<Duration>,
    /// Receive time of the last webhook, in ms since 1970.
    last: AtomicI64,
    /// The time from which webhooks of the app are expected, in ms since 1970.
    from: i64,
    silent: AtomicBool,
    /// Shared with the same app of other settings, so that none is lost by a reload.
    counters: Arc<DeliveryCounters>,
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
            counters: Arc::default(),
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
                app.counters = known.counters.clone();
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

    /// Counts a delivery that was accepted.
    pub fn count_delivery(&self, app: &AppId, outcome: WebhookOutcome) {
        let Some(DeliveryCounters { stored, repeated, quarantined, erased }) =
            self.0.get(app).map(|known| &*known.counters)
        else {
            return;
        };
        let count = match outcome {
            WebhookOutcome::stored => stored,
            WebhookOutcome::repeated => repeated,
            WebhookOutcome::quarantined => quarantined,
            WebhookOutcome::erased => erased,
            _ => return,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// The deliveries of some apps.
    pub fn deliveries(&self, is_meant: impl Fn(&AppId) -> bool) -> DeliveryCounts {
        let meant = self.0.iter().filter(|(app, _)| is_meant(app)).map(|(_, known)| known.counters.counts());
        meant.fold(DeliveryCounts::default(), |sum, counts| sum.each(counts, |a, b| a + b))
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
