//! The list of everything in the database that is derived from something else in it. Checks, remakes, starts and
//! migrations go through this list, so damage to a derived table never loses an event (decision 24).

use rusqlite::Connection;

use super::kind::{Derived, Make, Remaking, Tell, describe_missing, is_of_the_table};
use super::{columns, erasures, identifiers, numbers, orders, records, schema, search, sequences};
use crate::store::sqlite::file_errors::DerivedFault;
use crate::store::sqlite::{Error, Result};

/// In the order of checks and remakes: each may depend on those before it.
pub const DERIVED: [Derived; 17] = [
    Derived {
        name: "counters",
        of: "the journal and the feed",
        serves: "the next numbers and times, the epoch of the feed, and the state of maintenance",
        tables: numbers::TABLES,
        check: numbers::check,
        probe: numbers::probe,
        make: Make::AtOnce(numbers::make),
    },
    Derived {
        name: "feed",
        of: "the changes after its last gap; those before it are removed, as by retention",
        serves: "followers; those that have not read beyond a gap start again with the snapshot",
        tables: &[],
        check: sequences::check_feeds,
        probe: sequences::probe_feeds,
        make: Make::AtOnce(sequences::make_feeds),
    },
    Derived {
        name: "answers",
        of: "nothing; remade, it is empty",
        serves: "repeated calls with an Idempotency-Key, for a day",
        tables: &["answers"],
        check: |_, _| Ok(None),
        probe: |_| Ok(true),
        make: Make::AtOnce(|conn| schema::recreate(conn, "answers", &[])),
    },
    Derived {
        name: "sessions",
        of: "nothing; remade, it is empty, and operators sign in again",
        serves: "sessions of the console after a restart",
        tables: &["sessions"],
        check: |_, _| Ok(None),
        probe: |_| Ok(true),
        make: Make::AtOnce(|conn| schema::recreate(conn, "sessions", &[])),
    },
    Derived {
        name: "jobs",
        of: "nothing; remade, it is empty, and a running job ends",
        serves: "the long tasks of operators",
        tables: &["jobs", "job_failures"],
        check: |_, _| Ok(None),
        probe: |_| Ok(true),
        make: Make::AtOnce(|conn| {
            schema::recreate(conn, "jobs", &[])?;
            schema::recreate(conn, "job_failures", &[])
        }),
    },
    Derived {
        name: "segments",
        of: "nothing; remade, it is empty, and only a backup has the segments",
        serves: "the named lists of operators",
        tables: &["segments"],
        check: |_, _| Ok(None),
        probe: |_| Ok(true),
        make: Make::AtOnce(|conn| schema::recreate(conn, "segments", &[])),
    },
    Derived {
        name: "tallies",
        of: "nothing; remade, it is empty, and counting begins again",
        serves: "counts over time",
        tables: &["tallies"],
        check: |_, _| Ok(None),
        probe: |_| Ok(true),
        make: Make::AtOnce(|conn| schema::recreate(conn, "tallies", &[])),
    },
    Derived {
        name: "records",
        of: "the journal",
        serves: "everything",
        tables: &["app_users"],
        check: records::check,
        probe: records::probe,
        make: Make::First(records::make),
    },
    Derived {
        name: "columns",
        of: "the records",
        serves: "lists, filters and searches",
        tables: &[],
        check: columns::check,
        // `rollcall rebuild` finds single wrong rows.
        probe: |_| Ok(true),
        make: Make::First(columns::make),
    },
    Derived {
        name: "identifiers",
        of: "the records",
        serves: "look-ups by userId and by client",
        tables: &["identifiers"],
        check: identifiers::check,
        probe: identifiers::probe,
        make: Make::First(identifiers::make),
    },
    Derived {
        name: "tombstones",
        of: "the records",
        serves: "recognising later data about erased app users",
        tables: &["erasures"],
        check: erasures::check_tombstones,
        probe: erasures::probe_tombstones,
        make: Make::AtOnce(erasures::make_tombstones),
    },
    Derived {
        name: "receipts",
        of: "the tombstones; remade, all stored data is searched for them once more",
        serves: "the receipts and the progress of erasures",
        tables: &["receipts"],
        check: |conn, _| erasures::lost_receipts(conn),
        probe: |conn| Ok(erasures::lost_receipts(conn)?.is_none()),
        make: Make::AtOnce(erasures::remake_receipts),
    },
    Derived {
        name: "gaps",
        of: "the numbers of the journal; remade, every number without an entry counts as removed",
        serves: "telling entries that retention and erasures removed from lost ones",
        tables: &["gaps"],
        check: sequences::check_gaps,
        probe: sequences::has_gaps,
        make: Make::AtOnce(sequences::make_gaps),
    },
    Derived {
        name: "indexes",
        of: "the rows of their tables",
        serves: "lists by signedUpAt, counts and erasures",
        tables: &[],
        check: orders::check_indexes,
        probe: orders::has_indexes,
        make: Make::AtOnce(orders::make_indexes),
    },
    Derived {
        name: "moves",
        of: "the rows that moved since",
        serves: "cursors of lists by lastSeen and signedUpAt; remade, existing cursors expire",
        tables: &["moves"],
        check: orders::check_moves,
        probe: orders::probe_moves,
        make: Make::AtOnce(orders::make_moves),
    },
    Derived {
        name: "seen",
        of: "the columns",
        serves: "lists by lastSeen",
        tables: &["seen"],
        check: orders::check_seen,
        probe: orders::probe_seen,
        make: Make::Pieces(orders::SEEN),
    },
    Derived {
        name: "search",
        of: "the columns",
        serves: "searches",
        tables: &["search"],
        check: search::check,
        probe: search::probe,
        make: Make::Pieces(search::SEARCH),
    },
];

/// The tables that are derived from nothing: only a backup restores them. A new table of the schema belongs here or into
/// [`DERIVED`].
const SOURCES: [&str; 6] = ["journal", "bodies", "changes", "quarantine", "base", "audit"];

fn source_missing(table: &str) -> Error {
    Error::Damaged(format!("{}, which is part of the source and cannot be rebuilt", describe_missing(table)))
}

/// The error for a lost table; `None` for one that is not rollcall's. Those of the search index have its name as a prefix.
fn loss_error(table: &str) -> Option<Error> {
    if SOURCES.contains(&table) {
        return Some(source_missing(table));
    }
    let is_of = |derived: &&Derived| derived.tables.contains(&table);
    let derived = DERIVED.iter().find(is_of).map(|derived| derived.name);
    let name = derived.or_else(|| table.starts_with("search_").then_some("search"))?;
    Some(Error::Derived { name, why: describe_missing(table) })
}

/// The error for SQLite's message that one of rollcall's tables is missing.
pub(crate) fn missing_table_error(message: &str) -> Option<Error> {
    let (_, rest) = message.split_once("no such table: ")?;
    let word = rest.split_whitespace().next()?;
    loss_error(word.strip_prefix("main.").unwrap_or(word))
}

/// Fails if a table is missing that is derived from nothing.
///
/// # Errors
/// [`Error::Damaged`] names the table.
pub(crate) fn check_source_tables(conn: &Connection) -> Result<()> {
    for table in SOURCES {
        if !schema::is_there(conn, table)? {
            return Err(source_missing(table));
        }
    }
    Ok(())
}

pub(crate) fn position_of(name: &str) -> Option<usize> {
    DERIVED.iter().position(|derived| derived.name == name)
}

/// Compares every derived table with its source. `conn` must be in a transaction.
///
/// # Errors
/// The check was stopped, or a source is missing or cannot be read.
pub(crate) fn find_faults(conn: &Connection, tell: Tell<'_>) -> Result<Vec<DerivedFault>> {
    check_source_tables(conn)?;
    let remaking = Remaking::read(conn).unwrap_or_default();
    let mut faults = Vec::new();
    for derived in &DERIVED {
        // A table that is being remade is incomplete, and will be whole.
        if remaking.is_pending(derived.name) {
            continue;
        }
        let what = match derived.find_fault(conn, tell) {
            Ok(found) => found,
            // Another derived table is damaged, and is reported itself.
            Err(Error::Derived { name, .. }) if name != derived.name && position_of(name).is_some() => None,
            Err(Error::Derived { why, .. }) => Some(why),
            Err(error) if is_of_the_table(&error) => Some(error.to_string()),
            Err(error) => return Err(error),
        };
        faults.extend(what.map(|what| DerivedFault { name: derived.name, what }));
    }
    Ok(faults)
}

/// Whether a line of SQLite's integrity check is about a derived table, not about a page.
pub(crate) fn is_about_derived(line: &str) -> bool {
    let of_index =
        ["missing from index", "entries in index", "entry in index"].iter().any(|part| line.contains(part));
    line.contains("FTS5")
        || line.contains("fts5:")
        || of_index && orders::INDEXES.iter().any(|name| line.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_table_is_named_for_every_statement() {
        let conn = Connection::open_in_memory().unwrap();
        let message = |sql: &str| Error::from(conn.prepare(sql).unwrap_err());
        for sql in
            ["SELECT * FROM feeds", "INSERT INTO feeds VALUES (1)", "DELETE FROM main.feeds WHERE app = 1"]
        {
            assert!(matches!(message(sql), Error::Derived { name: "counters", .. }), "{sql}");
        }
        assert!(matches!(message("SELECT 1 FROM search_data"), Error::Derived { name: "search", .. }));
        let Error::Damaged(what) = message("SELECT 1 FROM journal") else { panic!() };
        assert_eq!(what, "the table journal is missing, which is part of the source and cannot be rebuilt");
        assert!(matches!(message("SELECT 1 FROM strangers"), Error::Unavailable(_)));
    }
}
