//! How far the tables are that are filled beside everything else.

use rusqlite::Connection;

use crate::store::sqlite::Result;

/// How far the tables are that are filled beside everything else: the last row of `app_users` that is in each; -1
/// for one that has yet to be emptied, nothing for one that is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remaking {
    /// Of `seen`.
    pub(crate) seen: Option<i64>,
    /// Of the index of words.
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

    /// How far a table is.
    pub(crate) fn done(self, name: &str) -> Option<i64> {
        match name {
            "seen" => self.seen,
            "search" => self.search,
            _ => None,
        }
    }

    /// Whether the index of words has the words of a row, or does not lack them any more.
    pub(crate) fn has_words_of(self, rowid: i64) -> bool {
        self.search.is_none_or(|to| rowid <= to)
    }
}

/// The last row of `app_users`: so many have to be looked at.
pub(crate) fn last_user_row(conn: &Connection) -> Result<i64> {
    let sql = "SELECT coalesce(max(rowid), 0) FROM app_users";
    Ok(conn.query_row(sql, [], |row| row.get(0))?)
}
