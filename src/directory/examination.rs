//! Finds holes in the journal: numbers without an entry, entries without their app users or their body. Each entry
//! links every app user to that user's entry before, and each record links to the user's last entry, so the app
//! users of a hole are known (decision 33).

use std::collections::BTreeSet;

use bytes::Bytes;

use super::compacted::read_compacted;
use super::journal::UnpackedBatch;
use crate::domain::{AppId, Event, Record, RecordKey, SmoochId};
use crate::format::record::decode;
use crate::store::rows::Rows;
use crate::store::tables::{
    BodySize, DamagedEntry, EntryTime, Gap, Horizon, StoredReceipt, Tombstone, UserRecord,
};
use crate::store::{self, Entry, Error, Hole, Lost, ReadEvent, ReadRow as _, Result, Seq};

const STEP: usize = 64;

/// Bytes of bodies after which a page ends.
pub const PAGE_BYTES: usize = 16 << 20;

/// An examination of the journal, page by page from its first entry.
#[derive(Debug, Default)]
pub struct Examination {
    /// The last entry examined.
    last: Seq,
    /// The last record examined.
    after: Option<RecordKey>,
    holes: Vec<Hole>,
    /// App users with a hole in their entries.
    lacking: BTreeSet<RecordKey>,
    /// In the second pass over the records, which looks for removed app users.
    is_second_pass: bool,
}

impl Examination {
    /// Starts after an entry.
    pub fn after(last: Seq) -> Self {
        Self { last, ..Self::default() }
    }

    /// The holes, ordered by number.
    pub fn holes(&self) -> Vec<Hole> {
        let mut found = self.holes.clone();
        found.sort_by_key(|hole| (hole.lost != Lost::Entry, hole.first));
        let mut holes: Vec<Hole> = Vec::new();
        for hole in found {
            match holes.last_mut() {
                Some(last) if last.lost == hole.lost && hole.first <= last.last + 1 => {
                    last.last = last.last.max(hole.last);
                }
                _ => holes.push(hole),
            }
        }
        holes.sort_by_key(|hole| hole.first);
        holes
    }

    /// App users with a hole in their entries, so far.
    pub fn lacking(&self) -> &BTreeSet<RecordKey> {
        &self.lacking
    }

    /// The last entry examined.
    pub fn last(&self) -> Seq {
        self.last
    }

    /// Examines the next entries, up to `limit` entries and about `limit` bytes of bodies, while `accepts` takes them.
    /// Returns those found, each with its event if the body is needed and whole. All rows must be of one moment.
    pub fn page(
        &mut self,
        rows: &dyn Rows,
        limit: (usize, usize),
        read: ReadEvent,
        mut accepts: impl FnMut(&Entry) -> bool,
    ) -> Result<Vec<(Entry, Option<Event>)>> {
        let compacted = Horizon::only(rows)?.seq;
        let (mut page, mut bodies, mut bytes) = (Vec::new(), UnpackedBatch::default(), 0);
        while page.len() < limit.0 && bytes < limit.1 {
            let limit_of_step = STEP.min(limit.0 - page.len());
            let step = DamagedEntry::select().after(&self.last).limit(limit_of_step).read(rows)?;
            if step.is_empty() {
                break;
            }
            for DamagedEntry(entry) in step {
                if bytes >= limit.1 {
                    break;
                }
                if !accepts(&entry) {
                    return Ok(page);
                }
                let event = self.entry(rows, compacted, &mut bodies, &entry, read, &mut bytes)?;
                page.push((entry, event));
            }
        }
        Ok(page)
    }

    /// Examines the next entry. Returns its event if the body is needed and whole.
    fn entry(
        &mut self,
        rows: &dyn Rows,
        compacted: Seq,
        bodies: &mut UnpackedBatch,
        entry: &Entry,
        read: ReadEvent,
        bytes: &mut usize,
    ) -> Result<Option<Event>> {
        if entry.users.is_empty() {
            self.add_hole(entry.seq, entry.seq, Lost::Users);
        }
        for (first, last) in missing_ranges(rows, self.last + 1, entry.seq - 1)? {
            self.add_hole(first, last, Lost::Entry);
        }
        self.last = entry.seq;
        self.links(rows, entry)?;
        if entry.seq <= compacted {
            return Ok(None);
        }
        let body = body(rows, bodies, entry)?;
        *bytes += body.as_ref().map_or(0, Bytes::len);
        let event = body.and_then(|body| store::event(entry, &body, read).ok());
        if event.is_none() {
            self.add_hole(entry.seq, entry.seq, Lost::Body);
            let users = entry.users.iter().map(|(id, _)| (entry.app.clone(), id.clone()));
            self.lacking.extend(users);
        }
        Ok(event)
    }

    /// The entry before, of each app user, must exist and name the app user.
    fn links(&mut self, rows: &dyn Rows, entry: &Entry) -> Result<()> {
        let linked: Vec<(&SmoochId, Seq)> =
            entry.users.iter().filter_map(|(id, before)| Some((id, (*before)?))).collect();
        let seqs: Vec<Seq> = linked.iter().map(|(_, seq)| *seq).collect();
        for ((id, before), found) in linked.into_iter().zip(DamagedEntry::get(rows, &seqs)?) {
            let names = UserNamed::of(rows, found.as_ref().map(|found| &found.0), before, &entry.app, id)?;
            let key = (entry.app.clone(), id.clone());
            if names == UserNamed::Yes
                || names == UserNamed::Deleted
                || Tombstone::find(rows, &key)?.is_some()
            {
                continue;
            }
            if names == UserNamed::No {
                self.add_hole(before, before, Lost::Users);
            }
            self.lacking.insert(key);
        }
        Ok(())
    }

    /// Call once all entries of a snapshot are examined. Finds missing entries after the last one, by the numbers
    /// in bodies, receipts and the compaction point.
    pub fn end(&mut self, rows: &dyn Rows) -> Result<()> {
        let last = last_known_entry(rows)?;
        // The last entries may have been removed by retention.
        while let Some((_, end)) = deleted_range(rows, self.last + 1)? {
            self.last = end;
        }
        if last > self.last {
            self.add_hole(self.last + 1, last, Lost::Entry);
        }
        Ok(())
    }

    /// Examines the next records, up to `limit`, once all entries are examined. Returns how many there were. All rows
    /// must be of one moment. If there are holes, all records are read a second time: a missing entry may be the one
    /// that removed or erased an app user, and the record of an erased user has no link to it.
    pub fn records(&mut self, rows: &dyn Rows, limit: usize, read: ReadEvent) -> Result<usize> {
        let count = self.some_records(rows, limit, read)?;
        if count > 0 || self.is_second_pass || self.holes.is_empty() {
            return Ok(count);
        }
        (self.is_second_pass, self.after) = (true, None);
        self.some_records(rows, limit, read)
    }

    fn some_records(&mut self, rows: &dyn Rows, limit: usize, read: ReadEvent) -> Result<usize> {
        let page = match UserRecord::select().after_last(self.after.as_ref()).limit(limit).read(rows) {
            // The lost table is reported as a fault of its own.
            Err(Error::Derived { .. }) => return Ok(0),
            page => page?,
        };
        let count = page.len();
        for UserRecord { app, id, record } in page {
            let key = (app, id);
            match decode(&record) {
                Ok(record) if !self.is_second_pass => self.head(rows, &key, &record, read)?,
                Ok(record) if record.removed => _ = self.lacking.insert(key.clone()),
                _ => {}
            }
            self.after = Some(key);
        }
        Ok(count)
    }

    /// The last entry of an app user must exist and name the app user.
    fn head(&mut self, rows: &dyn Rows, key: &RecordKey, record: &Record, read: ReadEvent) -> Result<()> {
        let Some(head) = record.head.filter(|_| !record.erased) else { return Ok(()) };
        let found = DamagedEntry::find(rows, &head)?.map(|found| found.0);
        let is_lacking = match UserNamed::of(rows, found.as_ref(), head, &key.0, &key.1)? {
            UserNamed::Yes => false,
            UserNamed::Missing => {
                self.add_missing_tail(rows, head)?;
                true
            }
            // Its result is in the compacted record, unless it was missing at the compaction.
            UserNamed::Deleted => {
                let compacted = read_compacted(rows, std::slice::from_ref(key))?.pop().flatten();
                compacted.is_none_or(|compacted| compacted.head != record.head)
            }
            UserNamed::No => {
                let is_about = found.map_or(Ok(true), |entry| is_about(rows, &entry, &key.1, read))?;
                if is_about {
                    self.add_hole(head, head, Lost::Users);
                }
                // Otherwise the record has the wrong head.
                is_about
            }
        };
        if is_lacking {
            self.lacking.insert(key.clone());
        }
        Ok(())
    }

    /// The entry `seq`, after the last one examined, is missing, and with it all entries in between.
    fn add_missing_tail(&mut self, rows: &dyn Rows, seq: Seq) -> Result<()> {
        if seq > self.last {
            let next = EntryTime::select().after(&self.last).first(rows)?;
            let has_more = next.is_some_and(|entry| entry.seq < seq);
            self.add_hole(if has_more { seq } else { self.last + 1 }, seq, Lost::Entry);
        }
        Ok(())
    }

    fn add_hole(&mut self, first: Seq, last: Seq, lost: Lost) {
        let known = |hole: &Hole| hole.lost == lost && hole.first <= first && last <= hole.last;
        if self.holes.iter().rev().take(64).any(known) {
            return;
        }
        match self.holes.last_mut() {
            Some(hole) if hole.lost == lost && hole.last + 1 == first => hole.last = last,
            _ => self.holes.push(Hole { first, last, lost }),
        }
    }
}

/// Whether an entry names an app user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UserNamed {
    Yes,
    No,
    /// There is no entry, and no reason for that.
    Missing,
    /// There is no entry, because retention or an erasure deleted it.
    Deleted,
}

impl UserNamed {
    fn of(rows: &dyn Rows, entry: Option<&Entry>, seq: Seq, app: &AppId, id: &SmoochId) -> Result<Self> {
        Ok(match entry {
            Some(entry) if entry.app == *app && entry.users.iter().any(|(user, _)| user == id) => Self::Yes,
            Some(_) => Self::No,
            None if deleted_range(rows, seq)?.is_some() => Self::Deleted,
            None => Self::Missing,
        })
    }
}

/// Returns true if the event of an entry is about this app user, or cannot be read; the entry does not name the app
/// user.
fn is_about(rows: &dyn Rows, entry: &Entry, id: &SmoochId, read: ReadEvent) -> Result<bool> {
    let body = body(rows, &mut UnpackedBatch::default(), entry)?.filter(|body| !body.is_empty());
    let event = body.and_then(|body| store::event(entry, &body, read).ok());
    Ok(event.is_none_or(|event| match id.is_app() {
        true => event.users().is_empty(),
        false => event.users().contains(&id),
    }))
}

/// The body of an entry, if it can be unpacked.
fn body(rows: &dyn Rows, bodies: &mut UnpackedBatch, entry: &Entry) -> Result<Option<Bytes>> {
    match bodies.body(rows, entry) {
        Ok((_, body)) => Ok(Some(body)),
        Err(Error::Hole(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The last entry that bodies, receipts or the compaction point speak of; 0 if none does.
fn last_known_entry(rows: &dyn Rows) -> Result<Seq> {
    let body = BodySize::select().descending().first(rows)?.map(|batch| batch.first);
    let receipt = StoredReceipt::select().descending().first(rows).map(|last| last.map(|last| last.seq));
    let compacted = Horizon::only(rows).map(|horizon| Some(horizon.seq));
    let mut last = body.unwrap_or(0);
    for found in [receipt, compacted] {
        last = match found {
            // A lost derived table proves nothing; it is reported as a fault of its own.
            Err(Error::Derived { .. }) => last,
            found => last.max(found?.unwrap_or(0)),
        };
    }
    Ok(last)
}

/// The range of deleted entries that contains a number.
fn deleted_range(rows: &dyn Rows, seq: Seq) -> Result<Option<(Seq, Seq)>> {
    let gap = Gap::select().up_to("first", &seq).descending().first(rows)?;
    Ok(gap.filter(|gap| gap.last >= seq).map(|gap| (gap.first, gap.last)))
}

/// The sub-ranges of `first..=last` that were not deleted.
fn missing_ranges(rows: &dyn Rows, first: Seq, last: Seq) -> Result<Vec<(Seq, Seq)>> {
    if first > last {
        return Ok(Vec::new());
    }
    let (mut at, mut missing) = (first, Vec::new());
    let within = Gap::select().after(&first).up_to("first", &last).read(rows)?;
    let gaps = deleted_range(rows, first)?.into_iter().chain(within.iter().map(|gap| (gap.first, gap.last)));
    for (from, to) in gaps {
        if from > at {
            missing.push((at, from - 1));
        }
        at = at.max(to + 1);
    }
    if at <= last {
        missing.push((at, last));
    }
    Ok(missing)
}
