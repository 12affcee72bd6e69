//! Numbers the changes of a commit.

use std::collections::BTreeMap;

use crate::domain::{AppId, Change};
use crate::store::tables::{Feed, NewChange, StoredChange};
use crate::store::{Result, RowCells, Seq, Transaction, Write};

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

    /// Adds the writes.
    pub(super) fn append_to<'a>(&'a self, writes: &mut Vec<Write<'a>>) -> Result<()> {
        if !self.changes.is_empty() {
            writes.push(Write::Insert(RowCells::of(&self.changes)));
            writes.push(Write::Put(RowCells::of(&self.feeds)));
        }
        Ok(())
    }
}
