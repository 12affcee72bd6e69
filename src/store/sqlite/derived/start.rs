//! Remakes derived tables at a start: those that a migration requests, those that a crash left half made, and
//! those that a probe finds damaged.

use rusqlite::Connection;

use super::kind::{Derived, Make, Remaking, is_of_the_table, last_user_row};
use super::list::{DERIVED, check_source_tables};
use super::numbers::KnownCounters;
use super::remake::{RemakeProgress, make_anew, remake_step};
use super::search::set_options;
use crate::store::sqlite::connection::query_one;
use crate::store::sqlite::{Error, Result};

/// Up to this many rows of `app_users`, all tables are remade before the service is ready, in about a second.
const FEW: i64 = 20_000;

/// Remakes damaged counters, on which everything else depends. Fails if a source table is missing.
pub(crate) fn remake_counters_at_start(conn: &mut Connection) -> Result<()> {
    check_source_tables(conn)?;
    let [counters, ..] = &DERIVED;
    if is_found_damaged(conn, counters) { make_anew(conn, counters.name) } else { Ok(()) }
}

/// Probes every whole derived table of a running service, which has written rows of app users up to `last_user`. Returns
/// the damaged ones with their faults, some twice.
///
/// # Errors
/// A source table is missing.
pub(crate) fn probe_tables(
    conn: &Connection,
    known: &KnownCounters,
    last_user: i64,
) -> Result<Vec<(&'static str, String)>> {
    check_source_tables(conn)?;
    let mut found = Vec::new();
    match known.is_in(conn) {
        Ok(true) => {}
        // The numbers are also read from other tables.
        Err(Error::Derived { name, why }) => found.push((name, why)),
        _ => found.push(("counters", "it lacks what the service knows".to_owned())),
    }
    if known.rules > 0 && last_user_row(conn).is_ok_and(|last| last < last_user) {
        found.push(("records", "the last rows are missing".to_owned()));
    }
    for derived in DERIVED.iter().filter(|derived| !known.remaking.is_pending(derived.name)) {
        if derived.name == "records" && known.rules == 0 {
            // The journal is being reapplied already.
            continue;
        }
        found.extend(match derived.probe_fault(conn) {
            Ok(fault) => fault.map(|why| (derived.name, why)),
            Err(Error::Derived { name, why }) => Some((name, why)),
            // A read of that record reports it.
            Err(Error::Unreadable { .. }) => None,
            Err(error) => is_of_the_table(&error).then(|| (derived.name, error.to_string())),
        });
    }
    Ok(found)
}

/// Remakes every derived table, or prepares it for the worker.
pub(crate) fn remake_at_start(conn: &mut Connection) -> Result<()> {
    // If that fails, the index is damaged and is remade with the options.
    set_options(conn).or_else(|error| if is_of_the_table(&error) { Ok(()) } else { Err(error) })?;
    for derived in &DERIVED {
        if is_due(conn, derived)? {
            make_anew(conn, derived.name)?;
        }
    }
    if last_user_row(conn).unwrap_or(i64::MAX) > FEW {
        return Ok(());
    }
    let (mut remaking, mut progress) = (Remaking::read(conn)?, RemakeProgress::default());
    while let Some(next) = remake_step(conn, remaking, &mut progress)? {
        remaking = next;
    }
    Ok(())
}

/// Whether a table has to be remade now, at least its first step.
fn is_due(conn: &Connection, derived: &Derived) -> Result<bool> {
    let is_set = |column: &str| query_one(conn, &format!("SELECT {column} IS NOT NULL FROM upkeep"), []);
    match derived.name {
        "columns" if is_set("filled")? => return Ok(true),
        "identifiers" if is_set("identified")? => return Ok(true),
        _ => {}
    }
    if let Make::Pieces(pieces) = derived.make
        && is_set(pieces.column)?
    {
        // The worker continues where it stopped.
        return Ok(false);
    }
    Ok(is_found_damaged(conn, derived))
}

fn is_found_damaged(conn: &Connection, derived: &Derived) -> bool {
    let why = match derived.probe_fault(conn) {
        Ok(None) => return false,
        Ok(Some(why)) => why,
        Err(error) if is_of_the_table(&error) => error.to_string(),
        Err(error) => {
            // Unknown: reads of the table report the error.
            let name = derived.name;
            tracing::warn!(table = name, %error, "cannot probe {name}: {error}");
            return false;
        }
    };
    let name = derived.name;
    tracing::warn!(table = name, why, "remaking {name} from {}: {why}", derived.of);
    true
}
