//! Numbers for the metrics.

use std::collections::BTreeMap;

use crate::domain::AppId;
use crate::store::rows::{FeedRange, Rows};
use crate::store::tables::{ChangeTime, EntrySource, QUARANTINE};
use crate::store::{ReadRow as _, Result, Source};

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
            users: rows.count_listed(None)?,
            quarantined,
            quarantined_bytes,
            feeds: apps
                .iter()
                .map(|app| Ok((app.clone(), FeedRange::read(rows, app)?)))
                .collect::<Result<_>>()?,
        })
    }
}

/// The time of the last webhook of each app among the recent entries, else that of its last change, in ms since 1970.
pub fn find_last_webhooks(rows: &dyn Rows, apps: &[AppId]) -> Result<Vec<(AppId, i64)>> {
    let mut recent: BTreeMap<AppId, i64> = BTreeMap::new();
    for entry in EntrySource::select().descending().limit(RECENT).read(rows)? {
        if entry.source == Source::Webhook {
            let time = recent.entry(entry.app).or_insert(entry.received);
            *time = entry.received.max(*time);
        }
    }
    let mut times = Vec::new();
    for app in apps {
        let time = match recent.get(app) {
            Some(time) => Some(*time),
            None => ChangeTime::select().is("app", app).descending().first(rows)?.map(|change| change.time),
        };
        times.extend(time.map(|time| (app.clone(), time)));
    }
    Ok(times)
}
