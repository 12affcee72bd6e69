//! The rows of the store in memory that its upkeep reads.

use rollcall::domain::{AppId, RecordKey, SmoochId};
use rollcall::store::maintenance_rows::*;
use rollcall::store::rows::*;
use rollcall::store::{Entry, Quarantined, Result, Seq};

use super::rows::page;
use super::{Snapshot, State};

impl AnswerRows for Snapshot {
    fn answer(&self, app: &AppId, key: &str) -> Result<Option<StoredAnswer>> {
        Ok(self.state()?.answers.values().find(|stored| (&stored.app, &*stored.key) == (app, key)).cloned())
    }

    fn oldest_answers(&self, limit: usize) -> Result<Vec<(i64, i64)>> {
        Ok(page(&self.state()?.answers, None, limit).map(|(row, stored)| (*row, stored.time)).collect())
    }

    fn answers_after(&self, app: &AppId, row: i64, limit: usize) -> Result<Vec<(i64, Vec<u8>)>> {
        let state = self.state()?;
        let of_app = page(&state.answers, Some(&row), usize::MAX).filter(|(_, stored)| stored.app == *app);
        Ok(of_app.take(limit).map(|(row, stored)| (*row, stored.answer.clone())).collect())
    }

    fn answer_secret(&self) -> Result<[u8; 32]> {
        Ok([7; 32])
    }
}

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

    fn quarantined_sizes_after(&self, after: Seq, limit: usize) -> Result<Vec<QuarantinedSize>> {
        let size = |(seq, body): (&Seq, &Quarantined)| {
            let (received, bytes) = (body.received, body.body.len() as u64);
            QuarantinedSize { seq: *seq, received, bytes }
        };
        Ok(page(&self.state()?.quarantine, Some(&after), limit).map(size).collect())
    }

    fn quarantined_sizes(&self, seqs: &[Seq]) -> Result<Vec<Option<u64>>> {
        let state = self.state()?;
        Ok(seqs.iter().map(|seq| state.quarantine.get(seq).map(|body| body.body.len() as u64)).collect())
    }
}

impl ReceiptRows for Snapshot {
    fn next_open_receipt(&self) -> Result<Option<StoredReceipt>> {
        let state = self.state()?;
        let open = state.receipts.values().filter(|receipt| receipt.done.is_none());
        let first = open.min_by_key(|receipt| {
            let work =
                receipt.work.as_deref().and_then(|work| serde_json::from_str::<serde_json::Value>(work).ok());
            let stage = work.map(|work| (work["stage"].get("Journal").is_none(), work["stage"] == "Sweep"));
            (stage, receipt.seq)
        });
        Ok(first.cloned())
    }

    fn open_receipts_after(&self, app: &AppId, after: Seq) -> Result<Vec<StoredReceipt>> {
        let state = self.state()?;
        let later = page(&state.receipts, Some(&after), usize::MAX).map(|(_, receipt)| receipt);
        Ok(later.filter(|receipt| receipt.app == *app && receipt.done.is_none()).cloned().collect())
    }

    fn have_tombstones(&self, keys: &[RecordKey]) -> Result<Vec<bool>> {
        let state = self.state()?;
        Ok(keys.iter().map(|key| state.tombstones.contains_key(key)).collect())
    }

    fn tombstones_after(&self, after: Option<&RecordKey>, limit: usize) -> Result<Vec<RecordKey>> {
        Ok(page(&self.state()?.tombstones, after, limit).map(|(key, _)| key.clone()).collect())
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
        let known =
            [state.bodies.keys().last(), state.receipts.keys().last(), Some(&state.compaction_point.0)];
        Ok(known.into_iter().flatten().copied().max().unwrap_or(0))
    }

    fn records_after(&self, after: Option<&RecordKey>, limit: usize) -> Result<Vec<(RecordKey, Vec<u8>)>> {
        Ok(page(&self.state()?.users, after, limit)
            .map(|(key, (_, user))| (key.clone(), user.record.clone()))
            .collect())
    }
}

impl QuarantineRows for Snapshot {
    fn quarantined_matching(&self, filter: &RowFilter, limit: usize) -> Result<Vec<QuarantinedSummary>> {
        let state = self.state()?;
        let seqs = State::matching(&state.quarantine, filter, limit, |body| {
            (&body.app, &*body.reason, body.received)
        });
        let summary = |seq| {
            let Quarantined { app, received, reason, detail, body, .. } = state.quarantine[&seq].clone();
            QuarantinedSummary { seq, app, received, reason, detail, bytes: body.len() as u64 }
        };
        Ok(seqs.into_iter().map(summary).collect())
    }

    fn quarantined(&self, seq: Seq) -> Result<Option<Quarantined>> {
        Ok(self.state()?.quarantine.get(&seq).cloned())
    }

    fn quarantined_after(
        &self,
        app: Option<&AppId>,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<(Seq, Quarantined)>> {
        let state = self.state()?;
        let later = page(&state.quarantine, Some(&after), usize::MAX);
        let found = later.filter(|(_, body)| app.is_none_or(|app| body.app == *app)).take(limit);
        Ok(found.map(|(seq, body)| (*seq, body.clone())).collect())
    }

    fn count_quarantined(&self) -> Result<u64> {
        Ok(self.state()?.quarantine.len() as u64)
    }

    fn count_quarantined_bytes(&self) -> Result<u64> {
        Ok(self.state()?.quarantine.values().map(|body| body.body.len() as u64).sum())
    }
}

impl ErasureRows for Snapshot {
    fn erasure_receipt(&self, app: &AppId, id: &SmoochId) -> Result<Option<ReceiptState>> {
        let state = self.state()?;
        let receipt =
            state.tombstones.get(&(app.clone(), id.clone())).and_then(|seq| state.receipts.get(seq));
        Ok(receipt.map(|receipt| {
            let StoredReceipt { seq, time, done, ref counts, .. } = *receipt;
            ReceiptState { seq, time, done, counts: serde_json::from_str(counts).unwrap() }
        }))
    }

    fn ids_of_receipt(&self, app: &AppId, receipt: Seq) -> Result<Vec<SmoochId>> {
        let state = self.state()?;
        let of = state.tombstones.iter().filter(|((of, _), seq)| of == app && **seq == receipt);
        Ok(of.map(|((_, id), _)| id.clone()).collect())
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
