//! What a start does for derived tables: those that a change of the schema asks for, those that a crash has left
//! half made, and those that a look at a few rows finds damaged are made anew.

use rusqlite::Connection;

use super::kind::{Derived, Make, is_of_the_table};
use super::list::DERIVED;
use super::numbers::KnownCounters;
use super::remake::{RemakeProgress, make_anew, remake_step};
use super::remaking::{Remaking, last_user_row};
use super::search::set_options;
use crate::store::sqlite::tables::{ALL, Loss, table_missing};
use crate::store::sqlite::{Error, Result};

/// With so few rows of `app_users` every table is made anew before the service is ready, which takes about a second.
const FEW: i64 = 20_000;

/// Brings the counters in order, which everything else goes by. Fails where a table is lost that cannot be made again.
pub(crate) fn remake_counters_at_start(conn: &mut Connection) -> Result<()> {
    check_source_tables(conn)?;
    let is_one = |derived: &&Derived| derived.name == "counters";
    for derived in DERIVED.iter().filter(is_one) {
        if is_found_damaged(conn, derived) {
            make_anew(conn, derived.name)?;
        }
    }
    Ok(())
}

/// Has a service that runs look at a few rows of every derived table that is whole: which it finds damaged.
///
/// # Errors
/// A table is lost that cannot be made again.
pub(crate) fn probe_tables(
    conn: &Connection,
    known: &KnownCounters<'_>,
    remaking: Remaking,
) -> Result<Vec<&'static str>> {
    check_source_tables(conn)?;
    let mut found = Vec::new();
    if !known.is_in(conn).unwrap_or(false) {
        found.push("counters");
    }
    if known.rules > 0 && last_user_row(conn).is_ok_and(|last| last < known.last_user) {
        found.push("records");
    }
    for derived in DERIVED.iter().filter(|derived| !remaking.is_pending(derived.name)) {
        if derived.name == "records" && known.rules == 0 {
            // The journal is being learned again already.
            continue;
        }
        found.extend(match (derived.probe)(conn) {
            Ok(true) => None,
            Ok(false) => Some(derived.name),
            Err(Error::Derived { name, .. }) => Some(name),
            // Which record that is, whoever asks for it hears.
            Err(Error::Unreadable { .. }) => None,
            Err(error) => is_of_the_table(&error).then_some(derived.name),
        });
    }
    Ok(found)
}

/// Brings every derived table in order, or so far that the worker can do the rest.
pub(crate) fn remake_at_start(conn: &mut Connection) -> Result<()> {
    // Where it cannot be done, the index is made anew, and that does it.
    set_options(conn).or_else(|error| if is_of_the_table(&error) { Ok(()) } else { Err(error) })?;
    for derived in &DERIVED {
        if is_due(conn, derived)? {
            make_anew(conn, derived.name)?;
        }
    }
    if last_user_row(conn).unwrap_or(i64::MAX) > FEW {
        return Ok(());
    }
    let (mut remaking, mut told) = (Remaking::read(conn)?, RemakeProgress::default());
    while let Some(next) = remake_step(conn, remaking, &mut told)? {
        remaking = next;
    }
    Ok(())
}

/// Whether a table has to be made anew before, or begun to be.
fn is_due(conn: &Connection, derived: &Derived) -> Result<bool> {
    let is_set = |column: &str| {
        let sql = format!("SELECT {column} IS NOT NULL FROM upkeep");
        conn.query_row(&sql, [], |row| row.get::<_, bool>(0))
    };
    match derived.name {
        "columns" if is_set("filled")? => return Ok(true),
        "identifiers" if is_set("identified")? => return Ok(true),
        _ => {}
    }
    if let Make::Pieces(pieces) = derived.make
        && is_set(pieces.column)?
    {
        // The worker is at it, or was: it goes on where it was.
        return Ok(false);
    }
    Ok(is_found_damaged(conn, derived))
}

/// Whether a look at a few rows finds a table damaged.
fn is_found_damaged(conn: &Connection, derived: &Derived) -> bool {
    let found = (derived.probe)(conn);
    let why = match &found {
        Ok(true) => return false,
        Ok(false) => "a look at a few rows finds it damaged".to_owned(),
        Err(error) if is_of_the_table(error) => error.to_string(),
        Err(error) => {
            // Whether it is damaged is not known: whoever reads it hears of the trouble.
            let name = derived.name;
            tracing::warn!(table = name, %error, "{name} could not be looked at: {error}");
            return false;
        }
    };
    let name = derived.name;
    tracing::warn!(table = name, why, "{name}, made of {}, is made anew: {why}", derived.of);
    true
}

/// Fails where a table is not there that cannot be made again.
///
/// # Errors
/// So it is: [`Error::Damaged`] names the table.
pub(crate) fn check_source_tables(conn: &Connection) -> Result<()> {
    let mut select = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let there = select.query_map([], |row| row.get(0))?;
    let there: Vec<String> = there.collect::<rusqlite::Result<_>>()?;
    let is_lost =
        |(table, loss): &&(&str, Loss)| *loss == Loss::Damage && !there.iter().any(|name| name == table);
    ALL.iter().find(is_lost).map_or(Ok(()), |(table, _)| Err(table_missing(table)))
}
