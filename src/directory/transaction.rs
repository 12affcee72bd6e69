//! The worker's transaction of a directory.

use super::batch::{Answered, Keys, Link};
use super::load::Loader;
use super::writer_state::WriterState;
use crate::domain::{AppId, RecordKey, SmoochId, WorkingSet};
use crate::format::answer_key::cover;
use crate::store::tables::{DamagedEntry, QuarantinedSize, StoredAnswer};
use crate::store::{Entry, ReadRow as _, Result, Seq, Transaction};

/// A transaction: it reads what a batch needs, and ends with one commit. Dropped without one, it leaves no trace.
pub struct DirectoryTransaction<'a> {
    pub(super) txn: Box<dyn Transaction + 'a>,
    pub(super) state: &'a mut WriterState,
}

impl DirectoryTransaction<'_> {
    /// Loads every record that the keys can reach, as the domain needs it, groups of at most `group_members` records.
    ///
    /// # Errors
    /// The database cannot be read, or a record in it.
    pub fn load(&mut self, keys: &Keys, group_members: usize) -> Result<WorkingSet> {
        Loader::bounded(self.txn.rows(), Some(&mut self.state.cache), group_members).load_batch(keys)
    }

    /// The app user's journal from the entry `from` backwards: at most `most` entries, and none from the first one on
    /// that was received before `since` (ms since 1970).
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn read_links(&self, (_, id): &RecordKey, from: Seq, since: i64, most: usize) -> Result<Vec<Link>> {
        let (rows, mut links, mut at) = (self.txn.rows(), Vec::new(), Some(from));
        while let Some(seq) = at.filter(|_| links.len() < most) {
            let entry = DamagedEntry::find(rows, &seq)?.map(|damaged| damaged.0);
            let Some(Entry { digest, received, users, .. }) = entry.filter(|entry| entry.received >= since)
            else {
                break;
            };
            if users.is_empty() {
                // A damaged entry ends the chain: an older event that is applied again changes nothing.
                break;
            }
            at = users.into_iter().find(|(user, _)| user == id).and_then(|(_, previous)| previous);
            links.push(Link { digest, received, previous: at });
        }
        Ok(links)
    }

    /// The stored answer to a call with this key.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn find_answer(&self, app: &AppId, key: &str) -> Result<Option<Answered>> {
        let (hidden, with) = self.state.answer_key.hide(key);
        let stored = StoredAnswer::select().is("app", app).is("key", &hidden).first(self.txn.rows())?;
        Ok(stored.map(|stored| Answered {
            app: stored.app,
            key: key.to_owned(),
            fingerprint: cover(stored.fingerprint, with),
            time: stored.time,
            answer: stored.answer,
        }))
    }

    /// Whether a text names the `_id` of an erased app user, in any spelling.
    pub fn names_erased(&self, app: &AppId, text: &[u8]) -> bool {
        self.state.tombstones.named_in(app, text)
    }

    /// Whether an `_id` is that of an erased app user, in any spelling. One that contains such an `_id` is not.
    pub fn means_erased(&self, app: &AppId, id: &SmoochId) -> bool {
        self.state.tombstones.mean(app, id)
    }

    /// Whether a body is in quarantine.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn is_quarantined(&self, seq: Seq) -> Result<bool> {
        Ok(QuarantinedSize::find(self.txn.rows(), &seq)?.is_some())
    }

    /// The clock of the API, in µs since 1970.
    pub fn clock(&self) -> i64 {
        self.txn.journal_state().clock
    }

    /// The number of the next journal entry.
    pub fn next_entry(&self) -> Seq {
        self.txn.journal_state().next_entry
    }
}
