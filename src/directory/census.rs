//! Numbers for the metrics.

use std::collections::BTreeMap;

use crate::domain::AppId;
use crate::store::Result;
use crate::store::rows::{FeedRange, Rows};
use crate::store::tables::QUARANTINE;

/// Entries at the end of the journal that are searched for webhooks.
const RECENT: usize = 10_000;

/// Numbers of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// App users that lists show, over all apps.
    pub users: u64,
    /// Quarantined bodies.
    pub quarantined: u64,
    /// Bytes of these bodies.
    pub quarantined_bytes: u64,
    /// The stored part of each app's feed.
    pub feeds: Vec<(AppId, FeedRange)>,
}

impl Census {
    /// Counts the rows.
    pub fn take(rows: &dyn Rows, apps: &[AppId]) -> Result<Self> {
        let (quarantined, quarantined_bytes) = rows.count(&QUARANTINE, Some("body"))?;
        Ok(Self {
            users: rows.count_listed()?,
            quarantined,
            quarantined_bytes,
            feeds: apps.iter().cloned().zip(rows.feed_ranges(apps)?).collect(),
        })
    }
}

/// The time of the last webhook of each app among the recent entries, else that of its last change, in ms since 1970.
pub fn find_last_webhooks(rows: &dyn Rows, apps: &[AppId]) -> Result<Vec<(AppId, i64)>> {
    let recent: BTreeMap<AppId, i64> = rows.last_webhooks(RECENT)?.into_iter().collect();
    let missing: Vec<AppId> = apps.iter().filter(|app| !recent.contains_key(*app)).cloned().collect();
    let changes: BTreeMap<_, _> = missing.iter().zip(rows.last_change_times(&missing)?).collect();
    let time = |app: &AppId| recent.get(app).copied().or_else(|| changes.get(app).copied().flatten());
    Ok(apps.iter().filter_map(|app| Some((app.clone(), time(app)?))).collect())
}
