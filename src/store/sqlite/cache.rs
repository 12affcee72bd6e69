//! Records that a batch has just used: whoever writes now is likely to write again soon.

use hashbrown::HashMap;

use crate::domain::{Directory, Key, Record};

/// Records in each of the two generations. A few kilobytes each.
const GENERATION: usize = 2048;

/// A row of `app_users` as it was last committed.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) rowid: i64,
    pub(super) record: Record,
}

/// The rows of the last batches. Only the worker writes, so they are what the file holds.
#[derive(Default)]
pub(super) struct Cache {
    young: HashMap<Key, Row>,
    old: HashMap<Key, Row>,
    /// The rows of the batch that is under way, taken from here or from the file.
    rowids: HashMap<Key, i64>,
}

impl Cache {
    /// Forgets the rows of the batch before: it was kept, or has failed.
    pub(super) fn begin(&mut self) {
        self.rowids.clear();
    }

    /// Takes a record out, if it is here. Should the batch fail, it is read from the file again.
    pub(super) fn take(&mut self, key: &Key) -> Option<Record> {
        let row = self.young.remove(key).or_else(|| self.old.remove(key))?;
        self.note(key, row.rowid);
        Some(row.record)
    }

    /// Notes where a record of the batch under way is kept.
    pub(super) fn note(&mut self, key: &Key, rowid: i64) {
        self.rowids.insert(key.clone(), rowid);
    }

    /// Where a record of the batch under way is kept.
    pub(super) fn rowid(&self, key: &Key) -> Option<i64> {
        self.rowids.get(key).copied()
    }

    /// Keeps the records of a batch that is committed.
    pub(super) fn keep(&mut self, committed: Directory) {
        for (key, record) in committed.into_records() {
            if let Some(rowid) = self.rowids.remove(&key) {
                if self.young.len() >= GENERATION {
                    self.old = std::mem::take(&mut self.young);
                }
                self.young.insert(key, Row { rowid, record });
            }
        }
    }
}
