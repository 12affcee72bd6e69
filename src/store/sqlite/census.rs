//! What the metrics tell of the database.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};

use super::Result;
use super::changes::oldest;
use super::txn::last_change;
use crate::domain::AppId;
use crate::store::Census;

/// Entries at the end of the journal that are looked through for the apps they came for.
const RECENT: i64 = 10_000;

/// See [`crate::store::Reader::census`]. `conn` must be in a transaction.
pub(super) fn count(conn: &Connection, apps: &[AppId]) -> Result<Census> {
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    let mut feeds = Vec::with_capacity(apps.len());
    for app in apps {
        let last = last_change(conn, app)?;
        feeds.push((app.clone(), oldest(conn, app)?.unwrap_or(last + 1), last));
    }
    Ok(Census {
        users: number("SELECT count(*) FROM app_users WHERE listed")? as u64,
        quarantined: number("SELECT count(*) FROM quarantine")? as u64,
        quarantined_bytes: number("SELECT coalesce(sum(length(body)), 0) FROM quarantine")? as u64,
        feeds,
    })
}

/// See [`crate::store::Reader::heard`].
pub(super) fn heard(conn: &Connection, apps: &[AppId]) -> Result<Vec<(AppId, i64)>> {
    let sql = "SELECT app, max(received) FROM
                   (SELECT app, source, received FROM journal ORDER BY seq DESC LIMIT ?1)
               WHERE source = 'webhook' GROUP BY app";
    let mut select = conn.prepare_cached(sql)?;
    let recent = select.query_map([RECENT], |row| Ok((row.get_ref(0)?.as_str()?.into(), row.get(1)?)));
    let recent: BTreeMap<AppId, i64> = recent?.collect::<rusqlite::Result<_>>()?;
    let sql = "SELECT time FROM changes WHERE app = ?1 ORDER BY seq DESC LIMIT 1";
    let mut changed = conn.prepare_cached(sql)?;
    let mut heard = Vec::new();
    for app in apps {
        let time = match recent.get(app) {
            Some(time) => Some(*time),
            None => changed.query_row([app.as_str()], |row| row.get(0)).optional()?,
        };
        heard.extend(time.map(|time| (app.clone(), time)));
    }
    Ok(heard)
}
