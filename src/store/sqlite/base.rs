//! The base: what the entries came to whose bodies are not kept. The journal goes on from there.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::check::journal_holes::Examination;
use super::compacted::{read_record, save_record};
use super::derived::require_row;
use super::journal_rows::end_of_batch;
use super::{Error, Kept, Result};
use crate::directory::load::Loader;
use crate::domain::{AppId, RecordKey, SmoochId, WorkingSet};
use crate::store::{Entry, ReadEvent};

/// The most entries that one step folds, and about the bytes of their bodies: so few that a step takes no longer
/// than a small commit or two.
const STEP: usize = 8;
const STEP_BYTES: usize = 32 << 10;

/// Folds the oldest entries that are not in the base yet and that need not stay, and drops the bodies that
/// nothing needs any more: whether there were any. A step is small, however large the batches were.
pub(super) fn fold(
    conn: &Connection,
    kept: &mut Kept,
    read: ReadEvent,
    may_go: impl Fn(&Entry) -> bool,
) -> Result<bool> {
    let mut examination = Examination::after(kept.folded);
    let entries = examination.page(conn, (STEP, STEP_BYTES), read, may_go)?;
    let Some((last, _)) = entries.last() else { return Ok(false) };
    let (folded, received) = (last.seq, last.received);
    let users = entries
        .iter()
        .flat_map(|(entry, _)| entry.users.iter().map(|(id, _)| (entry.app.clone(), id.clone())));
    let mut directory = load(conn, &users.collect())?;
    for (entry, event) in &entries {
        // No group can be too large: it has no bound here.
        _ = entry.learn_again(&mut directory, event.as_ref());
    }
    for (key, entry) in directory.entries().filter(|(_, entry)| entry.before.is_some()) {
        save_record(conn, key, &entry.now)?;
    }
    take_over(conn, examination.lacking())?;
    if !examination.holes().is_empty() {
        take_over_the_erased(conn)?;
    }
    let sql = "UPDATE horizon SET seq = ?1, received = ?2";
    require_row(conn.execute(sql, params![folded as i64, received])?)?;
    (kept.folded, kept.received) = (folded, received);
    drop_bodies(conn, kept)?;
    Ok(true)
}

/// Of whom the journal has lost something, the base takes what the directory has: it holds what was lost. What it
/// holds of later entries as well changes nothing when these are learned once more.
fn take_over(conn: &Connection, lacking: &BTreeSet<RecordKey>) -> Result<()> {
    let mut loader = Loader::new(conn);
    for (app, id) in lacking {
        match loader.group(app, id) {
            // Of a record that cannot be read nothing is taken.
            Err(Error::Unreadable { .. }) => {}
            loaded => loaded?,
        }
    }
    loader.directory.entries().try_for_each(|(key, entry)| save_record(conn, key, &entry.now))
}

/// A missing entry may have been one that erased somebody, or that merged some who are erased: nothing leads there.
fn take_over_the_erased(conn: &Connection) -> Result<()> {
    let mut select = conn.prepare_cached("SELECT app, id FROM erasures")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let text = |n| -> Result<&str> { Ok(row.get_ref(n)?.as_str()?) };
        take_over(conn, &BTreeSet::from([(AppId::from(text(0)?), SmoochId::from(text(1)?))]))?;
    }
    Ok(())
}

/// Drops the bodies of batches whose entries are all in the base.
fn drop_bodies(conn: &Connection, kept: &mut Kept) -> Result<()> {
    let sql =
        "SELECT first_seq, length(bodies) FROM bodies WHERE first_seq <= ?1 ORDER BY first_seq LIMIT 64";
    let mut select = conn.prepare_cached(sql)?;
    let rows = select.query_map([kept.folded as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows: Vec<(i64, i64)> = rows.collect::<rusqlite::Result<_>>()?;
    let sql = "SELECT EXISTS (SELECT 1 FROM journal WHERE seq > ?1 AND seq < ?2)";
    let mut needed = conn.prepare_cached(sql)?;
    let mut delete = conn.prepare_cached("DELETE FROM bodies WHERE first_seq = ?1")?;
    for (first, length) in rows {
        let end = end_of_batch(conn, first)?;
        let needed: bool = needed.query_row([kept.folded as i64, end], |row| row.get(0))?;
        if needed {
            break;
        }
        delete.execute([first])?;
        kept.resize(first, length, 0);
    }
    Ok(())
}

/// What the base knows of these app users, and of everybody whom merges connect with them by now: whoever
/// could be reached when the entries were learned is among those.
fn load(conn: &Connection, keys: &BTreeSet<RecordKey>) -> Result<WorkingSet> {
    let mut loader = Loader::new(conn);
    loader.groups(keys.iter().cloned().collect())?;
    let mut directory = WorkingSet::whole(usize::MAX);
    for (key, _) in loader.directory.entries() {
        if let Some(record) = read_record(conn, key)? {
            directory.insert_whole(key.clone(), record);
        }
    }
    Ok(directory)
}
