//! Derived tables that were found damaged.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::list::{DERIVED, position_of};
use crate::store::Error;

/// The records are remade from the journal.
const RECORDS: &str = "records";

/// Derived tables that were found damaged and that the worker has to remake.
#[derive(Clone, Debug, Default)]
pub struct DamagedTables(Arc<Bits>);

/// A bit for each derived table.
#[derive(Debug, Default)]
struct Bits {
    raised: AtomicU32,
    /// Remaking the table has failed.
    failed: AtomicU32,
    /// The journal has to be reapplied.
    relearn: AtomicBool,
    /// Row numbers of unreadable records. Each is reapplied once.
    unreadable: Mutex<BTreeSet<i64>>,
}

/// The tables whose bits are set.
fn named(bits: u32) -> impl Iterator<Item = &'static str> {
    let with_bit = DERIVED.iter().enumerate().filter(move |(place, _)| bits & (1 << place) != 0);
    with_bit.map(|(_, table)| table.name)
}

impl DamagedTables {
    /// Requests that a table, by its [`super::Derived::name`], is remade. Returns whether there is such a table.
    pub fn raise(&self, name: &str) -> bool {
        let Some(place) = position_of(name) else { return false };
        self.0.failed.fetch_and(!(1 << place), Ordering::AcqRel);
        self.0.raised.fetch_or(1 << place, Ordering::AcqRel);
        true
    }

    /// Requests a remake of the table that an error reports as damaged.
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

    /// Row numbers of unreadable records.
    pub fn unreadable_rows(&self) -> Vec<i64> {
        self.unreadable().iter().copied().collect()
    }

    /// Forgets a record that is readable again, so that new damage counts.
    pub fn is_readable(&self, row: i64) {
        self.unreadable().remove(&row);
    }

    /// Requests that the journal is reapplied.
    pub fn ask_to_relearn(&self) {
        self.0.relearn.store(true, Ordering::Release);
    }

    /// Whether the journal has to be reapplied. Resets the request.
    pub fn is_to_relearn(&self) -> bool {
        self.0.relearn.swap(false, Ordering::AcqRel)
    }

    /// Whether a remake of a table is requested.
    pub(crate) fn is_raised(&self, name: &str) -> bool {
        position_of(name).is_some_and(|place| self.0.raised.load(Ordering::Acquire) & (1 << place) != 0)
    }

    /// Tables whose remake is requested.
    pub fn raised(&self) -> impl Iterator<Item = &'static str> {
        named(self.0.raised.load(Ordering::Acquire))
    }

    /// Tables whose remake has failed, with no new request since.
    pub fn failed(&self) -> impl Iterator<Item = &'static str> {
        named(self.0.failed.load(Ordering::Acquire))
    }

    /// Ends the request for a table whose remake has begun. Later reports count anew.
    pub(crate) fn settle(&self, name: &str) {
        if let Some(place) = position_of(name) {
            self.0.failed.fetch_and(!(1 << place), Ordering::AcqRel);
            self.0.raised.fetch_and(!(1 << place), Ordering::AcqRel);
        }
        if name == RECORDS {
            self.ask_to_relearn();
        }
    }

    /// Ends the request for a table that cannot be remade. It is tried again after a new report.
    pub(crate) fn give_up(&self, name: &str) {
        if let Some(place) = position_of(name) {
            self.0.failed.fetch_or(1 << place, Ordering::AcqRel);
            self.0.raised.fetch_and(!(1 << place), Ordering::AcqRel);
        }
    }
}
