//! The rows that lists read; see [`crate::store::rows::ListRows`].

use rusqlite::{Connection, Row, params};

use super::Result;
use super::derived::derived_error;
use crate::domain::AppId;
use crate::domain::list::Sort;
use crate::format::list_columns::Columns;
use crate::store::rows::{ListOrder, ListRows};
use crate::store::tables::ListRow;

/// The columns that [`read_row`] reads, before the key of the order.
const COLUMNS: &str = "a.rowid, a.id, a.listed, a.last_seen, a.signed_up, a.flags, coalesce(a.words, '')";

impl ListRows for Connection {
    fn count_listed(&self, app: Option<&AppId>) -> Result<u64> {
        let count: i64 = match app {
            Some(app) => {
                let sql = "SELECT count(*) FROM app_users INDEXED BY signed_up WHERE app = ?1 AND listed";
                self.prepare_cached(sql)?.query_row([app.as_str()], |row| row.get(0))?
            }
            None => self.query_row("SELECT count(*) FROM app_users WHERE listed", [], |row| row.get(0))?,
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
        let rows = select.query_map(params![app.as_str(), key, id, limit as i64], read_row);
        Ok(rows?.collect::<rusqlite::Result<_>>()?)
    }

    fn rows_with_words(&self, words: &[String], beginnings: &[String], limit: usize) -> Result<Vec<i64>> {
        let words = words.iter().map(|word| format!("\"{word}\""));
        let all: Vec<String> = words.chain(beginnings.iter().map(|word| format!("\"{word}\" *"))).collect();
        let sql = "SELECT rowid FROM search WHERE search MATCH ?1 LIMIT ?2";
        let mut select = self.prepare_cached(sql).map_err(derived_error("search"))?;
        let rows = select.query_map(params![all.join(" AND "), limit as i64], |row| row.get(0));
        rows.map_err(derived_error("search"))?
            .collect::<rusqlite::Result<_>>()
            .map_err(derived_error("search"))
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
        let mut select = self.prepare_cached(sql).map_err(derived_error(name))?;
        let rows = select.query_map(params![app.as_str(), since, before, limit as i64], |row| row.get(0));
        rows.map_err(derived_error(name))?.collect::<rusqlite::Result<_>>().map_err(derived_error(name))
    }
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<(i64, ListRow)> {
    let columns = Columns {
        listed: row.get(2)?,
        last_seen: row.get(3)?,
        signed_up: row.get(4)?,
        flags: row.get(5)?,
        words: row.get(6)?,
    };
    Ok((row.get(7)?, ListRow { row: row.get(0)?, id: row.get_ref(1)?.as_str()?.into(), columns }))
}

fn walk_sql(order: ListOrder, from_the_start: bool) -> String {
    let (beyond, direction) = if order.descending { ("<", "DESC") } else { (">", "ASC") };
    match order.sort {
        // The app's own record has the least `_id` of all, and is not listed.
        Sort::Id if from_the_start => format!(
            "SELECT {COLUMNS}, 0 FROM app_users a WHERE app = ?1 AND ?2 = ?2 AND ?3 = ?3
             ORDER BY id {direction} LIMIT ?4"
        ),
        Sort::Id => format!(
            "SELECT {COLUMNS}, 0 FROM app_users a WHERE app = ?1 AND ?2 = ?2 AND id {beyond} ?3
             ORDER BY id {direction} LIMIT ?4"
        ),
        Sort::LastSeen => format!(
            "SELECT {COLUMNS}, s.last_seen FROM seen s CROSS JOIN app_users a ON a.rowid = s.user
             WHERE s.app = ?1 AND (s.last_seen, s.id) {beyond} (?2, ?3)
             ORDER BY s.last_seen {direction}, s.id {direction} LIMIT ?4"
        ),
        Sort::SignedUp => format!(
            "SELECT {COLUMNS}, a.signed_up FROM app_users a INDEXED BY signed_up
             WHERE app = ?1 AND listed AND (signed_up, id) {beyond} (?2, ?3)
             ORDER BY signed_up {direction}, id {direction} LIMIT ?4"
        ),
    }
}
