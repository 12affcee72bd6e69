//! The columns for lists, filled in where an older program left records without them.
//!
//! A piece is one transaction that notes how far it came: interrupted, the next start goes on there.

use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};

use super::listing::Listing;
use super::load::Loader;
use super::{Result, trouble};
use crate::domain::{AppId, SmoochId};

/// Rows in a piece.
const PIECE: i64 = 2000;
/// Pieces between two checkpoints, so that the log stays short.
const PIECES: usize = 10;
/// How often it says how far it is.
const WORD: Duration = Duration::from_secs(3);

/// Fills in whatever is not filled in yet.
pub(super) fn run(conn: &mut Connection) -> Result<()> {
    let filled = |conn: &Connection| {
        conn.query_row("SELECT filled FROM upkeep", [], |row| row.get::<_, Option<i64>>(0)).map_err(trouble)
    };
    let Some(mut from) = filled(conn)? else { return Ok(()) };
    let sql = "SELECT coalesce(max(rowid), 0) FROM app_users";
    let last: i64 = conn.query_row(sql, [], |row| row.get(0)).map_err(trouble)?;
    tracing::info!("preparing lists of the app users that are there, once");
    let mut told = Instant::now();
    for pieces in 1.. {
        let Some(to) = piece(conn, from)? else { break };
        from = to;
        if pieces % PIECES == 0 {
            conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).map_err(trouble)?;
        }
        if told.elapsed() > WORD {
            told = Instant::now();
            tracing::info!(done = from, of = last, "preparing lists: {from} of {last}");
        }
    }
    tracing::info!("lists are prepared");
    Ok(())
}

/// Fills in the next rows; gives the last of them, or nothing if there were none.
fn piece(conn: &mut Connection, from: i64) -> Result<Option<i64>> {
    let txn = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(trouble)?;
    let mut to = None;
    {
        let sql = "SELECT rowid, app, id, listed FROM app_users WHERE rowid > ?1 ORDER BY rowid LIMIT ?2";
        let mut select = txn.prepare_cached(sql).map_err(trouble)?;
        let rows = select.query_map([from, PIECE], |row| {
            let key = (AppId::from(row.get_ref(1)?.as_str()?), SmoochId::from(row.get_ref(2)?.as_str()?));
            Ok((row.get::<_, i64>(0)?, key, row.get::<_, bool>(3)?))
        });
        let rows: Vec<_> = rows.map_err(trouble)?.collect::<rusqlite::Result<_>>().map_err(trouble)?;
        // Whose group is shown by another has nothing of its own to be listed by.
        let mut leave =
            txn.prepare_cached("UPDATE app_users SET words = '' WHERE rowid = ?1").map_err(trouble)?;
        let mut listing = Listing::new(&txn);
        for (rowid, key, listed) in rows {
            to = Some(rowid);
            if !listed {
                leave.execute([rowid]).map_err(trouble)?;
                continue;
            }
            let mut loader = Loader::new(&txn, None, usize::MAX);
            loader.group(&key.0, &key.1)?;
            let Some(entry) = loader.directory.entry(&key) else { continue };
            listing.fill(&loader.directory, &key, entry, rowid)?;
        }
        listing.finish()?;
        let mut note = txn.prepare_cached("UPDATE upkeep SET filled = ?1").map_err(trouble)?;
        note.execute([to]).map_err(trouble)?;
    }
    txn.commit().map_err(trouble)?;
    Ok(to)
}
