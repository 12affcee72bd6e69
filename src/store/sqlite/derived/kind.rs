//! What the derived tables have in common.

use std::hash::{DefaultHasher, Hash};

use crate::store::{Error, Result};
use rusqlite::{Connection, ErrorCode, ffi};

/// Told of every few rows that were looked at.
pub(crate) type Tell<'t> = &'t mut dyn FnMut(u64) -> Result<()>;

/// A part of the database that is made of others.
pub struct Derived {
    /// What commands, the log and the metrics call it.
    pub name: &'static str,
    /// What it is made of.
    pub of: &'static str,
    /// What goes by it.
    pub serves: &'static str,
    /// What is wrong with all of it, if anything is. Names no value of any row.
    pub(crate) check: fn(&Connection, Tell<'_>) -> Result<Option<String>>,
    /// Whether a look at a few rows finds nothing wrong. Takes some milliseconds.
    pub(crate) probe: fn(&Connection) -> Result<bool>,
    /// How it is made anew.
    pub(crate) make: Make,
}

/// How something is made anew.
#[derive(Clone, Copy)]
pub(crate) enum Make {
    /// In one transaction, which takes no longer than any other.
    AtOnce(fn(&Connection) -> Result<()>),
    /// Before anything else is written: everything that is stored depends on it.
    First(fn(&mut Connection) -> Result<()>),
    /// Emptied in one transaction, then filled beside everything else, a piece at a time.
    Pieces(Pieces),
}

/// See [`Make::Pieces`].
#[derive(Clone, Copy)]
pub(crate) struct Pieces {
    /// The column of `upkeep` that tells how far it is: the last row of `app_users` that is in it; -1 as long as it
    /// has to be emptied; null once it is whole.
    pub(crate) column: &'static str,
    pub(crate) empty: fn(&Connection) -> Result<()>,
    /// Fills in what follows this row of `app_users`: the last row that is in, or nothing if there were no more.
    pub(crate) piece: fn(&Connection, i64) -> Result<Option<i64>>,
}

/// What is wrong with a derived table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedFault {
    /// The table, as [`Derived::name`] calls it.
    pub name: &'static str,
    /// What is wrong. Names no value of any row.
    pub what: String,
}

/// Makes an error of a statement about one derived table an error of that table, if it is damaged.
pub(crate) fn derived_error(name: &'static str) -> impl Fn(rusqlite::Error) -> Error {
    move |error| {
        // What SQLite calls an error of the statement is one of the table: the statement is right.
        let is_missing = error.sqlite_error_code() == Some(ErrorCode::Unknown);
        match Error::from(error) {
            error @ Error::Derived { .. } => error,
            Error::Damaged(why) => Error::Derived { name, why },
            Error::Unavailable(why) if is_missing => Error::Derived { name, why },
            error => error,
        }
    }
}

/// Fails if a statement that changes the one row of a counter has found none.
pub(crate) fn require_row(rows: usize) -> Result<()> {
    let lost = || Error::Derived { name: "counters", why: "a row is not there that always is".to_owned() };
    (rows > 0).then_some(()).ok_or_else(lost)
}

/// Makes an error of a statement that gives a number one of the counters, if that number was given already.
pub(crate) fn number_error(error: rusqlite::Error) -> Error {
    let taken = [ffi::SQLITE_CONSTRAINT_PRIMARYKEY, ffi::SQLITE_CONSTRAINT_ROWID];
    if error.sqlite_extended_error_code().is_some_and(|code| taken.contains(&code)) {
        return Error::Derived { name: "counters", why: "a number was given already".to_owned() };
    }
    Error::from(error)
}

/// A number over rows in any order: equal for equal sets of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) rows: u64,
    hashes: u128,
}

impl Sum {
    pub(crate) fn add(&mut self, row: &impl Hash) {
        use std::hash::Hasher as _;
        let mut hasher = DefaultHasher::new();
        row.hash(&mut hasher);
        self.rows += 1;
        self.hashes = self.hashes.wrapping_add(u128::from(hasher.finish()));
    }

    /// What is wrong where `self` is what there should be.
    pub(crate) fn differs(&self, is: Self, of: &str) -> Option<String> {
        let (rows, there) = (self.rows, is.rows);
        match *self == is {
            true => None,
            false if rows == there => Some(format!("some of its {rows} {of} are not those of the records")),
            false => Some(format!("it has {there} {of}, and the records have {rows}")),
        }
    }
}

/// Rows that a probe looks at, from each end: a start reads few pages.
const PROBED: i64 = 2;

/// Rows of `app_users` that a probe looks at: some of the first and of the last.
pub(crate) fn probed_rows(conn: &Connection) -> Result<Vec<i64>> {
    let sql = format!(
        "SELECT * FROM (SELECT rowid FROM app_users ORDER BY rowid LIMIT {PROBED})
         UNION SELECT * FROM (SELECT rowid FROM app_users ORDER BY rowid DESC LIMIT {PROBED})"
    );
    let mut select = conn.prepare(&sql)?;
    let rows = select.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whether a question with one answer is answered with yes.
pub(crate) fn query_bool(conn: &Connection, sql: &str) -> Result<bool> {
    Ok(conn.query_row(sql, [], |row| row.get(0))?)
}

/// Whether an error says that a table is damaged or not there, rather than that it cannot be read now.
pub(crate) fn is_of_the_table(error: &Error) -> bool {
    match error {
        Error::Derived { .. } | Error::Damaged(_) | Error::Unreadable { .. } => true,
        Error::Unavailable(text) => ["no such", "fts5", "vtable constructor", "returned no rows"]
            .iter()
            .any(|said| text.contains(said)),
        _ => false,
    }
}

/// Notes how far a table is.
pub(crate) fn note_progress(conn: &Connection, pieces: &Pieces, done: Option<i64>) -> Result<()> {
    let sql = format!("UPDATE upkeep SET {} = ?1", pieces.column);
    require_row(conn.execute(&sql, [done])?)
}
