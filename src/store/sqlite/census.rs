//! What the metrics tell of the database.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::Result;
use crate::domain::AppId;
use crate::store::Census;
use crate::store::rows::{FeedRows as _, Rows, UserRows as _};

/// Entries at the end of the journal that are looked through for the apps they came for.
const RECENT: usize = 10_000;

/// See [`crate::store::Reader::census`]. `conn` must be in a transaction.
pub(super) fn count(conn: &Connection, apps: &[AppId]) -> Result<Census> {
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    let mut feeds = Vec::with_capacity(apps.len());
    for app in apps {
        let (oldest, last) = conn.feed_range(app)?;
        feeds.push((app.clone(), oldest.unwrap_or(last + 1), last));
    }
    Ok(Census {
        users: conn.count_listed()?,
        quarantined: number("SELECT count(*) FROM quarantine")? as u64,
        quarantined_bytes: number("SELECT coalesce(sum(length(body)), 0) FROM quarantine")? as u64,
        feeds,
    })
}

/// See [`crate::store::Reader::heard`].
pub(super) fn heard(rows: &dyn Rows, apps: &[AppId]) -> Result<Vec<(AppId, i64)>> {
    let recent: BTreeMap<AppId, i64> = rows.last_webhooks(RECENT)?.into_iter().collect();
    let mut heard = Vec::new();
    for app in apps {
        let time = match recent.get(app) {
            Some(time) => Some(*time),
            None => rows.last_change_time(app)?,
        };
        heard.extend(time.map(|time| (app.clone(), time)));
    }
    Ok(heard)
}
