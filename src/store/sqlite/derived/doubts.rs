//! What is being made anew beside everything else, and what was found to be damaged meanwhile.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{DERIVED, Make, Pieces, note, place};
use crate::store::sqlite::{Error, Result, trouble};

/// What is made anew by learning the journal again.
const RECORDS: &str = "records";

/// How often it is said how far a table is.
const WORD: Duration = Duration::from_secs(3);

/// Derived tables that a reader found to be damaged: the worker makes them anew.
#[derive(Clone, Debug, Default)]
pub struct Doubts(Arc<Bits>);

/// A bit for each derived table.
#[derive(Debug, Default)]
struct Bits {
    raised: AtomicU32,
    /// Making it anew has failed.
    failed: AtomicU32,
    /// The journal is to be learned again.
    relearn: AtomicBool,
    /// Rows of records that cannot be read: each is learned again once.
    unreadable: Mutex<BTreeSet<i64>>,
}

/// The tables that have a bit.
fn named(bits: u32) -> impl Iterator<Item = &'static str> {
    let with_bit = DERIVED.iter().enumerate().filter(move |(place, _)| bits & (1 << place) != 0);
    with_bit.map(|(_, table)| table.name)
}

impl Doubts {
    /// Notes that a table, as [`super::Derived::name`] calls it, is to be made anew. Whether there is such a table.
    pub fn raise(&self, name: &str) -> bool {
        let Some(place) = place(name) else { return false };
        self.0.failed.fetch_and(!(1 << place), Ordering::AcqRel);
        self.0.raised.fetch_or(1 << place, Ordering::AcqRel);
        true
    }

    /// Notes what an error says to be damaged.
    pub(in crate::store::sqlite) fn note(&self, error: &Error) {
        match error {
            Error::Derived { name, .. } => _ = self.raise(name),
            Error::Unreadable { table: "app_users", row, .. } if self.unreadable().insert(*row) => {
                self.raise(RECORDS);
            }
            _ => {}
        }
    }

    fn unreadable(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.0.unreadable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that were found unreadable, by the numbers of their rows.
    pub fn unreadable_rows(&self) -> Vec<i64> {
        self.unreadable().iter().copied().collect()
    }

    /// A record can be read again: should it be damaged once more, it is learned again once more.
    pub fn is_readable(&self, row: i64) {
        self.unreadable().remove(&row);
    }

    /// Asks for the journal to be learned again.
    pub fn ask_to_relearn(&self) {
        self.0.relearn.store(true, Ordering::Release);
    }

    /// Whether the journal is to be learned again: said once.
    pub fn is_to_relearn(&self) -> bool {
        self.0.relearn.swap(false, Ordering::AcqRel)
    }

    /// Whether a table is doubted.
    pub(in crate::store::sqlite) fn is_raised(&self, name: &str) -> bool {
        place(name).is_some_and(|place| self.0.raised.load(Ordering::Acquire) & (1 << place) != 0)
    }

    /// Every table that is doubted.
    pub fn raised(&self) -> impl Iterator<Item = &'static str> {
        named(self.0.raised.load(Ordering::Acquire))
    }

    /// Every table that could not be made anew, and is not doubted since.
    pub fn failed(&self) -> impl Iterator<Item = &'static str> {
        named(self.0.failed.load(Ordering::Acquire))
    }

    /// A table is being made anew: what is said against it from now on is another doubt.
    pub(in crate::store::sqlite) fn settle(&self, name: &str) {
        if let Some(place) = place(name) {
            self.0.failed.fetch_and(!(1 << place), Ordering::AcqRel);
            self.0.raised.fetch_and(!(1 << place), Ordering::AcqRel);
        }
        if name == RECORDS {
            self.ask_to_relearn();
        }
    }

    /// A table cannot be made anew: it is not tried again before somebody finds it damaged once more.
    pub(in crate::store::sqlite) fn give_up(&self, name: &str) {
        if let Some(place) = place(name) {
            self.0.failed.fetch_or(1 << place, Ordering::AcqRel);
            self.0.raised.fetch_and(!(1 << place), Ordering::AcqRel);
        }
    }
}

/// How far the tables are that are filled beside everything else: the last row of `app_users` that is in each; -1
/// for one that has yet to be emptied, nothing for one that is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store::sqlite) struct Remaking {
    /// Of `seen`.
    pub(in crate::store::sqlite) seen: Option<i64>,
    /// Of the index of words.
    pub(in crate::store::sqlite) search: Option<i64>,
}

impl Remaking {
    pub(in crate::store::sqlite) fn read(conn: &Connection) -> Result<Self> {
        let sql = "SELECT sortable, searchable FROM upkeep";
        let mut select = conn.prepare_cached(sql).map_err(trouble)?;
        select.query_row([], |row| Ok(Self { seen: row.get(0)?, search: row.get(1)? })).map_err(trouble)
    }

    /// Whether a table is not whole yet.
    pub(in crate::store::sqlite) fn is_pending(self, name: &str) -> bool {
        self.done(name).is_some()
    }

    /// How far a table is.
    pub(in crate::store::sqlite) fn done(self, name: &str) -> Option<i64> {
        match name {
            "seen" => self.seen,
            "search" => self.search,
            _ => None,
        }
    }

    /// Whether the index of words has the words of a row, or does not lack them any more.
    pub(in crate::store::sqlite) fn has_words_of(self, rowid: i64) -> bool {
        self.search.is_none_or(|to| rowid <= to)
    }
}

/// Since when a table is being made anew, and when that was last told.
#[derive(Debug, Default)]
pub(in crate::store::sqlite) struct Told(Option<(&'static str, Instant, Instant)>);

/// The table that the next step is about.
pub(in crate::store::sqlite) fn pending(remaking: Remaking) -> Option<&'static str> {
    DERIVED.iter().map(|derived| derived.name).find(|name| remaking.is_pending(name))
}

/// Takes one small step to make a table anew that is not whole: how far all are then; nothing if all are whole.
pub(in crate::store::sqlite) fn step(
    conn: &mut Connection,
    remaking: Remaking,
    told: &mut Told,
) -> Result<Option<Remaking>> {
    let pieces = DERIVED.iter().find_map(|derived| match derived.make {
        Make::Pieces(pieces) => Some((derived.name, pieces, remaking.done(derived.name)?)),
        _ => None,
    });
    let Some((name, pieces, done)) = pieces else { return Ok(None) };
    let now = Instant::now();
    let known = told.0.filter(|told| told.0 == name && done >= 0);
    let (_, began, last_word) = known.unwrap_or((name, now, now));
    told.0 = Some((name, began, last_word));
    let left = step_of(conn, &pieces, done)?;
    match left {
        None => {
            let seconds = began.elapsed().as_secs_f64();
            told.0 = None;
            tracing::info!(table = name, seconds, "{name} is made anew, in {seconds:.1} s");
        }
        Some(done) if last_word.elapsed() > WORD => {
            told.0 = Some((name, began, now));
            let of = last_row(conn)?;
            tracing::info!(table = name, done, of, "making {name} anew: {done} of {of}");
        }
        Some(_) => {}
    }
    Remaking::read(conn).map(Some)
}

fn step_of(conn: &mut Connection, pieces: &Pieces, done: i64) -> Result<Option<i64>> {
    let txn = conn.transaction().map_err(trouble)?;
    let to = if done < 0 {
        (pieces.empty)(&txn)?;
        Some(0)
    } else {
        (pieces.piece)(&txn, done)?
    };
    note(&txn, pieces, to)?;
    txn.commit().map_err(trouble)?;
    Ok(to)
}

/// The last row of `app_users`: so many have to be looked at.
pub(in crate::store::sqlite) fn last_row(conn: &Connection) -> Result<i64> {
    let sql = "SELECT coalesce(max(rowid), 0) FROM app_users";
    conn.query_row(sql, [], |row| row.get(0)).map_err(trouble)
}
