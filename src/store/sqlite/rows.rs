//! The rows of the SQLite store that are of no one table; see [`crate::store::rows`].

use rusqlite::{Connection, Params, params};

use super::connection::query_one;
use super::derived::{DERIVED, Derived, Remaking, derived_error, last_user_row};
use super::table_rows::cells;
use super::{Result, epoch_marker};
use crate::domain::list::Sort;
use crate::domain::{AppId, RecordKey, SmoochId};
use crate::store::rows::{Identifier, ListOrder, RecordRows, RemakingProgress, Rows, StoredRecord};
use crate::store::tables::ListRow;
use crate::store::{FeedEpoch, ReadRow as _};

impl RecordRows for Connection {
    fn records(&self, keys: &[RecordKey]) -> Result<Vec<Option<StoredRecord>>> {
        StoredRecord::get(self, keys)
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
            let ids = select.query_map(params![app.as_str(), kind.as_str(), value], |row| {
                Ok(SmoochId::from(row.get_ref(0)?.as_str()?))
            });
            Ok(ids?.collect::<rusqlite::Result<_>>()?)
        });
        holders.collect()
    }
}

impl Rows for Connection {
    fn count_listed(&self, app: Option<&AppId>) -> Result<u64> {
        let count: i64 = match app {
            Some(app) => {
                let sql = "SELECT count(*) FROM app_users INDEXED BY signed_up WHERE app = ?1 AND listed";
                query_one(self, sql, [app.as_str()])?
            }
            None => query_one(self, "SELECT count(*) FROM app_users WHERE listed", [])?,
        };
        Ok(count as u64)
    }

    fn walk_order(
        &self,
        app: &AppId,
        order: ListOrder,
        behind: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<(i64, ListRow)>> {
        let name = if order.sort == Sort::LastSeen { "seen" } else { "indexes" };
        let mut select =
            self.prepare_cached(&walk_sql(order, behind.is_none())).map_err(derived_error(name))?;
        let (key, id) = behind.unwrap_or_default();
        let mut rows = select.query(params![app.as_str(), key, id, limit as i64])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let key = row.get(ListRow::PROJECTION.columns.len())?;
            found.push((key, ListRow::read(&cells(row, ListRow::PROJECTION)?)?));
        }
        Ok(found)
    }

    fn rows_with_words(&self, words: &[String], beginnings: &[String], limit: usize) -> Result<Vec<i64>> {
        let words = words.iter().map(|word| format!("\"{word}\""));
        let all: Vec<String> = words.chain(beginnings.iter().map(|word| format!("\"{word}\" *"))).collect();
        let sql = "SELECT rowid FROM search WHERE search MATCH ?1 LIMIT ?2";
        query_numbers(self, sql, params![all.join(" AND "), limit as i64]).map_err(derived_error("search"))
    }

    fn rows_in_range(
        &self,
        app: &AppId,
        sort: Sort,
        since: i64,
        before: i64,
        limit: usize,
    ) -> Result<Vec<i64>> {
        let (name, sql) = match sort {
            Sort::LastSeen => (
                "seen",
                "SELECT user FROM seen WHERE app = ?1 AND last_seen >= ?2 AND last_seen < ?3 LIMIT ?4",
            ),
            _ => (
                "indexes",
                "SELECT rowid FROM app_users INDEXED BY signed_up
                 WHERE app = ?1 AND signed_up >= ?2 AND signed_up < ?3 AND listed LIMIT ?4",
            ),
        };
        let range = params![app.as_str(), since, before, limit as i64];
        query_numbers(self, sql, range).map_err(derived_error(name))
    }

    fn feed_epoch(&self) -> Result<FeedEpoch> {
        epoch_marker::read_epoch(self)
    }

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

fn query_numbers(conn: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<Vec<i64>> {
    conn.prepare_cached(sql)?.query_map(params, |row| row.get(0))?.collect()
}

/// The key of the order comes behind the columns of [`ListRow`].
fn walk_sql(ListOrder { sort, descending }: ListOrder, is_from_the_start: bool) -> String {
    let (beyond, direction) = if descending { ("<", "DESC") } else { (">", "ASC") };
    let columns = ListRow::PROJECTION.columns.join(", a.");
    match sort {
        // The app's own record has the least `_id` of all, and is not listed.
        Sort::Id => {
            let behind = if is_from_the_start { "?3 = ?3".to_owned() } else { format!("id {beyond} ?3") };
            format!(
                "SELECT a.{columns}, 0 FROM app_users a WHERE app = ?1 AND ?2 = ?2 AND {behind}
                 ORDER BY id {direction} LIMIT ?4"
            )
        }
        Sort::LastSeen => format!(
            "SELECT a.{columns}, s.last_seen FROM seen s CROSS JOIN app_users a ON a.rowid = s.user
             WHERE s.app = ?1 AND (s.last_seen, s.id) {beyond} (?2, ?3)
             ORDER BY s.last_seen {direction}, s.id {direction} LIMIT ?4"
        ),
        Sort::SignedUp => format!(
            "SELECT a.{columns}, a.signed_up FROM app_users a INDEXED BY signed_up
             WHERE app = ?1 AND listed AND (signed_up, id) {beyond} (?2, ?3)
             ORDER BY signed_up {direction}, id {direction} LIMIT ?4"
        ),
    }
}
