//! Numbers for the metrics.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::DirectoryReader;
use crate::domain::AppId;
use crate::store::rows::FeedRange;
use crate::store::tables::{ChangeTime, EntrySource, QuarantinedShare};
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
    /// The numbers of each app that was asked for.
    pub apps: BTreeMap<AppId, AppCensus>,
}

/// Numbers of rows of one app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppCensus {
    /// App users that lists show.
    pub users: u64,
    /// Quarantined bodies.
    pub quarantined: u64,
    /// The stored part of the feed.
    pub feed: FeedRange,
}

impl DirectoryReader {
    /// Counts the rows, for the metrics.
    pub fn take_census(&self, apps: &[AppId]) -> Result<Census> {
        let rows = self.snapshot()?;
        let (mut held, mut quarantined_bytes) = (BTreeMap::<AppId, u64>::new(), 0);
        for body in QuarantinedShare::select().read(&*rows)? {
            quarantined_bytes += body.bytes;
            *held.entry(body.app).or_default() += 1;
        }
        let mut users = 0;
        let mut counted = BTreeMap::new();
        let of_database = self.list_apps()?;
        for app in of_database.iter().chain(apps).collect::<BTreeSet<_>>() {
            let listed = rows.count_listed(Some(app))?;
            users += listed;
            if apps.contains(app) {
                let quarantined = held.get(app).copied().unwrap_or(0);
                let feed = FeedRange::read(&*rows, app)?;
                counted.insert(app.clone(), AppCensus { users: listed, quarantined, feed });
            }
        }
        Ok(Census { users, quarantined: held.values().sum(), quarantined_bytes, apps: counted })
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
