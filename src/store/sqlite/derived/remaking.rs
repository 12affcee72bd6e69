//! Progress of the tables that are filled in steps.

use rusqlite::Connection;

use crate::store::sqlite::Result;

/// Progress of the tables that are filled in steps: the last row of `app_users` in each; -1 for one that is not
/// emptied yet, `None` for one that is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remaking {
    /// Of `seen`.
    pub(crate) seen: Option<i64>,
    /// Of the search index.
    pub(crate) search: Option<i64>,
}

impl Remaking {
    pub(crate) fn read(conn: &Connection) -> Result<Self> {
        let sql = "SELECT sortable, searchable FROM upkeep";
        let mut select = conn.prepare_cached(sql)?;
        Ok(select.query_row([], |row| Ok(Self { seen: row.get(0)?, search: row.get(1)? }))?)
    }

    /// Whether a table is not whole yet.
    pub(crate) fn is_pending(self, name: &str) -> bool {
        self.done(name).is_some()
    }

    /// The progress of a table.
    pub(crate) fn done(self, name: &str) -> Option<i64> {
        match name {
            "seen" => self.seen,
            "search" => self.search,
            _ => None,
        }
    }

    /// Whether the search index already has the words of a row, or is whole.
    pub(crate) fn has_words_of(self, rowid: i64) -> bool {
        self.search.is_none_or(|to| rowid <= to)
    }
}

/// The last row of `app_users`: the total of a remake.
pub(crate) fn last_user_row(conn: &Connection) -> Result<i64> {
    let sql = "SELECT coalesce(max(rowid), 0) FROM app_users";
    Ok(conn.query_row(sql, [], |row| row.get(0))?)
}
