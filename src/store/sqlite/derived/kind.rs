//! What the derived tables have in common.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, ffi};

use super::schema::is_there;
use crate::store::sqlite::connection::query_one;
use crate::store::{Error, Result};

/// Rows, and the time, between two reports of progress.
pub(super) const REPORT_ROWS: u64 = 1000;
pub(super) const REPORT_INTERVAL: Duration = Duration::from_secs(3);

/// Called with the number of rows read since the last call.
pub(crate) type Tell<'t> = &'t mut dyn FnMut(u64) -> Result<()>;

/// A derived part of the database.
pub struct Derived {
    /// Its name in commands, the log and the metrics.
    pub name: &'static str,
    /// What it is derived from.
    pub of: &'static str,
    /// What depends on it.
    pub serves: &'static str,
    pub(crate) tables: &'static [&'static str],
    /// Compares all of it with its source. Returns the fault, without values of any row. Its tables are there; here and
    /// below.
    pub(super) check: fn(&Connection, Tell<'_>) -> Result<Option<String>>,
    /// Compares a few rows. Takes some milliseconds.
    pub(super) probe: fn(&Connection) -> Result<bool>,
    pub(super) make: Make,
}

impl Derived {
    /// Compares all of it with its source. Returns the fault, without values of any row.
    pub(super) fn find_fault(&self, conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
        match self.missing_table(conn)? {
            Some(name) => Ok(Some(describe_missing(name))),
            None => (self.check)(conn, tell),
        }
    }

    /// Compares a few rows. Returns the fault.
    pub(super) fn probe_fault(&self, conn: &Connection) -> Result<Option<String>> {
        if let Some(name) = self.missing_table(conn)? {
            return Ok(Some(describe_missing(name)));
        }
        Ok((!(self.probe)(conn)?).then(|| "a probe finds it damaged".to_owned()))
    }

    fn missing_table(&self, conn: &Connection) -> Result<Option<&'static str>> {
        for name in self.tables {
            if !is_there(conn, name)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

pub(super) fn describe_missing(table: &str) -> String {
    format!("the table {table} is missing")
}

/// How a derived table is remade.
#[derive(Clone, Copy)]
pub(crate) enum Make {
    /// In one short transaction, which creates missing tables first.
    AtOnce(fn(&Connection) -> Result<()>),
    /// Before any other write, because every write depends on it.
    First(fn(&mut Connection) -> Result<()>),
    /// Emptied in one transaction, then filled in small steps between batches.
    Pieces(Pieces),
}

/// See [`Make::Pieces`].
#[derive(Clone, Copy)]
pub(crate) struct Pieces {
    /// The column of `upkeep` with its progress: the last row of `app_users` that is in it; -1 until it is
    /// emptied; null once it is whole.
    pub(crate) column: &'static str,
    pub(crate) empty: fn(&Connection) -> Result<()>,
    /// Adds the rows of `app_users` after this one. Returns the last added; `None` if there were no more.
    pub(crate) piece: fn(&Connection, i64) -> Result<Option<i64>>,
}

/// Maps an error of a statement on a derived table to [`Error::Derived`], if the table is damaged.
pub(crate) fn derived_error(name: &'static str) -> impl Fn(rusqlite::Error) -> Error {
    move |error| {
        // The statement is correct, so an error that SQLite blames on it is one of the table.
        let is_missing = error.sqlite_error_code() == Some(ErrorCode::Unknown);
        match Error::from(error) {
            error @ Error::Derived { .. } => error,
            Error::Damaged(why) => Error::Derived { name, why },
            Error::Unavailable(why) if is_missing => Error::Derived { name, why },
            error => error,
        }
    }
}

/// Fails if an update of a one-row table has changed no row.
pub(crate) fn require_row(rows: usize) -> Result<()> {
    let lost = || Error::Derived { name: "counters", why: "a required row is missing".to_owned() };
    (rows > 0).then_some(()).ok_or_else(lost)
}

/// Maps a key conflict of a newly assigned number to an error of the counters.
pub(crate) fn number_error(error: rusqlite::Error) -> Error {
    let taken = [ffi::SQLITE_CONSTRAINT_PRIMARYKEY, ffi::SQLITE_CONSTRAINT_ROWID];
    if error.sqlite_extended_error_code().is_some_and(|code| taken.contains(&code)) {
        return Error::Derived { name: "counters", why: "a number was given already".to_owned() };
    }
    Error::from(error)
}

/// A hash over a set of rows, independent of their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) rows: u64,
    hashes: u128,
}

impl Sum {
    pub(crate) fn add(&mut self, row: &impl Hash) {
        let mut hasher = DefaultHasher::new();
        row.hash(&mut hasher);
        self.rows += 1;
        self.hashes = self.hashes.wrapping_add(u128::from(hasher.finish()));
    }

    /// The rows that a query returns, each of texts.
    pub(crate) fn read<const N: usize>(conn: &Connection, sql: &str) -> Result<Self> {
        let mut sum = Self::default();
        let mut select = conn.prepare(sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let mut texts = [""; N];
            for (n, text) in texts.iter_mut().enumerate() {
                *text = row.get_ref(n)?.as_str()?;
            }
            sum.add(&texts);
        }
        Ok(sum)
    }

    /// The difference of `is` from `self`, the expected rows.
    pub(crate) fn differs(&self, is: Self, of: &str) -> Option<String> {
        let (rows, there) = (self.rows, is.rows);
        match *self == is {
            true => None,
            false if rows == there => Some(format!("some of its {rows} {of} do not match the records")),
            false => Some(format!("it has {there} {of} instead of {rows}")),
        }
    }
}

/// Rows that a probe reads from each end, so that a start reads few pages.
const PROBED: i64 = 2;

/// The first and last rows of `app_users`, for probes.
pub(crate) fn probed_rows(conn: &Connection) -> Result<Vec<i64>> {
    let sql = format!(
        "SELECT * FROM (SELECT rowid FROM app_users ORDER BY rowid LIMIT {PROBED})
         UNION SELECT * FROM (SELECT rowid FROM app_users ORDER BY rowid DESC LIMIT {PROBED})"
    );
    let mut select = conn.prepare(&sql)?;
    let rows = select.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The last row of `app_users`: the total of a remake.
pub(crate) fn last_user_row(conn: &Connection) -> Result<i64> {
    Ok(query_one(conn, "SELECT coalesce(max(rowid), 0) FROM app_users", [])?)
}

/// Whether an error means that the table is damaged or missing, not that it is unavailable now.
pub(crate) fn is_of_the_table(error: &Error) -> bool {
    match error {
        Error::Derived { .. } | Error::Damaged(_) | Error::Unreadable { .. } => true,
        Error::Unavailable(text) => ["no such", "fts5", "vtable constructor", "returned no rows"]
            .iter()
            .any(|part| text.contains(part)),
        _ => false,
    }
}

/// Progress of the tables that are filled in steps: the last row of `app_users` in each; -1 for one that is not
/// emptied yet, `None` for one that is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remaking {
    pub(crate) seen: Option<i64>,
    pub(crate) search: Option<i64>,
}

impl Remaking {
    pub(crate) fn read(conn: &Connection) -> Result<Self> {
        let sql = "SELECT sortable, searchable FROM upkeep";
        let mut select = conn.prepare_cached(sql)?;
        Ok(select.query_row([], |row| Ok(Self { seen: row.get(0)?, search: row.get(1)? }))?)
    }

    pub(crate) fn is_pending(self, name: &str) -> bool {
        self.done(name).is_some()
    }

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

pub(crate) fn note_progress(conn: &Connection, pieces: &Pieces, done: Option<i64>) -> Result<()> {
    let sql = format!("UPDATE upkeep SET {} = ?1", pieces.column);
    require_row(conn.execute(&sql, [done])?)
}
