//! Remakes a derived table, at once or in steps.

use std::time::Instant;

use rusqlite::Connection;

use super::kind::{Make, Pieces, REPORT_INTERVAL, Remaking, last_user_row, note_progress};
use super::list::{DERIVED, position_of};
use super::schema::create_missing;
use crate::store::sqlite::{Error, Result};

/// The table that is being remade, since when, and the last progress report.
#[derive(Debug, Default)]
pub(crate) struct RemakeProgress(Option<(&'static str, Instant, Instant)>);

/// The table of the next step.
pub(crate) fn pending_table(remaking: Remaking) -> Option<&'static str> {
    DERIVED.iter().map(|derived| derived.name).find(|name| remaking.is_pending(name))
}

/// Takes one small step to remake a table. Returns the progress of all tables; `None` if all are whole.
pub(crate) fn remake_step(
    conn: &mut Connection,
    remaking: Remaking,
    progress: &mut RemakeProgress,
) -> Result<Option<Remaking>> {
    let pieces = DERIVED.iter().find_map(|derived| match derived.make {
        Make::Pieces(pieces) => Some((derived.name, pieces, remaking.done(derived.name)?)),
        _ => None,
    });
    let Some((name, pieces, done)) = pieces else { return Ok(None) };
    let now = Instant::now();
    let known = progress.0.filter(|progress| progress.0 == name && done >= 0);
    let (_, began, last_report) = known.unwrap_or((name, now, now));
    progress.0 = Some((name, began, last_report));
    let left = take_step(conn, &pieces, done)?;
    match left {
        None => {
            let seconds = began.elapsed().as_secs_f64();
            progress.0 = None;
            tracing::info!(table = name, seconds, "{name} was remade in {seconds:.1} s");
        }
        Some(done) if last_report.elapsed() > REPORT_INTERVAL => {
            progress.0 = Some((name, began, now));
            let of = last_user_row(conn)?;
            tracing::info!(table = name, done, of, "remaking {name}: {done} of {of}");
        }
        Some(_) => {}
    }
    Remaking::read(conn).map(Some)
}

fn take_step(conn: &mut Connection, pieces: &Pieces, done: i64) -> Result<Option<i64>> {
    let txn = conn.transaction()?;
    let to = if done < 0 {
        (pieces.empty)(&txn)?;
        Some(0)
    } else {
        (pieces.piece)(&txn, done)?
    };
    note_progress(&txn, pieces, to)?;
    txn.commit()?;
    Ok(to)
}

/// Remakes a table at once, or prepares it for [`remake_step`].
///
/// # Errors
/// The database cannot be written, or there is no such table.
pub(crate) fn make_anew(conn: &mut Connection, name: &str) -> Result<()> {
    let derived = position_of(name).map(|place| &DERIVED[place]);
    let derived = derived.ok_or_else(|| Error::Unavailable(format!("{name} is no derived table")))?;
    match derived.make {
        Make::First(make) => make(conn),
        Make::AtOnce(make) => {
            let txn = conn.transaction()?;
            create_missing(&txn, derived.tables)?;
            make(&txn)?;
            Ok(txn.commit()?)
        }
        Make::Pieces(pieces) => {
            let txn = conn.transaction()?;
            (pieces.empty)(&txn)?;
            note_progress(&txn, &pieces, Some(0))?;
            txn.commit()?;
            tracing::warn!(table = name, "remaking {name}; webhooks are stored meanwhile");
            Ok(())
        }
    }
}
