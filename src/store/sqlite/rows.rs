//! The rows of the SQLite store; see [`crate::store::rows`].

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::derived::{DERIVED, Derived, Remaking, last_user_row};
use super::{Error, Result, epoch_marker};
use crate::domain::{AppId, Change, ChangeKind, RecordKey, SmoochId};
use crate::store::FeedEpoch;
use crate::store::rows::{
    FeedRange, FeedRows, Identifier, RecordRows, RemakingProgress, StatusRows, StoredChange, StoredRecord,
    UserRows,
};

impl RecordRows for Connection {
    fn records(&self, keys: &[RecordKey]) -> Result<Vec<Option<StoredRecord>>> {
        by_key(self, "SELECT rowid, record FROM app_users WHERE app = ?1 AND id = ?2", keys)
    }

    fn find(&self, app: &AppId, id: &SmoochId, user_id: &str) -> Result<Vec<(SmoochId, Vec<u8>)>> {
        // No join: SQLite would prepare that anew each time (decision 22).
        let sql = "SELECT id, record FROM app_users WHERE app = ?1 AND id = ?2
                   UNION ALL
                   SELECT id, (SELECT record FROM app_users AS a WHERE a.app = i.app AND a.id = i.id)
                       FROM identifiers AS i WHERE app = ?1 AND kind = 'userId' AND value = ?3";
        let mut select = self.prepare_cached(sql)?;
        let mut rows = select.query(params![app.as_str(), id.as_str(), user_id])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let found_id = SmoochId::from(row.get_ref(0)?.as_str()?);
            let bytes = row.get_ref(1)?.as_blob()?.to_vec();
            let is_by_id = found_id == *id;
            found.push((found_id, bytes));
            if is_by_id {
                break;
            }
        }
        Ok(found)
    }

    fn holders(&self, identifiers: &[Identifier<'_>]) -> Result<Vec<Vec<SmoochId>>> {
        let sql = "SELECT id FROM identifiers WHERE app = ?1 AND kind = ?2 AND value = ?3";
        let mut select = self.prepare_cached(sql)?;
        let holders = identifiers.iter().map(|(app, kind, value)| {
            let ids = select.query_map(params![app.as_str(), kind.as_str(), value], |row| id(row, 0));
            Ok(ids?.collect::<rusqlite::Result<_>>()?)
        });
        holders.collect()
    }
}

impl UserRows for Connection {
    fn record_in_row(&self, row: i64) -> Result<Option<Vec<u8>>> {
        let mut select = self.prepare("SELECT record FROM app_users WHERE rowid = ?1")?;
        Ok(select.query_row([row], |row| Ok(row.get_ref(0)?.as_blob()?.to_vec())).optional()?)
    }

    fn ids_after(&self, app: &AppId, after: &str, limit: usize) -> Result<Vec<(SmoochId, bool)>> {
        let sql = "SELECT id, listed FROM app_users WHERE app = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
        let mut select = self.prepare_cached(sql)?;
        let rows = params![app.as_str(), after, limit as i64];
        let rows = select.query_map(rows, |row| Ok((id(row, 0)?, row.get(1)?)));
        Ok(rows?.collect::<rusqlite::Result<_>>()?)
    }

    fn listed_ids_after(&self, app: &AppId, after: &str, limit: usize) -> Result<Vec<SmoochId>> {
        let sql = "SELECT id FROM app_users WHERE app = ?1 AND id > ?2 AND listed ORDER BY id LIMIT ?3";
        let mut select = self.prepare_cached(sql)?;
        let ids = select.query_map(params![app.as_str(), after, limit as i64], |row| id(row, 0));
        Ok(ids?.collect::<rusqlite::Result<_>>()?)
    }

    fn apps(&self) -> Result<Vec<AppId>> {
        let sql = "SELECT app FROM app_users WHERE app > ?1 ORDER BY app LIMIT 1";
        let mut select = self.prepare_cached(sql)?;
        let mut apps: Vec<AppId> = Vec::new();
        loop {
            let after = apps.last().map_or("", AppId::as_str);
            let next = select.query_row([after], |row| Ok(AppId::from(row.get_ref(0)?.as_str()?)));
            match next.optional()? {
                Some(app) => apps.push(app),
                None => return Ok(apps),
            }
        }
    }

    fn count_listed(&self) -> Result<u64> {
        count(self, "SELECT count(*) FROM app_users WHERE listed")
    }
}

impl FeedRows for Connection {
    fn changes_after(&self, app: &AppId, after: u64, limit: usize) -> Result<Vec<StoredChange>> {
        let sql = "SELECT seq, time, kind, user, surviving, fields
                       FROM changes WHERE app = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
        let mut select = self.prepare_cached(sql)?;
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let rows = select.query_map(params![app.as_str(), after, limit as i64], |row| Ok(change(row)));
        rows?.map(|change| change?).collect()
    }

    fn feed_ranges(&self, apps: &[AppId]) -> Result<Vec<FeedRange>> {
        // The row that counts them may be lost.
        let sql = "SELECT (SELECT seq FROM changes WHERE app = ?1 ORDER BY seq LIMIT 1),
                          max(coalesce((SELECT seq FROM feeds WHERE app = ?1), 0),
                              coalesce((SELECT max(seq) FROM changes WHERE app = ?1), 0))";
        let mut select = self.prepare_cached(sql)?;
        let ranges = apps.iter().map(|app| {
            let range = select.query_row([app.as_str()], |row| {
                let (oldest, last): (Option<i64>, i64) = (row.get(0)?, row.get(1)?);
                Ok(FeedRange { oldest: oldest.unwrap_or(last + 1) as u64, last: last as u64 })
            });
            Ok(range?)
        });
        ranges.collect()
    }

    fn last_change_times(&self, apps: &[AppId]) -> Result<Vec<Option<i64>>> {
        let sql = "SELECT time FROM changes WHERE app = ?1 ORDER BY seq DESC LIMIT 1";
        let mut select = self.prepare_cached(sql)?;
        apps.iter().map(|app| Ok(select.query_row([app.as_str()], |row| row.get(0)).optional()?)).collect()
    }

    fn feed_epoch(&self) -> Result<FeedEpoch> {
        epoch_marker::read_epoch(self)
    }
}

impl StatusRows for Connection {
    fn rules_version(&self) -> Result<i64> {
        Ok(self.query_row("SELECT rules FROM upkeep", [], |row| row.get(0))?)
    }

    fn data_version(&self) -> Result<i64> {
        Ok(self.query_row("PRAGMA data_version", [], |row| row.get(0))?)
    }

    fn remaking(&self) -> Result<Vec<RemakingProgress>> {
        let (remaking, total) = (Remaking::read(self)?, last_user_row(self)?.unsigned_abs());
        let progress = |table: &Derived| {
            let done = remaking.done(table.name)?.max(0).unsigned_abs();
            Some(RemakingProgress { table: table.name, done, total })
        };
        Ok(DERIVED.iter().filter_map(progress).collect())
    }
}

fn by_key(conn: &Connection, sql: &str, keys: &[RecordKey]) -> Result<Vec<Option<StoredRecord>>> {
    let mut select = conn.prepare_cached(sql)?;
    let records = keys.iter().map(|(app, id)| {
        let record = select.query_row(params![app.as_str(), id.as_str()], |row| {
            Ok(StoredRecord { row: row.get(0)?, bytes: row.get_ref(1)?.as_blob()?.to_vec() })
        });
        Ok(record.optional()?)
    });
    records.collect()
}

fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<SmoochId> {
    Ok(SmoochId::from(row.get_ref(column)?.as_str()?))
}

fn count(conn: &Connection, sql: &str) -> Result<u64> {
    Ok(conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|count| count as u64)?)
}

fn change(row: &Row<'_>) -> Result<StoredChange> {
    let damaged = |what: String| Error::Damaged(format!("changes: {what}"));
    let user = id(row, 3)?;
    let surviving: Option<String> = row.get(4)?;
    let (kind, fields): (String, String) = (row.get(2)?, row.get(5)?);
    let (seq, time) = (row.get::<_, i64>(0)? as u64, row.get(1)?);
    let surviving = surviving.map(|surviving| surviving.as_str().into());
    let kind = ChangeKind::from_parts(&kind, surviving).ok_or_else(|| damaged(format!("kind {kind}")))?;
    let fields = serde_json::from_str(&fields).map_err(|error| damaged(error.to_string()))?;
    Ok(StoredChange { seq, time, change: Change { user, kind, fields } })
}
