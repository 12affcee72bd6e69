//! Turns a batch into writes.

use std::collections::{BTreeSet, HashMap};

use super::batch::{Answered, Batch, Saved};
use super::erasure::begin_erasures;
use super::overlay::Overlay;
use super::transaction::DirectoryTransaction;
use super::writer_state::{QuarantineLimits, WriterState};
use crate::domain::{AppId, Change, ChangeKind, Record, RecordKey};
use crate::format::answer_key::cover;
use crate::format::bodies::DICTIONARY;
use crate::format::list_columns::{Columns, moment};
use crate::format::record::encode;
use crate::store::maintenance_rows::StoredAnswer;
use crate::store::rows::{IdentifierKind, PackedBodies, StoredChange};
use crate::store::{
    ANSWERS_KEPT, Committed, Error, IdentifierRow, Quarantined, Result, Seq, Transaction, UserWrite, Write,
};

/// Bodies in quarantine whose sizes are read at once.
const PAGE: usize = 16;
/// The oldest answers that may be deleted for each new one.
const OLD_ANSWERS: usize = 2;

impl DirectoryTransaction<'_> {
    /// Writes a batch and commits it. Everything is durable once this returns.
    ///
    /// # Errors
    /// The database cannot be written; then nothing is, except after [`Error::Unsure`].
    pub fn commit(self, batch: &Batch) -> Result<(Saved, Committed)> {
        let Self { txn, state } = self;
        let changes = batch.directory.changes();
        let affected = batch.directory.affected_records();
        let mut saved = count_changes(&changes);
        saved.erased = batch.erasures.len() as u64;
        let mut writes = Vec::with_capacity(16);
        if let Some(first) = batch.entries.first() {
            let (first, bytes) = (first.seq, state.packer.pack(&batch.bodies)?);
            writes.push(Write::AppendEntries(&batch.entries));
            writes.push(Write::PutBodies(PackedBodies { first, dictionary: DICTIONARY, bytes }));
        }
        writes.push(Write::PutUsers(user_writes(batch, &affected, state)?));
        saved.identity_conflicts = add_identifiers(batch, &mut writes);
        let last_entry =
            batch.entries.last().map_or(txn.journal_state().next_entry.saturating_sub(1), |last| last.seq);
        writes.push(Write::AppendChanges(last_entry, number_changes(&*txn, batch.now, changes)));
        saved.quarantine_dropped = add_quarantine(batch, &*txn, state.quarantine, &mut writes)?;
        add_answers(batch, &*txn, state, &mut writes)?;
        if !batch.erasures.is_empty() {
            let overlay = Overlay::of_writes(txn.rows(), &writes);
            let erasing = begin_erasures(&overlay, &batch.erasures, batch.now)?;
            writes.extend(erasing);
        }
        let committed = txn.commit(&writes)?;
        state.note_committed(batch, &affected, &committed);
        Ok((saved, committed))
    }
}

fn count_changes(changes: &[(AppId, Change)]) -> Saved {
    let count = |kind: fn(&ChangeKind) -> bool| {
        changes.iter().filter(|(_, change)| kind(&change.kind)).count() as u64
    };
    Saved {
        created: count(|kind| matches!(kind, ChangeKind::Created)),
        merged: count(|kind| matches!(kind, ChangeKind::Merged { .. })),
        removed: count(|kind| matches!(kind, ChangeKind::Removed)),
        ..Saved::default()
    }
}

fn user_writes<'a>(
    batch: &Batch,
    affected: &'a BTreeSet<RecordKey>,
    state: &WriterState,
) -> Result<Vec<UserWrite<'a>>> {
    let mut users = Vec::with_capacity(affected.len());
    for key in affected {
        let Some(entry) = batch.directory.entry(key) else { continue };
        let record = encode(&entry.now).map_err(|error| Error::Unavailable(error.to_string()))?;
        let columns = Columns::of(&batch.directory, key, entry);
        let before = entry.before.as_ref().and_then(Option::as_ref);
        let last_seen_before = moment(before.and_then(|before| before.last_seen));
        users.push(UserWrite { key, row: state.cache.row(key), record, columns, last_seen_before });
    }
    Ok(users)
}

/// Brings the identifiers in step with the records. Returns the number of new carriers of a `userId` that another
/// record carries.
fn add_identifiers<'a>(batch: &'a Batch, writes: &mut Vec<Write<'a>>) -> u64 {
    let (mut gone, mut new, mut conflicts) = (Vec::new(), Vec::new(), 0);
    for ((app, id), entry) in batch.directory.entries() {
        let Some(before) = &entry.before else { continue };
        let was = before.as_ref().map(Record::user_ids).unwrap_or_default();
        let is = entry.now.user_ids();
        let row = |value| IdentifierRow { app, kind: IdentifierKind::UserId, value, id };
        gone.extend(was.difference(&is).map(|user_id| row(user_id)));
        for user_id in is.difference(&was) {
            conflicts += u64::from(batch.directory.is_carried_beside(app, user_id, id));
            new.push(row(user_id));
        }
    }
    for ((app, client), _) in batch.directory.pointers() {
        for (id, [was, is]) in batch.directory.ownership_changes(app, client) {
            let kind = |holds: bool| if holds { IdentifierKind::Client } else { IdentifierKind::Claim };
            let row = |holds| IdentifierRow { app, kind: kind(holds), value: client.as_str(), id };
            gone.extend(was.map(row));
            new.extend(is.map(row));
        }
    }
    if !gone.is_empty() {
        writes.push(Write::DeleteIdentifiers(gone));
    }
    if !new.is_empty() {
        writes.push(Write::PutIdentifiers(new));
    }
    conflicts
}

/// Gives each change the next number in the feed of its app.
pub(super) fn number_changes(
    txn: &dyn Transaction,
    time: i64,
    changes: Vec<(AppId, Change)>,
) -> Vec<(AppId, StoredChange)> {
    let mut given: HashMap<AppId, u64> = HashMap::new();
    let number = |(app, change): (AppId, Change)| {
        let seq = given.entry(app.clone()).or_insert_with(|| txn.last_change(&app));
        *seq += 1;
        let seq = *seq;
        (app, StoredChange { seq, time, change })
    };
    changes.into_iter().map(number).collect()
}

/// Executes the verdicts, stores the new bodies, and drops the oldest ones beyond the limits. Returns how many were
/// dropped.
fn add_quarantine<'a>(
    batch: &'a Batch,
    txn: &dyn Transaction,
    limits: QuarantineLimits,
    writes: &mut Vec<Write<'a>>,
) -> Result<u64> {
    let (verdicts, added) = (&batch.verdicts, &batch.quarantined);
    if !verdicts.released.is_empty() {
        writes.push(Write::DeleteQuarantined(verdicts.released.clone()));
    }
    let kept = verdicts.kept.iter();
    writes.extend(kept.map(|(seq, reason, detail)| Write::SetQuarantineReason(*seq, reason, detail)));
    if added.is_empty() {
        return Ok(0);
    }
    let mut excess = Excess::of(batch, txn, limits)?;
    let dropped = excess.drop_stored(txn, &verdicts.released)?;
    let is_miscounted = excess.is_over() && excess.bodies > added.len() as u64;
    if is_miscounted {
        excess.bodies = added.len() as u64;
    }
    let skipped = excess.drop_added(added);
    writes.extend(added[skipped..].iter().map(Write::AddQuarantined));
    let count = (dropped.len() + skipped) as u64;
    if !dropped.is_empty() {
        writes.push(Write::DeleteQuarantined(dropped));
    }
    if is_miscounted {
        writes.push(Write::RecountQuarantine);
    }
    Ok(count)
}

/// The bodies in quarantine after a batch, as long as they are beyond the limits.
struct Excess {
    bodies: u64,
    bytes: u64,
    limits: QuarantineLimits,
}

impl Excess {
    fn of(batch: &Batch, txn: &dyn Transaction, limits: QuarantineLimits) -> Result<Self> {
        let state = txn.journal_state();
        let released: BTreeSet<Seq> = batch.verdicts.released.iter().copied().collect();
        let gone = txn.rows().quarantined_sizes(&released.into_iter().collect::<Vec<_>>())?;
        let new: u64 = batch.quarantined.iter().map(|body| body.body.len() as u64).sum();
        let bodies = (state.quarantined + batch.quarantined.len() as u64)
            .saturating_sub(gone.iter().flatten().count() as u64);
        let bytes = (state.quarantined_bytes + new).saturating_sub(gone.iter().flatten().sum());
        Ok(Self { bodies, bytes, limits })
    }

    /// The last body stays, however large.
    fn is_over(&self) -> bool {
        self.bodies > 1 && (self.bodies > self.limits.bodies || self.bytes > self.limits.bytes)
    }

    fn drop_one(&mut self, bytes: u64) {
        self.bodies -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Drops stored bodies, the oldest first.
    fn drop_stored(&mut self, txn: &dyn Transaction, released: &[Seq]) -> Result<Vec<Seq>> {
        let (mut dropped, mut after) = (Vec::new(), 0);
        while self.is_over() {
            let page = txn.rows().quarantined_sizes_after(after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for body in page.iter().filter(|body| !released.contains(&body.seq)) {
                if self.is_over() {
                    self.drop_one(body.bytes);
                    dropped.push(body.seq);
                }
            }
        }
        Ok(dropped)
    }

    /// Drops bodies of the batch, the oldest first. Returns how many.
    fn drop_added(&mut self, added: &[Quarantined]) -> usize {
        let dropped = added.iter().take_while(|body| {
            let is_over = self.is_over();
            if is_over {
                self.drop_one(body.body.len() as u64);
            }
            is_over
        });
        dropped.count()
    }
}

/// Stores the clock and the answers, and deletes a few of the oldest answers for each new one.
fn add_answers(
    batch: &Batch,
    txn: &dyn Transaction,
    state: &WriterState,
    writes: &mut Vec<Write<'_>>,
) -> Result<()> {
    if batch.clock > txn.journal_state().clock {
        writes.push(Write::SetClock(batch.clock));
    }
    if batch.answers.is_empty() {
        return Ok(());
    }
    let oldest = txn.rows().oldest_answers(OLD_ANSWERS * batch.answers.len())?.into_iter();
    let old = oldest.filter(|(_, time)| *time < batch.now - ANSWERS_KEPT).map(|(row, _)| row);
    let old: Vec<i64> = old.collect();
    // Before the new ones, which may get the number of a row that is deleted.
    if !old.is_empty() {
        writes.push(Write::DeleteAnswers(old));
    }
    for answer in &batch.answers {
        let (key, with) = state.answer_key.hide(&answer.key);
        let Answered { app, fingerprint, time, answer, .. } = answer.clone();
        let fingerprint = cover(fingerprint, with);
        writes.push(Write::PutAnswer(StoredAnswer { app, key, fingerprint, time, answer }));
    }
    Ok(())
}
