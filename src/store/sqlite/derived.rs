//! Everything in the database that is made of something else in it: the one list of it. Whoever checks a database,
//! makes such a table anew, starts with one or changes its schema goes through this list, so what is damaged here is
//! never a reason to lose an event: it can be made again (decision 24).

mod columns;
mod doubts;
mod feed;
mod identifiers;
mod numbers;
mod orders;
mod records;
mod schema;
mod search;
mod start;
mod tombstones;
mod unneeded;

use std::hash::{DefaultHasher, Hash};

use rusqlite::{Connection, ErrorCode, ffi};

use super::{Error, Result, forget, trouble};
pub use doubts::Doubts;
pub(super) use doubts::{Remaking, Told, last_row, pending, step};
pub(super) use numbers::Known;
pub(super) use start::{at_start, check_truth, counters_at_start, look};

/// Told of every few rows that were looked at.
pub(super) type Tell<'t> = &'t mut dyn FnMut(u64) -> Result<()>;

/// A part of the database that is made of others.
pub struct Derived {
    /// What commands, the log and the metrics call it.
    pub name: &'static str,
    /// What it is made of.
    pub of: &'static str,
    /// What goes by it.
    pub serves: &'static str,
    /// What is wrong with all of it, if anything is. Names no value of any row.
    check: fn(&Connection, Tell<'_>) -> Result<Option<String>>,
    /// Whether a look at a few rows finds nothing wrong. Takes some milliseconds.
    probe: fn(&Connection) -> Result<bool>,
    /// How it is made anew.
    make: Make,
}

/// How something is made anew.
#[derive(Clone, Copy)]
enum Make {
    /// In one transaction, which takes no longer than any other.
    AtOnce(fn(&Connection) -> Result<()>),
    /// Before anything else is written: everything that is stored depends on it.
    First(fn(&mut Connection) -> Result<()>),
    /// Emptied in one transaction, then filled beside everything else, a piece at a time.
    Pieces(Pieces),
}

/// See [`Make::Pieces`].
#[derive(Clone, Copy)]
pub(super) struct Pieces {
    /// The column of `upkeep` that tells how far it is: the last row of `app_users` that is in it; -1 as long as it
    /// has to be emptied; null once it is whole.
    column: &'static str,
    empty: fn(&Connection) -> Result<()>,
    /// Fills in what follows this row of `app_users`: the last row that is in, or nothing if there were no more.
    piece: fn(&Connection, i64) -> Result<Option<i64>>,
}

/// All of it, in the order in which it is checked and made: each may need those before it.
pub const DERIVED: [Derived; 13] = [
    Derived {
        name: "counters",
        of: "the journal and the feed",
        serves: "the numbers and times that are given next, the epoch of the feed, and how far upkeep is",
        check: numbers::check,
        probe: numbers::probe,
        make: Make::AtOnce(numbers::make),
    },
    Derived {
        name: "feed",
        of: "the changes that follow its last gap: those before it go, as by retention",
        serves: "followers: one that has not read beyond a gap is sent to the snapshot",
        check: feed::check,
        probe: feed::probe,
        make: Make::AtOnce(feed::make),
    },
    Derived {
        name: "answers",
        of: "nothing: made anew it is empty",
        serves: "calls that are made again with their Idempotency-Key, for a day",
        check: |conn, _| {
            Ok((!schema::is_there(conn, "answers")?).then(|| "the table is not there".to_owned()))
        },
        probe: |conn| schema::is_there(conn, "answers"),
        make: Make::AtOnce(|conn| schema::recreate(conn, "TABLE", "answers", &[])),
    },
    Derived {
        name: "records",
        of: "the journal",
        serves: "everything",
        check: records::check,
        probe: records::probe,
        make: Make::First(records::make),
    },
    Derived {
        name: "columns",
        of: "the records",
        serves: "lists, filters and searches",
        check: columns::check,
        // Of a few rows that are wrong the journal tells more: `rollcall rebuild` compares them one by one.
        probe: |_| Ok(true),
        make: Make::First(columns::make),
    },
    Derived {
        name: "identifiers",
        of: "the records",
        serves: "look-ups by userId, and who holds which client",
        check: identifiers::check,
        probe: identifiers::probe,
        make: Make::First(identifiers::make),
    },
    Derived {
        name: "tombstones",
        of: "the records",
        serves: "keeping whoever is erased out of what comes later",
        check: tombstones::check,
        probe: tombstones::probe,
        make: Make::AtOnce(tombstones::make),
    },
    Derived {
        name: "receipts",
        of: "the tombstones: made anew, all that is kept is searched once more for them",
        serves: "what an erasure says of itself, and goes on with",
        check: |conn, _| forget::lost_receipts(conn),
        probe: |conn| Ok(forget::lost_receipts(conn)?.is_none()),
        make: Make::AtOnce(|conn| {
            if !schema::is_there(conn, "receipts")? {
                schema::recreate(conn, "TABLE", "receipts", &[])?;
                orders::make_indexes(conn)?;
            }
            forget::remake_receipts(conn)
        }),
    },
    Derived {
        name: "gaps",
        of: "the numbers of the journal: made anew, every one without an entry is one that needs none",
        serves: "telling what retention and erasures took out of the journal from what it has lost",
        check: unneeded::check,
        probe: unneeded::probe,
        make: Make::AtOnce(unneeded::make),
    },
    Derived {
        name: "indexes",
        of: "the rows of their tables",
        serves: "lists by signedUpAt, counts and erasures",
        check: orders::check_indexes,
        probe: orders::has_indexes,
        make: Make::AtOnce(orders::make_indexes),
    },
    Derived {
        name: "moves",
        of: "the rows that took another place since",
        serves: "cursors of lists by lastSeen and signedUpAt; made anew, those that were given before expire",
        check: orders::check_moves,
        probe: orders::probe_moves,
        make: Make::AtOnce(orders::make_moves),
    },
    Derived {
        name: "seen",
        of: "the columns",
        serves: "lists by lastSeen",
        check: orders::check_seen,
        probe: orders::probe_seen,
        make: Make::Pieces(orders::SEEN),
    },
    Derived {
        name: "search",
        of: "the columns",
        serves: "searches",
        check: search::check,
        probe: search::probe,
        make: Make::Pieces(search::SEARCH),
    },
];

/// What is wrong with a derived table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The table, as [`Derived::name`] calls it.
    pub name: &'static str,
    /// What is wrong. Names no value of any row.
    pub what: String,
}

/// The place of a derived table in the list.
pub(super) fn place(name: &str) -> Option<usize> {
    DERIVED.iter().position(|derived| derived.name == name)
}

/// Checks every derived table against what it is made of. `conn` must be in a transaction: all is of one moment.
///
/// # Errors
/// The check was ended, or what they are made of cannot be read.
pub(super) fn faults(conn: &Connection, tell: Tell<'_>) -> Result<Vec<Fault>> {
    let remaking = Remaking::read(conn).unwrap_or_default();
    let mut faults = Vec::new();
    for derived in &DERIVED {
        // What is being made anew is known to be incomplete, and will be whole.
        if remaking.is_pending(derived.name) {
            continue;
        }
        let what = match (derived.check)(conn, tell) {
            Ok(found) => found,
            // What it is read with is damaged, and is told of under its own name.
            Err(Error::Derived { name, .. }) if name != derived.name && place(name).is_some() => None,
            Err(Error::Derived { why, .. }) => Some(why),
            Err(error) if is_of_the_table(&error) => Some(error.to_string()),
            Err(error) => return Err(error),
        };
        faults.extend(what.map(|what| Fault { name: derived.name, what }));
    }
    Ok(faults)
}

/// Whether an error says that a table is damaged or not there, rather than that it cannot be read now.
fn is_of_the_table(error: &Error) -> bool {
    match error {
        Error::Derived { .. } | Error::Damaged(_) | Error::Unreadable { .. } => true,
        Error::Unavailable(text) => ["no such", "fts5", "vtable constructor", "returned no rows"]
            .iter()
            .any(|said| text.contains(said)),
        _ => false,
    }
}

/// Whether a line of SQLite's integrity check is about a table that can be made anew, and not about a page.
pub(super) fn is_about_one(line: &str) -> bool {
    let of_index =
        ["missing from index", "entries in index", "entry in index"].iter().any(|said| line.contains(said));
    line.contains("FTS5")
        || line.contains("fts5:")
        || of_index && orders::INDEXES.iter().any(|name| line.contains(name))
}

/// Makes an error of a statement about one derived table an error of that table, if it is damaged.
pub(super) fn of(name: &'static str) -> impl Fn(rusqlite::Error) -> Error {
    move |error| {
        // What SQLite calls an error of the statement is one of the table: the statement is right.
        let is_missing = error.sqlite_error_code() == Some(ErrorCode::Unknown);
        match trouble(error) {
            error @ Error::Derived { .. } => error,
            Error::Damaged(why) => Error::Derived { name, why },
            Error::Unavailable(why) if is_missing => Error::Derived { name, why },
            error => error,
        }
    }
}

/// Begins to make a table anew: at once, or so that [`step`] goes on with it.
///
/// # Errors
/// The database cannot be written, or there is no such table.
pub(super) fn make_anew(conn: &mut Connection, name: &str) -> Result<()> {
    let derived = place(name).map(|place| &DERIVED[place]);
    let derived = derived.ok_or_else(|| Error::Unavailable(format!("{name} is no derived table")))?;
    match derived.make {
        Make::First(make) => make(conn),
        Make::AtOnce(make) => {
            let txn = conn.transaction().map_err(trouble)?;
            make(&txn)?;
            txn.commit().map_err(trouble)
        }
        Make::Pieces(pieces) => {
            let txn = conn.transaction().map_err(trouble)?;
            (pieces.empty)(&txn)?;
            note(&txn, &pieces, Some(0))?;
            txn.commit().map_err(trouble)?;
            tracing::warn!(table = name, "{name} is being made anew; webhooks are stored meanwhile");
            Ok(())
        }
    }
}

/// Notes how far a table is.
fn note(conn: &Connection, pieces: &Pieces, done: Option<i64>) -> Result<()> {
    let sql = format!("UPDATE upkeep SET {} = ?1", pieces.column);
    written(conn.execute(&sql, [done]).map_err(trouble)?)
}

/// Fails if a statement that changes the one row of a counter has found none.
pub(super) fn written(rows: usize) -> Result<()> {
    let lost = || Error::Derived { name: "counters", why: "a row is not there that always is".to_owned() };
    (rows > 0).then_some(()).ok_or_else(lost)
}

/// Makes an error of a statement that gives a number one of the counters, if that number was given already.
pub(super) fn numbered(error: rusqlite::Error) -> Error {
    let taken = [ffi::SQLITE_CONSTRAINT_PRIMARYKEY, ffi::SQLITE_CONSTRAINT_ROWID];
    if error.sqlite_extended_error_code().is_some_and(|code| taken.contains(&code)) {
        return Error::Derived { name: "counters", why: "a number was given already".to_owned() };
    }
    trouble(error)
}

/// A number over rows in any order: equal for equal sets of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    rows: u64,
    hashes: u128,
}

impl Sum {
    fn add(&mut self, row: &impl Hash) {
        use std::hash::Hasher as _;
        let mut hasher = DefaultHasher::new();
        row.hash(&mut hasher);
        self.rows += 1;
        self.hashes = self.hashes.wrapping_add(u128::from(hasher.finish()));
    }

    /// What is wrong where `self` is what there should be.
    fn differs(&self, is: Self, of: &str) -> Option<String> {
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
fn probed(conn: &Connection) -> Result<Vec<i64>> {
    let sql = format!(
        "SELECT * FROM (SELECT rowid FROM app_users ORDER BY rowid LIMIT {PROBED})
         UNION SELECT * FROM (SELECT rowid FROM app_users ORDER BY rowid DESC LIMIT {PROBED})"
    );
    let mut select = conn.prepare(&sql).map_err(trouble)?;
    let rows = select.query_map([], |row| row.get(0)).map_err(trouble)?;
    rows.collect::<rusqlite::Result<_>>().map_err(trouble)
}

/// Whether a question with one answer is answered with yes.
fn holds(conn: &Connection, sql: &str) -> Result<bool> {
    conn.query_row(sql, [], |row| row.get(0)).map_err(trouble)
}
