//! Erasure: an erased app user is deleted everywhere, a little at a time.
//!
//! The entry that erases an app user buries its record, and leaves a tombstone and a receipt with the work that is left.
//! Each step continues an open receipt: first the app user's own journal, then every body and every other row that may
//! mention it, of all open receipts together. Then the store overwrites what deleted rows left in the file, and empties
//! its log.

mod encodings;
mod ids;
mod needles;
mod places;
mod receipt;
mod redact;
mod spellings;

use std::collections::{BTreeMap, BTreeSet};

use super::batch::Erasure;
use super::body_bytes::BodyCounts;
use super::compacted::read_compacted;
use super::compaction::put_compacted;
use super::load::Loader;
use super::overlay::Overlay;
use crate::domain::{AppId, Edge, Reason, Recent, Record, RecordKey, Register, SmoochId};
use crate::format::erasure_work::{ErasureStage, ErasureWork, Needles};
use crate::store::rows::{RecordRows as _, Rows};
use crate::store::tables::{IdentifierKind, StoredReceipt, Tombstone};
use crate::store::{BodyReader, ErasureCounts, Result, RowCells, Seq, Store, Write};
pub use ids::Tombstones;
use receipt::{from_json, next_open_receipt, open_receipts_after, to_json};

/// A tombstone for each erased app user, and a receipt for each entry that erases. `rows` are those after the batch.
pub(super) fn begin_erasures(
    rows: &Overlay<'_>,
    erasures: &[Erasure],
    now: i64,
) -> Result<[Write<'static>; 2]> {
    let (mut tombstones, mut receipts) = (Vec::new(), Vec::new());
    let mut by_entry: BTreeMap<Seq, Vec<&Erasure>> = BTreeMap::new();
    for erasure in erasures {
        by_entry.entry(erasure.seq).or_default().push(erasure);
        let (app, id) = erasure.key.clone();
        tombstones.push(Tombstone { app, id, receipt: erasure.seq });
    }
    for (seq, erased) in by_entry {
        let records = || erased.iter().map(|erasure| &erasure.known);
        let mut needles = Needles::of(erased.iter().map(|erasure| (&erasure.key.1, &erasure.known)));
        let mut loader = Loader::new(rows);
        loader.groups(erased.iter().map(|erasure| erasure.key.clone()).collect())?;
        needles.kin = loader.directory.entries().map(|((_, id), _)| id.clone()).collect();
        for erasure in &erased {
            for user_id in erasure.known.user_ids() {
                // The erased carry none any more, so another app user carries it.
                let carriers = rows.holders(&[(&erasure.key.0, IdentifierKind::UserId, user_id)])?;
                if carriers.iter().any(|ids| !ids.is_empty()) {
                    needles.spare(user_id);
                }
            }
        }
        let ids: BTreeSet<SmoochId> = erased.iter().map(|erasure| erasure.key.1.clone()).collect();
        let stage = ErasureStage::Journal(records().filter_map(|record| record.head).collect());
        let names = |record: &Record| record.user_ids().len() + record.claims.len();
        let counts = ErasureCounts {
            records: erased.len() as u64,
            identifiers: records().map(names).sum::<usize>() as u64,
            ..ErasureCounts::default()
        };
        let app = erased.first().map_or_else(|| AppId::from(""), |erasure| erasure.key.0.clone());
        let (counts, work) = (to_json(&counts)?, Some(to_json(&ErasureWork { ids, needles, stage })?));
        receipts.push(StoredReceipt { seq, app, time: now, done: None, counts, work });
    }
    let (tombstones, receipts) = (RowCells::of(&tombstones), RowCells::of(&receipts));
    Ok([Write::Add(tombstones.into_owned()), Write::Put(receipts.into_owned())])
}

/// How far the erasures are, as far as the file does not say.
#[derive(Clone, Copy, Debug)]
pub struct ErasureProgress {
    may_be_open: bool,
    /// The receipt that is worked on, and how far its stage is: a step that finds nothing is not written down.
    searched: (Seq, u64),
}

impl Default for ErasureProgress {
    fn default() -> Self {
        Self { may_be_open: true, searched: (0, 0) }
    }
}

impl ErasureProgress {
    pub(super) fn note_begun(&mut self) {
        self.may_be_open = true;
    }

    /// Takes one step. Returns whether there was one; if an erasure only waits for a reader of the log, there was none.
    pub(super) fn step(
        &mut self,
        store: &mut dyn Store,
        bodies: &mut BodyCounts,
        now: i64,
        reading: &BodyReader,
    ) -> Result<bool> {
        if !self.may_be_open {
            return Ok(false);
        }
        let txn = store.begin()?;
        let Some(mut receipt) = next_open_receipt(txn.rows())? else {
            self.may_be_open = false;
            return Ok(false);
        };
        let mut work: ErasureWork = from_json(receipt.work.as_deref().unwrap_or(""))?;
        match &mut work.stage {
            ErasureStage::Sweep => {
                drop(txn);
                return finish_erasure(store, receipt, now);
            }
            ErasureStage::Pages(after) => {
                let after = u32::try_from(self.place_of(receipt.seq)).unwrap_or(0).max(*after);
                drop(txn);
                return self.scrub(store, receipt, after);
            }
            ErasureStage::Bodies(after) => *after = self.place_of(receipt.seq).max(*after),
            _ => {}
        }
        let mut writes = Vec::new();
        if matches!(work.stage, ErasureStage::Bodies(0)) {
            absorb(txn.rows(), &receipt, &mut work, &mut writes)?;
        }
        let before: ErasureCounts = from_json(&receipt.counts)?;
        let mut counted = *bodies;
        let (app, rows) = (receipt.app.clone(), txn.rows());
        let mut pass = ErasurePass {
            rows,
            app: &app,
            work: &work,
            counts: before,
            bodies: &mut counted,
            reading,
            writes,
        };
        let next = pass.stage()?;
        let ErasurePass { counts, mut writes, .. } = pass;
        if let ErasureStage::Bodies(after) = next
            && counts == before
            && after != 0
            && self.searched.0 == receipt.seq
        {
            // Nothing was found. After an interruption the search continues from the last place that was written.
            self.searched.1 = after;
            return Ok(true);
        }
        let searched = if let ErasureStage::Bodies(after) = next { (receipt.seq, after) } else { (0, 0) };
        work = match next {
            // The texts that were searched for go with everything else.
            ErasureStage::Pages(after) => {
                ErasureWork { stage: ErasureStage::Pages(after), ..ErasureWork::default() }
            }
            next => ErasureWork { stage: next, ..work },
        };
        (receipt.counts, receipt.work) = (to_json(&counts)?, Some(to_json(&work)?));
        writes.push(Write::put(&receipt));
        txn.commit(&writes)?;
        (self.searched, *bodies) = (searched, counted);
        Ok(true)
    }

    /// How far the search of a receipt is, if that was not written down.
    fn place_of(&self, receipt: Seq) -> u64 {
        if self.searched.0 == receipt { self.searched.1 } else { 0 }
    }

    fn scrub(&mut self, store: &mut dyn Store, receipt: StoredReceipt, after: u32) -> Result<bool> {
        let scrubbed = store.scrub_step(after)?;
        let stage = match scrubbed.next {
            Some(next) => {
                self.searched = (receipt.seq, u64::from(next));
                ErasureStage::Pages(next)
            }
            None => {
                self.searched = (0, 0);
                ErasureStage::Sweep
            }
        };
        if scrubbed.wrote || scrubbed.next.is_none() {
            let work = Some(to_json(&ErasureWork { stage, ..ErasureWork::default() })?);
            store.begin()?.commit(&[Write::put(&StoredReceipt { work, ..receipt })])?;
        }
        Ok(true)
    }
}

/// Empties the log, and completes the receipt: nothing is left of the erased, nor of what was searched for.
fn finish_erasure(store: &mut dyn Store, receipt: StoredReceipt, now: i64) -> Result<bool> {
    if !store.empty_log()? {
        return Ok(false);
    }
    let receipt = StoredReceipt { done: Some(now), work: None, ..receipt };
    store.begin()?.commit(&[Write::put(&receipt)])?;
    Ok(true)
}

/// Takes over the work of all other receipts that are as far as this one; they wait for the log.
fn absorb(
    rows: &dyn Rows,
    receipt: &StoredReceipt,
    work: &mut ErasureWork,
    writes: &mut Vec<Write<'static>>,
) -> Result<()> {
    for other in open_receipts_after(rows, &receipt.app, receipt.seq)? {
        let found: ErasureWork = from_json(other.work.as_deref().unwrap_or(""))?;
        if matches!(found.stage, ErasureStage::Bodies(0)) {
            work.ids.extend(found.ids);
            work.needles.join(found.needles);
            let swept = Some(to_json(&ErasureWork::default())?);
            writes.push(Write::put(&StoredReceipt { work: swept, ..other }));
        }
    }
    Ok(())
}

/// One step of a stage.
struct ErasurePass<'a> {
    rows: &'a dyn Rows,
    app: &'a AppId,
    work: &'a ErasureWork,
    counts: ErasureCounts,
    bodies: &'a mut BodyCounts,
    reading: &'a BodyReader,
    writes: Vec<Write<'static>>,
}

/// A merge that was derived: of an app user made here with the one that Smooch reported under its `userId`.
struct DerivedMerge {
    id: SmoochId,
    into: SmoochId,
    edge: Register<Edge>,
}

impl ErasurePass<'_> {
    /// Takes a step of the stage. Returns the stage to continue with.
    fn stage(&mut self) -> Result<ErasureStage> {
        use ErasureStage::{Answers, Audit, Base, Bodies, Changes, Journal, Pages, Quarantine, Sweep};
        Ok(match &self.work.stage {
            Journal(from) if from.is_empty() => Bodies(0),
            Journal(from) => {
                // The entry that is deleted here may be the only one that says why two are merged.
                let (records, changed) = self.read_compacted_merged()?;
                self.put_compacted_of(&records, &changed)?;
                Journal(self.redact_journal(from.clone())?)
            }
            Bodies(after) => self.redact_bodies(*after)?.map_or(Base, Bodies),
            Base => {
                self.redact_compacted()?;
                Changes(0)
            }
            Changes(after) => self.redact_changes(*after)?.map_or(Answers(0), Changes),
            Answers(after) => self.redact_answers(*after)?.map_or(Quarantine(0), Answers),
            Quarantine(after) => self.redact_quarantine(*after)?.map_or(Audit(0), Quarantine),
            Audit(after) => self.redact_audit(*after)?.map_or(Pages(0), Audit),
            Pages(_) | Sweep => Sweep,
        })
    }

    /// The merges of the erased that were derived from their `userId`s: with these gone, the journal has to say them.
    fn derived_merges(&self) -> Result<Vec<DerivedMerge>> {
        let mut found = Vec::new();
        let keys: Vec<RecordKey> = self.work.ids.iter().map(|id| (self.app.clone(), id.clone())).collect();
        for (id, stored) in self.work.ids.iter().zip(self.rows.records(&keys)?) {
            let record = stored.map(|stored| stored.decode("app_users")).transpose()?;
            let edges = record.map(|record| record.into).unwrap_or_default();
            let same = edges.into_iter().filter(|(_, edge)| edge.value.reason == Reason::SameUserId);
            found.extend(same.map(|(into, edge)| DerivedMerge { id: id.clone(), into, edge }));
        }
        Ok(found)
    }

    /// The compacted records of the erased and of those they are merged into, with the derived merges; and which of them
    /// these change.
    fn read_compacted_merged(&self) -> Result<(BTreeMap<RecordKey, Record>, BTreeSet<RecordKey>)> {
        let key = |id: &SmoochId| (self.app.clone(), id.clone());
        let merges = self.derived_merges()?;
        let ids = self.work.ids.iter().chain(merges.iter().map(|merge| &merge.into));
        let keys: Vec<RecordKey> = ids.map(key).collect();
        let stored = read_compacted(self.rows, &keys)?;
        let mut records: BTreeMap<RecordKey, Record> =
            keys.into_iter().zip(stored).filter_map(|(key, record)| Some((key, record?))).collect();
        let mut changed = BTreeSet::new();
        for DerivedMerge { id, into, edge } in merges {
            let Some(record) = records.get_mut(&key(&id)) else { continue };
            if record.into.get(&into).is_none_or(|known| *known < edge) {
                record.into.insert(into.clone(), edge);
                records.entry(key(&into)).or_default().from.insert(id.clone());
                changed.extend([key(&id), key(&into)]);
            }
        }
        Ok((records, changed))
    }

    fn put_compacted_of(
        &mut self,
        records: &BTreeMap<RecordKey, Record>,
        changed: &BTreeSet<RecordKey>,
    ) -> Result<()> {
        for key in changed {
            if let Some(record) = records.get(key) {
                self.writes.push(put_compacted(key, record)?);
            }
        }
        Ok(())
    }

    /// Redacts the compacted records. Later entries say who is removed or merged, except for derived merges.
    fn redact_compacted(&mut self) -> Result<()> {
        let (mut records, mut changed) = self.read_compacted_merged()?;
        for id in &self.work.ids {
            let key = (self.app.clone(), id.clone());
            let Some(record) = records.get_mut(&key) else { continue };
            let mut redacted = record.clone();
            redacted.clear_personal_data();
            redacted.recent = Recent::default();
            if redacted != *record {
                *record = redacted;
                changed.insert(key);
                self.counts.base += 1;
            }
        }
        self.put_compacted_of(&records, &changed)
    }
}
