//! Numbers for the metrics.

use std::collections::BTreeMap;

use super::reader::DirectoryReader;
use crate::domain::AppId;
use crate::store::rows::FeedRange;
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

impl DirectoryReader {
    /// Counts the rows, for the metrics.
    pub fn take_census(&self, apps: &[AppId]) -> Result<Census> {
        let rows = self.snapshot()?;
        let (quarantined, quarantined_bytes) = rows.count(&QUARANTINE, Some("body"))?;
        let users = rows.count_listed(None)?;
        let feeds = apps.iter().map(|app| Ok((app.clone(), FeedRange::read(&*rows, app)?)));
        Ok(Census { users, quarantined, quarantined_bytes, feeds: feeds.collect::<Result<_>>()? })
    }

    /// The time of the last webhook of each app among the recent entries, else that of its last change, in ms since
    /// 1970.
    pub fn find_last_webhooks(&self, apps: &[AppId]) -> Result<Vec<(AppId, i64)>> {
        let rows = &*self.snapshot()?;
        let mut recent: BTreeMap<AppId, i64> = BTreeMap::new();
        for entry in EntrySource::select().descending().limit(RECENT).read(rows)? {
            if entry.source == Source::Webhook {
                let time = recent.entry(entry.app).or_insert(entry.received);
                *time = entry.received.max(*time);
            }
        }
        let mut times = Vec::new();
        for app in apps {
            let changed = || ChangeTime::select().is("app", app).descending().first(rows);
            let time = match recent.get(app) {
                Some(time) => Some(*time),
                None => changed()?.map(|change| change.time),
            };
            times.extend(time.map(|time| (app.clone(), time)));
        }
        Ok(times)
    }
}
