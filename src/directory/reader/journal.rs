//! Reads of the journal and of the compacted records.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::DirectoryReader;
use crate::directory::compacted;
use crate::directory::history::{
    JournalHeads, JournalPiece, find_claimants, find_connected, find_entry_numbers, walk_back,
};
use crate::directory::journal::{BatchBody, checked_bodies_of, last_entry_seq, read_journal};
use crate::domain::{AppId, ClientId, Record, RecordKey, SmoochId};
use crate::store::rows::RowFilter;
use crate::store::{CompactionPoint, Entry, ReadEvent, Result, Seq};

impl DirectoryReader {
    /// At most `limit` entries after `after`, each with its body: fewer if these are large, none only at the end. A
    /// body is empty if it was deleted, which none is after the [`CompactionPoint`].
    pub fn read_journal(&self, after: Seq, limit: usize) -> Result<Vec<(Entry, Bytes)>> {
        read_journal(&*self.snapshot()?, after, limit)
    }

    /// At most `limit` matching entries.
    pub fn find_entries(&self, filter: &RowFilter, limit: usize) -> Result<Vec<Entry>> {
        filter.read(&*self.snapshot()?, "trigger", limit)
    }

    /// The body of each of these entries; empty if it was deleted. See [`checked_bodies_of`].
    pub fn read_bodies(&self, entries: &[Entry], read: ReadEvent) -> Result<Vec<BatchBody>> {
        checked_bodies_of(&*self.snapshot()?, entries, read)
    }

    /// The numbers of all entries about these app users.
    pub fn find_entry_numbers(&self, app: &AppId, ids: &BTreeSet<SmoochId>) -> Result<BTreeSet<Seq>> {
        find_entry_numbers(&*self.snapshot()?, app, ids)
    }

    /// The number of the last entry; 0 if there is none.
    pub fn last_entry_seq(&self) -> Result<Seq> {
        last_entry_seq(&*self.snapshot()?)
    }

    /// Every `_id` that merges, undone ones included, connect with one of these, with its last entry. Unknown `_id`s are
    /// left out.
    pub fn find_connected(&self, app: &AppId, ids: &[SmoochId]) -> Result<JournalHeads> {
        find_connected(&*self.snapshot()?, app, ids)
    }

    /// The claimants of these clients, and every `_id` that merges connect with them.
    pub fn find_claimants(&self, app: &AppId, clients: &[ClientId]) -> Result<JournalHeads> {
        find_claimants(&*self.snapshot()?, app, clients)
    }

    /// At most `limit` entries of these app users, newest first, backwards from those in `from`. Returns also where to
    /// continue.
    pub fn walk_back(
        &self,
        app: &AppId,
        of: &BTreeSet<SmoochId>,
        from: BTreeSet<Seq>,
        limit: usize,
    ) -> Result<JournalPiece> {
        walk_back(&*self.snapshot()?, app, of, from, limit)
    }

    /// How far the journal is compacted.
    pub fn compaction_point(&self) -> Result<CompactionPoint> {
        CompactionPoint::read(&*self.snapshot()?)
    }

    /// At most `limit` compacted records after `after`, in key order. A caller that reads all of them compares the
    /// compaction point before and after: if it moved, so did the records.
    pub fn read_compacted(
        &self,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        compacted::read_compacted_page(&*self.snapshot()?, after, limit)
    }

    /// The compacted records of these app users, without those that have none, and the compaction point.
    pub fn read_compacted_of(
        &self,
        app: &AppId,
        ids: &BTreeSet<SmoochId>,
    ) -> Result<(CompactionPoint, Vec<(RecordKey, Record)>)> {
        compacted::read_compacted_of(&*self.snapshot()?, app, ids)
    }
}
