//! The list columns beside each record, for lists and searches. The record at the root of a merge has those of the
//! whole group.

use std::collections::HashSet;
use std::time::Instant;

use rusqlite::{Connection, TransactionBehavior, params};

use super::identifiers::users_after;
use super::kind::{REPORT_INTERVAL, Tell, last_user_row};
use crate::domain::{LoadedRecord, RecordKey, WorkingSet};
use crate::format::list_columns::Columns;
use crate::store::rows::RecordRows as _;
use crate::store::sqlite::connection::{execute, query_one};
use crate::store::sqlite::{Error, Result};
use crate::store::tables::UserRow;

const PIECE: i64 = 2000;
/// Transactions between two checkpoints, so that the WAL stays short.
const PIECES: usize = 10;

/// Loads a record and its group, if it can be read, and computes something of it.
fn of_record<T>(
    conn: &Connection,
    key: &RecordKey,
    compute: impl FnOnce(&WorkingSet, &LoadedRecord) -> T,
) -> Result<Option<T>> {
    match load_group(conn, key) {
        // Only the journal can restore an unreadable record.
        Err(Error::Unreadable { .. }) => Ok(None),
        loaded => {
            let group = loaded?;
            Ok(group.entry(key).map(|entry| compute(&group, entry)))
        }
    }
}

/// Loads a record, and all records that merges connect with it.
fn load_group(conn: &Connection, key: &RecordKey) -> Result<WorkingSet> {
    let mut group = WorkingSet::new(usize::MAX);
    let (mut wave, mut asked) = (vec![key.clone()], HashSet::new());
    while !wave.is_empty() {
        wave.retain(|key| asked.insert(key.clone()));
        let stored = conn.records(&wave)?;
        let mut next = Vec::new();
        for (key, stored) in wave.into_iter().zip(stored) {
            let Some(stored) = stored else { continue };
            let record = stored.decode("app_users")?;
            let connected = record.into.keys().chain(&record.from);
            next.extend(connected.map(|id| (key.0.clone(), id.clone())));
            group.insert_loaded(key, record);
        }
        wave = next;
    }
    Ok(group)
}

pub(super) fn check(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    let (mut after, mut rows, mut wrong) = (i64::MIN, 0_u64, 0_u64);
    loop {
        let page = users_after(conn, after, PIECE)?;
        let Some(last) = page.last() else { break };
        after = last.row;
        let size = page.len() as u64;
        for UserRow { app, id, columns, .. } in page {
            let key = (app, id);
            let are_right = of_record(conn, &key, |set, record| columns.are_those_of(set, &key, record))?;
            wrong += u64::from(are_right == Some(false));
        }
        rows += size;
        tell(size)?;
    }
    Ok((wrong > 0).then(|| format!("{wrong} of {rows} rows do not match the records")))
}

/// Fills the columns of every row. Each transaction records its progress, so an interrupted run continues at the
/// next start. The tables derived from the columns are remade afterwards.
pub(super) fn make(conn: &mut Connection) -> Result<()> {
    let mut from = query_one::<Option<i64>>(conn, "SELECT filled FROM upkeep", [])?.unwrap_or(0);
    let last = last_user_row(conn)?;
    tracing::info!("filling the list columns of existing app users");
    let mut reported = Instant::now();
    for pieces in 1.. {
        let Some(to) = piece(conn, from)? else { break };
        from = to;
        if pieces % PIECES == 0 {
            conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
        if reported.elapsed() > REPORT_INTERVAL {
            reported = Instant::now();
            tracing::info!(done = from, of = last, "filling list columns: {from} of {last}");
        }
    }
    tracing::info!("the list columns are filled");
    Ok(())
}

/// Fills the next rows. Returns the last of them; `None` if there were none.
fn piece(conn: &mut Connection, from: i64) -> Result<Option<i64>> {
    let txn = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let page = users_after(&txn, from, PIECE)?;
    let to = page.last().map(|user| user.row);
    for UserRow { row, app, id, columns, .. } in page {
        let key = (app, id);
        let expected = of_record(&txn, &key, |set, record| Columns::of(set, &key, record))?;
        let Some(expected) = expected.filter(|expected| *expected != columns) else { continue };
        let Columns { listed, last_seen, signed_up, flags, words } = expected;
        let sql = "UPDATE app_users SET listed = ?2, last_seen = ?3, signed_up = ?4, flags = ?5, words = ?6
                   WHERE rowid = ?1";
        execute(&txn, sql, params![row, listed, last_seen, signed_up, flags, words])?;
    }
    match to {
        Some(to) => txn.execute("UPDATE upkeep SET filled = ?1", [to]),
        None => txn.execute("UPDATE upkeep SET filled = NULL, sortable = -1, searchable = -1", []),
    }?;
    txn.commit()?;
    Ok(to)
}
