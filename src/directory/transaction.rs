//! The worker's transaction of a directory, and what is remembered between two.

use std::collections::BTreeSet;

use super::batch::{Answered, Batch, Keys, Link};
use super::body_bytes::BodyCounts;
use super::cache::Cache;
use super::erasure::{ErasureProgress, Tombstones};
use super::load::Loader;
use super::tallies::{NewCounts, Tallies};
use crate::domain::{AppId, RecordKey, SmoochId, WorkingSet};
use crate::format::answer_key::{AnswerKey, cover};
use crate::format::bodies::Packer;
use crate::store::tables::{AnswerSecret, DamagedEntry, QuarantinedApp, StoredAnswer};
use crate::store::{Committed, Entry, ReadRow as _, Result, Seq, Transaction};

/// A transaction: it reads what a batch needs, and ends with one commit. Dropped without one, it leaves no trace.
pub struct DirectoryTransaction<'a> {
    pub(super) txn: Box<dyn Transaction + 'a>,
    pub(super) state: &'a mut WriterState,
}

impl DirectoryTransaction<'_> {
    /// Loads every record that the keys can reach, as the domain needs it, groups of at most `group_members` records.
    pub fn load(&mut self, keys: &Keys, group_members: usize) -> Result<WorkingSet> {
        Loader::bounded(self.txn.rows(), Some(&mut self.state.cache), group_members).load_batch(keys)
    }

    /// The app user's journal from the entry `from` backwards: at most `most` entries, and none from the first one on
    /// that was received before `since` (ms since 1970).
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

    /// The app of a body in quarantine; `None` if it is not there.
    pub fn quarantined_app(&self, seq: Seq) -> Result<Option<AppId>> {
        Ok(QuarantinedApp::find(self.txn.rows(), &seq)?.map(|body| body.app))
    }

    /// Ends without a write. The counts are stored with the next commit; until then a crash loses them.
    pub fn end_without_writes(self, counts: &NewCounts) {
        self.state.tallies.hold(counts);
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

/// The limits of the quarantine. The last body stays, however large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuarantineLimits {
    /// Bodies.
    pub bodies: u64,
    /// The bytes of all bodies.
    pub bytes: u64,
}

/// What is remembered between transactions. It changes only with a commit.
pub(super) struct WriterState {
    pub(super) cache: Cache,
    pub(super) packer: Packer,
    pub(super) tombstones: Tombstones,
    pub(super) answer_key: AnswerKey,
    pub(super) quarantine: QuarantineLimits,
    pub(super) erasure: ErasureProgress,
    pub(super) bodies: BodyCounts,
    pub(super) tallies: Tallies,
}

impl WriterState {
    pub(super) fn read(txn: &dyn Transaction, quarantine: QuarantineLimits) -> Result<Self> {
        Ok(Self {
            cache: Cache::default(),
            packer: Packer::new()?,
            tombstones: Tombstones::read(txn.rows())?,
            answer_key: AnswerKey(AnswerSecret::only(txn.rows())?.key),
            quarantine,
            erasure: ErasureProgress::default(),
            bodies: BodyCounts::read(txn.rows())?,
            tallies: Tallies::default(),
        })
    }

    pub(super) fn note_committed(
        &mut self,
        batch: &Batch,
        affected: &BTreeSet<RecordKey>,
        committed: &Committed,
    ) {
        if !committed.rows.is_empty() {
            let is_new =
                |key: &&RecordKey| batch.directory.entry(key).is_some() && self.cache.row(key).is_none();
            let new: Vec<&RecordKey> = affected.iter().filter(is_new).collect();
            new.into_iter().zip(&committed.rows).for_each(|(key, row)| self.cache.note(key, *row));
        }
        for erasure in &batch.erasures {
            self.tombstones.add(&erasure.key.0, &erasure.key.1);
            self.erasure.note_begun();
        }
    }
}
