//! Retention: deletes what is old enough, the oldest first, a little at a time.

use super::body_bytes::{BodyBytes, BodyCounts, QuarantineCount};
use super::compaction::compact_entries;
use super::journal::last_entry_seq;
use super::tallies;
use crate::store::cell::Key;
use crate::store::rows::Rows;
use crate::store::select::{Comparison, Condition};
use crate::store::table::Table;
use crate::store::tables::{
    ANSWERS, AUDIT, AnswerTime, AuditTime, CHANGES, ChangeTime, EntryTime, Feed, GAPS, Gap, JOURNAL,
    QUARANTINE, QuarantinedSize,
};
use crate::store::{ANSWERS_KEPT, Entry, JournalState, ReadEvent, ReadRow as _, Result, Retention, Write};

/// Rows that one step deletes.
const STEP: usize = 64;
/// Bodies in quarantine that one step deletes: each can be as large as a webhook.
const QUARANTINED: usize = 2;

pub(super) struct RetentionStep<'a> {
    /// The rows of the transaction.
    pub rows: &'a dyn Rows,
    /// Where the journal stands.
    pub journal: JournalState,
    /// The limits.
    pub retention: &'a Retention,
    /// The time, in ms since 1970.
    pub now: i64,
    /// Reads events out of bodies.
    pub read: ReadEvent,
}

impl RetentionStep<'_> {
    /// The writes of the step, and whether there may be more to do at once.
    pub(super) fn plan(&self, bodies: &mut BodyCounts) -> Result<(Vec<Write<'static>>, bool)> {
        let (writes, is_measuring) = self.compact(&mut bodies.journal)?;
        if is_measuring || !writes.is_empty() {
            return Ok((writes, true));
        }
        let mut writes = self.delete_entries()?;
        if writes.is_empty() {
            writes.extend(self.delete_changes()?);
        }
        if writes.is_empty() {
            writes.extend(self.delete_quarantined(&mut bodies.quarantine)?);
        }
        if writes.is_empty() {
            writes.extend(self.delete_audited()?);
        }
        if writes.is_empty() {
            writes.extend(self.delete_answers()?);
        }
        if writes.is_empty() {
            writes.extend(tallies::delete_old(self.rows, self.now)?);
        }
        let more = !writes.is_empty();
        Ok((writes, more))
    }

    /// Compacts entries that reach a limit, or whose bodies do. Returns whether bodies are left to be measured.
    fn compact(&self, body_bytes: &mut BodyBytes) -> Result<(Vec<Write<'static>>, bool)> {
        let Retention { history_age, history_entries, bodies_age, bodies_bytes, .. } = *self.retention;
        if [history_age, bodies_age].iter().all(Option::is_none) && history_entries.or(bodies_bytes).is_none()
        {
            return Ok((Vec::new(), false));
        }
        let is_measuring = bodies_bytes.is_some() && body_bytes.measure(self.rows)?;
        let is_too_large = bodies_bytes.is_some_and(|most| body_bytes.bytes() > most);
        let last = last_entry_seq(self.rows)?;
        let may_go = |entry: &Entry| {
            let is_too_old = |age: Option<i64>| age.is_some_and(|age| entry.received < self.now - age);
            let are_too_many = history_entries.is_some_and(|most| last - entry.seq >= most);
            is_too_large || are_too_many || is_too_old(history_age) || is_too_old(bodies_age)
        };
        let writes = compact_entries(self.rows, self.journal.compacted.0, body_bytes, self.read, may_go)?;
        Ok((writes, is_measuring))
    }

    /// Deletes compacted entries. Their numbers then rightly have none.
    fn delete_entries(&self) -> Result<Vec<Write<'static>>> {
        let Retention { history_age, history_entries, .. } = *self.retention;
        if history_age.is_none() && history_entries.is_none() {
            return Ok(Vec::new());
        }
        let last = last_entry_seq(self.rows)?;
        let oldest =
            EntryTime::select().up_to("seq", &self.journal.compacted.0).limit(STEP).read(self.rows)?;
        let old = oldest.iter().take_while(|entry| {
            history_age.is_some_and(|age| entry.received < self.now - age)
                || history_entries.is_some_and(|most| last - entry.seq >= most)
        });
        let Some(EntryTime { seq, .. }) = old.last() else { return Ok(Vec::new()) };
        Ok(vec![
            Write::DeleteWhere(&GAPS, vec![Condition::new("last", Comparison::UpTo, seq).into_owned()]),
            Write::put(&Gap { first: 1, last: *seq }),
            Write::DeleteWhere(&JOURNAL, vec![Condition::new("seq", Comparison::UpTo, seq).into_owned()]),
        ])
    }

    fn delete_changes(&self) -> Result<Option<Write<'static>>> {
        let Retention { feed_age, feed_changes, .. } = *self.retention;
        if feed_age.is_none() && feed_changes.is_none() {
            return Ok(None);
        }
        for Feed { app, last } in Feed::select().read(self.rows)? {
            let oldest = ChangeTime::select().is("app", &app).limit(STEP).read(self.rows)?;
            let old = oldest.iter().take_while(|change| {
                feed_age.is_some_and(|age| change.time < self.now - age)
                    || feed_changes.is_some_and(|most| last - change.seq >= most)
            });
            if let Some(ChangeTime { seq, .. }) = old.last() {
                let of_app = Condition::new("app", Comparison::Is, &app).into_owned();
                let up_to = Condition::new("seq", Comparison::UpTo, seq).into_owned();
                return Ok(Some(Write::DeleteWhere(&CHANGES, vec![of_app, up_to])));
            }
        }
        Ok(None)
    }

    fn delete_quarantined(&self, count: &mut QuarantineCount) -> Result<Option<Write<'static>>> {
        let Some(age) = self.retention.quarantine_age else { return Ok(None) };
        let mut old = QuarantinedSize::select().limit(QUARANTINED).read(self.rows)?;
        old.retain(|body| body.received < self.now - age);
        old.iter().for_each(|body| count.remove(body.bytes));
        Ok(delete(&QUARANTINE, old.iter().map(|body| body.seq)))
    }

    fn delete_audited(&self) -> Result<Option<Write<'static>>> {
        let Some(age) = self.retention.audit_age else { return Ok(None) };
        let oldest = AuditTime::select().limit(STEP).read(self.rows)?.into_iter();
        let old = oldest.take_while(|entry| entry.time < self.now - age);
        Ok(delete(&AUDIT, old.map(|entry| entry.seq)))
    }

    /// Deletes answers that no call repeats any more.
    fn delete_answers(&self) -> Result<Option<Write<'static>>> {
        let oldest = AnswerTime::select().limit(STEP).read(self.rows)?.into_iter();
        let old = oldest.filter(|answer| answer.time < self.now - ANSWERS_KEPT);
        Ok(delete(&ANSWERS, old.map(|answer| answer.row)))
    }
}

/// Deletes the rows with these keys, if there are any.
fn delete<K: Key>(table: &'static Table, keys: impl Iterator<Item = K>) -> Option<Write<'static>> {
    let keys: Vec<K> = keys.collect();
    (!keys.is_empty()).then(|| Write::delete(table, &keys))
}
