//! Turns a batch into writes.

use std::collections::{BTreeMap, BTreeSet};

use super::batch::{Answered, Batch, Saved};
use super::body_bytes::QuarantineCount;
use super::erasure::begin_erasures;
use super::operator_jobs::forget_in_jobs;
use super::overlay::Overlay;
use super::tallies::CountedBy;
use super::transaction::{DirectoryTransaction, QuarantineLimits, WriterState};
use crate::domain::{AppId, Change, ChangeKind, Record, RecordKey};
use crate::format::answer_key::cover;
use crate::format::bodies::DICTIONARY;
use crate::format::list_columns::{Columns, moment};
use crate::format::record::encode;
use crate::store::rows::Rows;
use crate::store::tables::{
    ANSWERS, AnswerTime, Clock, Feed, IdentifierKind, IdentifierRow, NewChange, PackedBodies, QUARANTINE,
    QuarantineReason, QuarantinedSize, SESSIONS, SessionChange, StoredAnswer, StoredChange,
};
use crate::store::{
    ANSWERS_KEPT, Committed, Error, Quarantined, ReadRow as _, Result, RowCells, Seq, Transaction, UserWrite,
    Write,
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
        let mut counts = batch.counts.clone();
        counts.add_entries(&batch.entries);
        for (app, change) in &changes {
            counts.add(app, batch.now, CountedBy::Change, change.kind.as_str(), 1);
        }
        let tallies = state.tallies.plan(txn.rows(), counts)?;
        let last_entry =
            batch.entries.last().map_or(txn.journal_state().next_entry.saturating_sub(1), |last| last.seq);
        let changes = NewChanges::number(&*txn, batch.now, last_entry, changes);
        let packed = pack_bodies(batch, state)?;
        let identifiers = ChangedIdentifiers::of(batch);
        let mut writes = Vec::with_capacity(16);
        if let Some(packed) = &packed {
            writes.push(Write::Insert(RowCells::of(&batch.entries)));
            writes.push(Write::Put(RowCells::of([packed])));
        }
        writes.push(Write::PutUsers(user_writes(batch, &affected, state)?));
        saved.identity_conflicts = identifiers.conflicts;
        if !identifiers.gone.is_empty() {
            writes.push(Write::Delete(RowCells::of(&identifiers.gone)));
        }
        if !identifiers.new.is_empty() {
            writes.push(Write::Add(RowCells::of(&identifiers.new)));
        }
        changes.append_to(&mut writes)?;
        writes.extend(tallies.to_write());
        let (dropped, quarantined) = add_quarantine(batch, txn.rows(), state, &mut writes)?;
        saved.quarantine_dropped = dropped;
        add_answers(batch, &*txn, state, &mut writes)?;
        writes.extend(batch.sessions.iter().map(session_write));
        if !batch.audit.is_empty() {
            writes.push(Write::Insert(RowCells::of(&batch.audit)));
        }
        batch.jobs.append_to(&mut writes);
        if !batch.erasures.is_empty() {
            let overlay = Overlay::of_writes(txn.rows(), &writes)?;
            let erasing = begin_erasures(&overlay, &batch.erasures, batch.now)?;
            writes.extend(erasing);
            writes.extend(forget_in_jobs(&batch.jobs, txn.rows(), &batch.erasures)?);
        }
        let committed = txn.commit(&writes)?;
        state.bodies.quarantine = quarantined;
        state.note_committed(batch, &affected, &committed);
        state.tallies.note_committed(tallies);
        Ok((saved, committed))
    }
}

fn pack_bodies(batch: &Batch, state: &mut WriterState) -> Result<Option<PackedBodies>> {
    let Some(first) = batch.entries.first() else { return Ok(None) };
    let bytes = state.packer.pack(&batch.bodies)?;
    Ok(Some(PackedBodies { first: first.seq, dictionary: DICTIONARY, bytes }))
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

/// The identifiers that differ from those of the records.
struct ChangedIdentifiers<'a> {
    gone: Vec<IdentifierRow<'a>>,
    new: Vec<IdentifierRow<'a>>,
    /// The new carriers of a `userId` that another record carries.
    conflicts: u64,
}

impl<'a> ChangedIdentifiers<'a> {
    fn of(batch: &'a Batch) -> Self {
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
        Self { gone, new, conflicts }
    }
}

/// Executes the verdicts, stores the new bodies, and drops the oldest ones beyond the limits. Returns how many were
/// dropped, and what is in quarantine then.
fn add_quarantine<'a>(
    batch: &'a Batch,
    rows: &dyn Rows,
    state: &WriterState,
    writes: &mut Vec<Write<'a>>,
) -> Result<(u64, QuarantineCount)> {
    let (verdicts, added) = (&batch.verdicts, &batch.quarantined);
    let mut count = state.bodies.quarantine;
    if !verdicts.released.is_empty() {
        let released: BTreeSet<Seq> = verdicts.released.iter().copied().collect();
        let gone = QuarantinedSize::get(rows, &released)?;
        gone.iter().flatten().for_each(|body| count.remove(body.bytes));
        writes.push(Write::Delete(RowCells::of_keys(&QUARANTINE, &verdicts.released)));
    }
    for (seq, reason, detail) in &verdicts.kept {
        writes.push(Write::update(&QuarantineReason { seq: *seq, reason, detail }));
    }
    if added.is_empty() {
        return Ok((0, count));
    }
    added.iter().for_each(|body| count.add(body.body.len() as u64));
    let mut excess = Excess { count, limits: state.quarantine };
    let dropped = excess.drop_stored(rows, &verdicts.released)?;
    let is_miscounted = excess.is_over() && excess.count.bodies > added.len() as u64;
    if is_miscounted {
        excess.count.bodies = added.len() as u64;
    }
    let skipped = excess.drop_added(added);
    if is_miscounted {
        excess.count.bytes = added[skipped..].iter().map(|body| body.body.len() as u64).sum();
    }
    writes.push(Write::Insert(RowCells::of(&added[skipped..])));
    let count = (dropped.len() + skipped) as u64;
    if !dropped.is_empty() {
        writes.push(Write::Delete(RowCells::of_keys(&QUARANTINE, &dropped).into_owned()));
    }
    Ok((count, excess.count))
}

/// The bodies in quarantine after a batch, as long as they are beyond the limits.
struct Excess {
    count: QuarantineCount,
    limits: QuarantineLimits,
}

impl Excess {
    /// The last body stays, however large.
    fn is_over(&self) -> bool {
        let QuarantineCount { bodies, bytes } = self.count;
        bodies > 1 && (bodies > self.limits.bodies || bytes > self.limits.bytes)
    }

    /// Drops stored bodies, the oldest first.
    fn drop_stored(&mut self, rows: &dyn Rows, released: &[Seq]) -> Result<Vec<Seq>> {
        let (mut dropped, mut after) = (Vec::new(), 0);
        while self.is_over() {
            let page = QuarantinedSize::select().after(&after).limit(PAGE).read(rows)?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for body in page.iter().filter(|body| !released.contains(&body.seq)) {
                if self.is_over() {
                    self.count.remove(body.bytes);
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
                self.count.remove(body.body.len() as u64);
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
        writes.push(Write::update(&Clock { time: batch.clock }));
    }
    if batch.answers.is_empty() {
        return Ok(());
    }
    let oldest = AnswerTime::select().limit(OLD_ANSWERS * batch.answers.len()).read(txn.rows())?.into_iter();
    let old = oldest.filter(|answer| answer.time < batch.now - ANSWERS_KEPT).map(|answer| answer.row);
    let old: Vec<i64> = old.collect();
    // Before the new ones, which may get the number of a row that is deleted.
    if !old.is_empty() {
        writes.push(Write::delete(&ANSWERS, &old));
    }
    let answers = batch.answers.iter().map(|answer| {
        let (key, with) = state.answer_key.hide(&answer.key);
        let Answered { app, fingerprint, time, answer, .. } = answer.clone();
        StoredAnswer { app, key, fingerprint: cover(fingerprint, with), time, answer }
    });
    let answers: Vec<StoredAnswer> = answers.collect();
    writes.push(Write::Put(RowCells::of(&answers).into_owned()));
    Ok(())
}

fn session_write(change: &SessionChange) -> Write<'_> {
    match change {
        SessionChange::Put(session) => Write::Put(RowCells::of([session])),
        SessionChange::End(cookie) => Write::Delete(RowCells::of_keys(&SESSIONS, [cookie])),
    }
}

/// The changes of a commit, each with the next number in the feed of its app.
pub(super) struct NewChanges {
    changes: Vec<NewChange>,
    feeds: Vec<Feed>,
}

impl NewChanges {
    /// Numbers changes that come from a journal entry; `time` in ms since 1970.
    pub(super) fn number(
        txn: &dyn Transaction,
        time: i64,
        entry: Seq,
        changes: Vec<(AppId, Change)>,
    ) -> Self {
        let mut last: BTreeMap<AppId, u64> = BTreeMap::new();
        let number = |(app, change): (AppId, Change)| {
            let seq = last.entry(app.clone()).or_insert_with(|| txn.last_change(&app));
            *seq += 1;
            NewChange { app, entry, stored: StoredChange { seq: *seq, time, change } }
        };
        let changes = changes.into_iter().map(number).collect();
        Self { changes, feeds: last.into_iter().map(|(app, last)| Feed { app, last }).collect() }
    }

    pub(super) fn append_to<'a>(&'a self, writes: &mut Vec<Write<'a>>) -> Result<()> {
        if !self.changes.is_empty() {
            writes.push(Write::Insert(RowCells::of(&self.changes)));
            writes.push(Write::Put(RowCells::of(&self.feeds)));
        }
        Ok(())
    }
}
