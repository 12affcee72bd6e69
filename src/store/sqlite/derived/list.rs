//! The list of everything in the database that is derived from something else in it. Checks, remakes, starts and
//! migrations go through this list, so damage to a derived table never loses an event (decision 24).

use rusqlite::Connection;

use super::kind::{Derived, DerivedFault, Make, Tell, is_of_the_table};
use super::remaking::Remaking;
use super::{
    columns, feed, identifiers, numbers, orders, receipts, records, schema, search, tombstones, unneeded,
};
use crate::store::sqlite::{Error, Result};

/// In the order of checks and remakes: each may depend on those before it.
pub const DERIVED: [Derived; 13] = [
    Derived {
        name: "counters",
        of: "the journal and the feed",
        serves: "the next numbers and times, the epoch of the feed, and the state of maintenance",
        check: numbers::check,
        probe: numbers::probe,
        make: Make::AtOnce(numbers::make),
    },
    Derived {
        name: "feed",
        of: "the changes after its last gap; those before it are removed, as by retention",
        serves: "followers; those that have not read beyond a gap start again with the snapshot",
        check: feed::check,
        probe: feed::probe,
        make: Make::AtOnce(feed::make),
    },
    Derived {
        name: "answers",
        of: "nothing; remade, it is empty",
        serves: "repeated calls with an Idempotency-Key, for a day",
        check: |conn, _| Ok((!schema::is_there(conn, "answers")?).then(|| "the table is missing".to_owned())),
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
        // `rollcall rebuild` finds single wrong rows.
        probe: |_| Ok(true),
        make: Make::First(columns::make),
    },
    Derived {
        name: "identifiers",
        of: "the records",
        serves: "look-ups by userId and by client",
        check: identifiers::check,
        probe: identifiers::probe,
        make: Make::First(identifiers::make),
    },
    Derived {
        name: "tombstones",
        of: "the records",
        serves: "recognising later data about erased app users",
        check: tombstones::check,
        probe: tombstones::probe,
        make: Make::AtOnce(tombstones::make),
    },
    Derived {
        name: "receipts",
        of: "the tombstones; remade, all stored data is searched for them once more",
        serves: "the receipts and the progress of erasures",
        check: |conn, _| receipts::lost_receipts(conn),
        probe: |conn| Ok(receipts::lost_receipts(conn)?.is_none()),
        make: Make::AtOnce(|conn| {
            if !schema::is_there(conn, "receipts")? {
                schema::recreate(conn, "TABLE", "receipts", &[])?;
                orders::make_indexes(conn)?;
            }
            receipts::remake_receipts(conn)
        }),
    },
    Derived {
        name: "gaps",
        of: "the numbers of the journal; remade, every number without an entry counts as removed",
        serves: "telling entries that retention and erasures removed from lost ones",
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
        of: "the rows that moved since",
        serves: "cursors of lists by lastSeen and signedUpAt; remade, existing cursors expire",
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

/// The index of a derived table in the list.
pub(crate) fn position_of(name: &str) -> Option<usize> {
    DERIVED.iter().position(|derived| derived.name == name)
}

/// Compares every derived table with its source. `conn` must be in a transaction.
///
/// # Errors
/// The check was stopped, or a source cannot be read.
pub(crate) fn find_faults(conn: &Connection, tell: Tell<'_>) -> Result<Vec<DerivedFault>> {
    let remaking = Remaking::read(conn).unwrap_or_default();
    let mut faults = Vec::new();
    for derived in &DERIVED {
        // A table that is being remade is incomplete, and will be whole.
        if remaking.is_pending(derived.name) {
            continue;
        }
        let what = match (derived.check)(conn, tell) {
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
