//! What is being made anew beside everything else, and what was found to be damaged meanwhile.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::list::{DERIVED, position_of};
use crate::store::Error;

/// What is made anew by learning the journal again.
const RECORDS: &str = "records";

/// Derived tables that a reader found to be damaged: the worker makes them anew.
#[derive(Clone, Debug, Default)]
pub struct DamagedTables(Arc<Bits>);

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

impl DamagedTables {
    /// Notes that a table, as [`super::Derived::name`] calls it, is to be made anew. Whether there is such a table.
    pub fn raise(&self, name: &str) -> bool {
        let Some(place) = position_of(name) else { return false };
        self.0.failed.fetch_and(!(1 << place), Ordering::AcqRel);
        self.0.raised.fetch_or(1 << place, Ordering::AcqRel);
        true
    }

    /// Notes what an error says to be damaged.
    pub(crate) fn note(&self, error: &Error) {
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
    pub(crate) fn is_raised(&self, name: &str) -> bool {
        position_of(name).is_some_and(|place| self.0.raised.load(Ordering::Acquire) & (1 << place) != 0)
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
    pub(crate) fn settle(&self, name: &str) {
        if let Some(place) = position_of(name) {
            self.0.failed.fetch_and(!(1 << place), Ordering::AcqRel);
            self.0.raised.fetch_and(!(1 << place), Ordering::AcqRel);
        }
        if name == RECORDS {
            self.ask_to_relearn();
        }
    }

    /// A table cannot be made anew: it is not tried again before somebody finds it damaged once more.
    pub(crate) fn give_up(&self, name: &str) {
        if let Some(place) = position_of(name) {
            self.0.failed.fetch_or(1 << place, Ordering::AcqRel);
            self.0.raised.fetch_and(!(1 << place), Ordering::AcqRel);
        }
    }
}
