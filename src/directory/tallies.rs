//! Tallies: how many events and changes each app had in a minute and in an hour. They are written with the batch whose
//! events they count, so that they equal the journal also after a crash.

use std::collections::{BTreeMap, HashMap};

use super::reader::DirectoryReader;
use crate::domain::AppId;
pub use crate::format::tally::{CountedBy, Tally};
use crate::store::rows::Rows;
use crate::store::select::{Comparison, Condition};
use crate::store::tables::{StoredTally, TALLIES, TallyTime};
use crate::store::{Entry, ReadRow as _, Result, RowCells, Write};

/// The length of the times that are counted, and how long their tallies are kept, both in ms.
pub const STEPS: [(i64, i64); 2] = [(MINUTE, 48 * HOUR), (HOUR, 400 * 24 * HOUR)];
/// A minute in ms.
pub const MINUTE: i64 = 60_000;
/// An hour in ms.
pub const HOUR: i64 = 60 * MINUTE;

/// The most tallies that the writer keeps in memory.
const MOST_KNOWN: usize = 256;

/// Counts that are not stored yet: of each app by the minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewCounts(BTreeMap<(AppId, i64), Tally>);

impl NewCounts {
    /// Adds a count at a time in ms since 1970. 0 adds nothing.
    pub fn add(&mut self, app: &AppId, time: i64, by: CountedBy, name: &str, count: u64) {
        if count > 0 {
            let minute = time - time.rem_euclid(MINUTE);
            self.0.entry((app.clone(), minute)).or_default().add(by, name, count);
        }
    }

    /// Counts journal entries by their outcome and their trigger.
    pub(super) fn add_entries(&mut self, entries: &[Entry]) {
        for entry in entries {
            let at = (&entry.app, entry.received);
            self.add(at.0, at.1, CountedBy::Outcome, entry.outcome.as_str(), 1);
            self.add(at.0, at.1, CountedBy::Trigger, &entry.trigger, 1);
        }
    }

    fn add_all(&mut self, other: &Self) {
        for (at, tally) in &other.0 {
            self.0.entry(at.clone()).or_default().add_all(tally);
        }
    }
}

/// A time of an app: the length and the start in ms, and the app.
type TallyKey = (i64, i64, AppId);

/// The tallies as the writer knows them.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    stored: HashMap<TallyKey, Tally>,
    /// Counts of batches that wrote nothing; they are stored with the next commit.
    pending: NewCounts,
}

impl Tallies {
    /// Keeps counts for the next commit.
    pub(super) fn hold(&mut self, counts: &NewCounts) {
        self.pending.add_all(counts);
    }

    /// The rows after these counts and those that are held.
    pub(super) fn plan(&self, rows: &dyn Rows, mut counts: NewCounts) -> Result<PlannedTallies> {
        counts.add_all(&self.pending);
        let mut planned = BTreeMap::new();
        for ((app, minute), tally) in &counts.0 {
            for (step, _) in STEPS {
                let key = (step, minute - minute.rem_euclid(step), app.clone());
                let known = match planned.remove(&key) {
                    Some(known) => known,
                    None => self.find(rows, &key)?,
                };
                let mut known: Tally = known;
                known.add_all(tally);
                planned.insert(key, known);
            }
        }
        Ok(PlannedTallies(planned))
    }

    fn find(&self, rows: &dyn Rows, key: &TallyKey) -> Result<Tally> {
        if let Some(known) = self.stored.get(key) {
            return Ok(known.clone());
        }
        let stored = StoredTally::find(rows, &(key.0, key.1, &key.2))?;
        Ok(stored.map(|stored| read_counts(&stored)).unwrap_or_default())
    }

    /// Notes that these rows are committed.
    pub(super) fn note_committed(&mut self, planned: PlannedTallies) {
        self.pending = NewCounts::default();
        if self.stored.len() + planned.0.len() > MOST_KNOWN {
            self.stored.clear();
        }
        self.stored.extend(planned.0);
    }
}

/// Tallies as a commit writes them.
#[derive(Debug)]
pub(super) struct PlannedTallies(BTreeMap<TallyKey, Tally>);

impl PlannedTallies {
    /// The write, if there is anything to be written.
    pub(super) fn to_write(&self) -> Option<Write<'static>> {
        let row = |((step, start, app), tally): (&TallyKey, &Tally)| StoredTally {
            step: *step,
            start: *start,
            app: app.clone(),
            counts: tally.encode(),
        };
        let rows: Vec<StoredTally> = self.0.iter().map(row).collect();
        (!rows.is_empty()).then(|| Write::Put(RowCells::of(&rows).into_owned()))
    }
}

/// Counts are no reason to refuse an event, so a damaged tally begins again.
fn read_counts(stored: &StoredTally) -> Tally {
    Tally::decode(&stored.counts).unwrap_or_else(|| {
        let StoredTally { step, start, app, .. } = stored;
        tracing::warn!(step, start, %app, "the tally of {step} ms from {start} on is damaged and begins again");
        Tally::default()
    })
}

/// Deletes the tallies of a step that are kept no longer; `now` in ms since 1970.
pub(super) fn delete_old(rows: &dyn Rows, now: i64) -> Result<Option<Write<'static>>> {
    for (step, kept) in STEPS {
        let oldest = TallyTime::select().is("step", &step).first(rows)?;
        if oldest.is_some_and(|oldest| oldest.start < now - kept) {
            let of_step = Condition::new("step", Comparison::Is, &step).into_owned();
            let old = Condition::new("start", Comparison::UpTo, &(now - kept - 1)).into_owned();
            return Ok(Some(Write::DeleteWhere(&TALLIES, vec![of_step, old])));
        }
    }
    Ok(None)
}

impl DirectoryReader {
    /// The tallies of one length that start within a time, its end excluded, in order; all in ms.
    pub fn read_tallies(&self, step: i64, from: i64, to: i64) -> Result<Vec<(i64, AppId, Tally)>> {
        let last = to - 1;
        let stored = StoredTally::select().is("step", &step).from("start", &from).up_to("start", &last);
        let stored = stored.read(&*self.snapshot()?)?;
        let tally = |stored: StoredTally| {
            let tally = read_counts(&stored);
            (stored.start, stored.app, tally)
        };
        Ok(stored.into_iter().map(tally).collect())
    }

    /// The start of the oldest tally of one length, in ms since 1970.
    pub fn oldest_tally(&self, step: i64) -> Result<Option<i64>> {
        let oldest = TallyTime::select().is("step", &step).first(&*self.snapshot()?)?;
        Ok(oldest.map(|oldest| oldest.start))
    }
}
