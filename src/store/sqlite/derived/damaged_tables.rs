//! Derived tables that were found damaged.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::list::{DERIVED, position_of};
use crate::store::Error;

/// The records are remade from the journal.
const RECORDS: &str = "records";

/// Derived tables that were found damaged and that the worker has to remake.
#[derive(Clone, Debug, Default)]
pub struct DamagedTables(Arc<Mutex<Damage>>);

/// Tables are numbered by their places in [`DERIVED`].
#[derive(Debug, Default)]
struct Damage {
    raised: BTreeSet<usize>,
    /// Tables that could not be remade.
    failed: BTreeSet<usize>,
    /// The journal has to be reapplied.
    relearn: bool,
    /// Row numbers of unreadable records. Each is reapplied once.
    unreadable: BTreeSet<i64>,
}

impl DamagedTables {
    fn damage(&self) -> MutexGuard<'_, Damage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests that a table, by its [`super::Derived::name`], is remade. Returns whether there is such a table.
    pub fn raise(&self, name: &str) -> bool {
        let Some(place) = position_of(name) else { return false };
        let mut damage = self.damage();
        damage.failed.remove(&place);
        damage.raised.insert(place);
        true
    }

    /// Requests a remake of the table that an error reports as damaged.
    pub(crate) fn note(&self, error: &Error) {
        match error {
            Error::Derived { name, .. } => _ = self.raise(name),
            Error::Unreadable { table: "app_users", row, .. } => {
                let is_new = self.damage().unreadable.insert(*row);
                _ = is_new && self.raise(RECORDS);
            }
            _ => {}
        }
    }

    /// Row numbers of unreadable records.
    pub fn unreadable_rows(&self) -> Vec<i64> {
        self.damage().unreadable.iter().copied().collect()
    }

    /// Forgets a record that is readable again, so that new damage counts.
    pub fn is_readable(&self, row: i64) {
        self.damage().unreadable.remove(&row);
    }

    /// Requests that the journal is reapplied.
    pub fn ask_to_relearn(&self) {
        self.damage().relearn = true;
    }

    /// Whether the journal has to be reapplied. Resets the request.
    pub fn is_to_relearn(&self) -> bool {
        std::mem::take(&mut self.damage().relearn)
    }

    pub(crate) fn is_raised(&self, name: &str) -> bool {
        position_of(name).is_some_and(|place| self.damage().raised.contains(&place))
    }

    /// Tables whose remake is requested.
    pub fn raised(&self) -> impl Iterator<Item = &'static str> {
        self.damage().raised.clone().into_iter().map(|place| DERIVED[place].name)
    }

    /// Tables whose remake has failed, with no new request since.
    pub fn failed(&self) -> impl Iterator<Item = &'static str> {
        self.damage().failed.clone().into_iter().map(|place| DERIVED[place].name)
    }

    /// Ends the request for a table whose remake has begun. Later reports count anew.
    pub(crate) fn settle(&self, name: &str) {
        let mut damage = self.damage();
        if let Some(place) = position_of(name) {
            damage.failed.remove(&place);
            damage.raised.remove(&place);
        }
        damage.relearn |= name == RECORDS;
    }

    /// Ends the request for a table that cannot be remade. It is tried again after a new report.
    pub(crate) fn give_up(&self, name: &str) {
        if let Some(place) = position_of(name) {
            let mut damage = self.damage();
            damage.failed.insert(place);
            damage.raised.remove(&place);
        }
    }
}
