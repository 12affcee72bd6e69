//! The rows of the store in memory that its upkeep reads.

use rollcall::domain::{AppId, RecordKey, SmoochId};
use rollcall::store::maintenance_rows::*;
use rollcall::store::rows::*;
use rollcall::store::tables::StoredReceipt;
use rollcall::store::{Entry, ReadRow as _, Result, Seq};

use super::Snapshot;
use super::rows::page;

impl RetentionRows for Snapshot {
    fn oldest_entries(&self, up_to: Seq, limit: usize) -> Result<Vec<(Seq, i64)>> {
        Ok(self
            .state()?
            .entries
            .range(..=up_to)
            .take(limit)
            .map(|(seq, entry)| (*seq, entry.received))
            .collect())
    }

    fn body_sizes(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, u64)>> {
        let state = self.state()?;
        Ok(page(&state.bodies, Some(&after), limit)
            .map(|(first, packed)| (*first, packed.bytes.len() as u64))
            .collect())
    }

    fn batch_entries(&self, first: Seq) -> Result<Vec<Entry>> {
        let state = self.state()?;
        let end = page(&state.bodies, Some(&first), 1).next().map_or(Seq::MAX, |(next, _)| *next);
        Ok(state.entries.range(first..end).map(|(_, entry)| entry.clone()).collect())
    }

    fn feeds(&self) -> Result<Vec<(AppId, u64)>> {
        Ok(self.state()?.feeds.iter().map(|(app, last)| (app.clone(), *last)).collect())
    }

    fn oldest_changes(&self, app: &AppId, limit: usize) -> Result<Vec<(u64, i64)>> {
        Ok(self.state()?.changes_of(app).take(limit).map(|stored| (stored.seq, stored.time)).collect())
    }
}

impl ExaminationRows for Snapshot {
    fn damaged_entries(&self, seqs: &[Seq]) -> Result<Vec<Option<Entry>>> {
        self.entries(seqs)
    }

    fn damaged_entries_after(&self, after: Seq, limit: usize) -> Result<Vec<Entry>> {
        self.entries_after(after, limit)
    }

    fn deleted_ranges(&self, first: Seq, last: Seq) -> Result<Vec<(Seq, Seq)>> {
        let state = self.state()?;
        let ranges = state.deleted.iter().filter(|(from, to)| **from <= last && **to >= first);
        Ok(ranges.map(|(from, to)| (*from, *to)).collect())
    }

    fn last_known_entry(&self) -> Result<Seq> {
        let state = self.state()?;
        let receipt = StoredReceipt::select().descending().first(self)?.map(|receipt| receipt.seq);
        let known = [state.bodies.keys().last().copied(), receipt, Some(state.compaction_point.0)];
        Ok(known.into_iter().flatten().max().unwrap_or(0))
    }

    fn records_after(&self, after: Option<&RecordKey>, limit: usize) -> Result<Vec<(RecordKey, Vec<u8>)>> {
        Ok(page(&self.state()?.users, after, limit)
            .map(|(key, (_, user))| (key.clone(), user.record.clone()))
            .collect())
    }
}

impl StatusRows for Snapshot {
    fn rules_version(&self) -> Result<i64> {
        Ok(self.state()?.rules)
    }

    fn data_version(&self) -> Result<i64> {
        Ok(self.state()?.commits)
    }

    fn remaking(&self) -> Result<Vec<RemakingProgress>> {
        Ok(Vec::new())
    }
}

impl Snapshot {
    fn all_rebuilt(&self, table: RebuiltTable) -> Result<Vec<RebuiltRow>> {
        let state = self.state()?;
        let user = |(key, (_, user)): (&RecordKey, &(i64, StoredUser))| RebuiltRow {
            key: RowKey::User(key.clone()),
            content: Some(RowContent::User(user.clone())),
        };
        let identifier = |(app, kind, value, id): (AppId, String, String, SmoochId)| RebuiltRow {
            key: RowKey::Identifier { app, kind, value, id },
            content: Some(RowContent::Identifier),
        };
        Ok(match table {
            RebuiltTable::Users => state.users.iter().map(user).collect(),
            RebuiltTable::Identifiers => state.identifiers.iter().cloned().map(identifier).collect(),
        })
    }
}

impl RebuiltRows for Snapshot {
    fn rebuilt_after(
        &self,
        table: RebuiltTable,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<RebuiltRow>> {
        let rows = self.all_rebuilt(table)?.into_iter();
        Ok(rows.filter(|row| after.is_none_or(|after| row.key > *after)).take(limit).collect())
    }

    fn rebuilt(&self, keys: &[RowKey]) -> Result<Vec<RebuiltRow>> {
        let row = |key: &RowKey| {
            let found = self.all_rebuilt(key.table())?.into_iter().find(|row| row.key == *key);
            Ok(found.unwrap_or_else(|| RebuiltRow { key: key.clone(), content: None }))
        };
        keys.iter().map(row).collect()
    }

    fn count_rebuilt(&self, table: RebuiltTable) -> Result<u64> {
        Ok(self.all_rebuilt(table)?.len() as u64)
    }
}
