//! The rows of the SQLite store; see [`crate::store::rows`].

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::derived::{DERIVED, Derived, Remaking, last_user_row};
use super::{Result, epoch_marker};
use crate::domain::{AppId, RecordKey, SmoochId};
use crate::store::FeedEpoch;
use crate::store::rows::{
    FeedRange, FeedRows, Identifier, RecordRows, RemakingProgress, StatusRows, StoredRecord,
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

impl FeedRows for Connection {
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

    fn feed_epoch(&self) -> Result<FeedEpoch> {
        epoch_marker::read_epoch(self)
    }
}

impl StatusRows for Connection {
    fn data_version(&self) -> Result<i64> {
        Ok(self.query_row("PRAGMA data_version", [], |row| row.get(0))?)
    }

    fn remaking(&self) -> Result<Vec<RemakingProgress>> {
        let remaking = Remaking::read(self)?;
        let progress = |table: &Derived| {
            let done = remaking.done(table.name)?.max(0).unsigned_abs();
            let total = last_user_row(self).map(i64::unsigned_abs);
            Some(total.map(|total| RemakingProgress { table: table.name, done, total }))
        };
        DERIVED.iter().filter_map(progress).collect()
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
