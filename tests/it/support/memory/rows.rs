//! The rows of the store in memory. A search scans all of them.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use rollcall::domain::list::Sort;
use rollcall::domain::{AppId, RecordKey, SmoochId};
use rollcall::store::rows::*;
use rollcall::store::{CompactionPoint, Entry, Epoch, FeedEpoch, Result, Seq, Source};

use super::{Snapshot, State};

/// At most `limit` rows of a map after a key.
pub fn page<'m, K: Ord, V>(
    map: &'m BTreeMap<K, V>,
    after: Option<&K>,
    limit: usize,
) -> impl Iterator<Item = (&'m K, &'m V)> {
    map.range((after.map_or(Unbounded, Excluded), Unbounded)).take(limit)
}

impl State {
    fn users_of<'s>(
        &'s self,
        app: &'s AppId,
    ) -> impl DoubleEndedIterator<Item = (&'s SmoochId, i64, &'s StoredUser)> {
        let of_app = self.users.iter().filter(move |((of, _), _)| of == app);
        of_app.map(|((_, id), (row, user))| (id, *row, user))
    }

    fn in_row(&self, row: i64) -> Option<(&RecordKey, &StoredUser)> {
        self.users.iter().find(|(_, (number, _))| *number == row).map(|(key, (_, user))| (key, user))
    }

    pub fn changes_of<'s>(&'s self, app: &'s AppId) -> impl DoubleEndedIterator<Item = &'s StoredChange> {
        self.changes.iter().filter(move |((of, _), _)| of == app).map(|(_, stored)| stored)
    }

    /// The numbers of the rows that match, in the order of the filter.
    pub fn matching<T>(
        map: &BTreeMap<Seq, T>,
        filter: &RowFilter,
        limit: usize,
        of: impl Fn(&T) -> (&AppId, &str, i64),
    ) -> Vec<Seq> {
        let fits = |(seq, row): &(&Seq, &T)| {
            let (app, label, received) = of(row);
            (filter.from..=filter.to).contains(seq)
                && filter.app.as_ref().is_none_or(|is| is == app)
                && filter.label.as_ref().is_none_or(|is| is == label)
                && filter.since.is_none_or(|since| received >= since)
                && filter.until.is_none_or(|until| received <= until)
                && filter.seqs.as_ref().is_none_or(|seqs| seqs.contains(seq))
        };
        let mut found: Vec<Seq> = map.iter().filter(fits).map(|(seq, _)| *seq).collect();
        if filter.newest_first {
            found.reverse();
        }
        found.truncate(limit);
        found
    }
}

fn list_row(id: &SmoochId, row: i64, user: &StoredUser, sort: Sort) -> ListRow {
    let at = match sort {
        Sort::Id => 0,
        Sort::LastSeen => user.columns.last_seen,
        Sort::SignedUp => user.columns.signed_up,
    };
    ListRow { row, id: id.clone(), columns: user.columns.clone(), at }
}

impl RecordRows for Snapshot {
    fn records(&self, keys: &[RecordKey]) -> Result<Vec<Option<StoredRecord>>> {
        let state = self.state()?;
        let record = |key| {
            state.users.get(key).map(|(row, user)| StoredRecord { row: *row, bytes: user.record.clone() })
        };
        Ok(keys.iter().map(record).collect())
    }

    fn holders(&self, identifiers: &[Identifier<'_>]) -> Result<Vec<Vec<SmoochId>>> {
        let state = self.state()?;
        let of = |(app, kind, value): &Identifier<'_>| {
            let is = |row: &&(AppId, String, String, SmoochId)| {
                (&row.0, &*row.1, &*row.2) == (*app, kind.as_str(), *value)
            };
            state.identifiers.iter().filter(is).map(|row| row.3.clone()).collect()
        };
        Ok(identifiers.iter().map(of).collect())
    }
}

impl UserRows for Snapshot {
    fn record_in_row(&self, row: i64) -> Result<Option<Vec<u8>>> {
        Ok(self.state()?.in_row(row).map(|(_, user)| user.record.clone()))
    }

    fn ids_after(&self, app: &AppId, after: &str, limit: usize) -> Result<Vec<(SmoochId, bool)>> {
        let state = self.state()?;
        let users = state.users_of(app).filter(|(id, ..)| id.as_str() > after).take(limit);
        Ok(users.map(|(id, _, user)| (id.clone(), user.columns.listed)).collect())
    }

    fn listed_ids_after(&self, app: &AppId, after: &str, limit: usize) -> Result<Vec<SmoochId>> {
        let all = self.ids_after(app, after, usize::MAX)?.into_iter();
        Ok(all.filter_map(|(id, is_listed)| is_listed.then_some(id)).take(limit).collect())
    }

    fn apps(&self) -> Result<Vec<AppId>> {
        let mut apps: Vec<AppId> = self.state()?.users.keys().map(|(app, _)| app.clone()).collect();
        apps.dedup();
        Ok(apps)
    }

    fn count_listed(&self) -> Result<u64> {
        Ok(self.state()?.users.values().filter(|(_, user)| user.columns.listed).count() as u64)
    }
}

impl ListRows for Snapshot {
    fn list_indexes(&self) -> Result<ListIndexes> {
        Ok(ListIndexes { has_last_seen: true, has_words: true })
    }

    fn move_range(&self) -> Result<(Option<i64>, Option<i64>)> {
        let state = self.state()?;
        Ok((state.moves.first().map(|(.., first)| first.n), state.moves.last().map(|(.., last)| last.n)))
    }

    fn latest_seen(&self, app: &AppId) -> Result<Option<i64>> {
        let state = self.state()?;
        Ok(state
            .users_of(app)
            .filter(|(.., user)| user.columns.listed)
            .map(|(.., user)| user.columns.last_seen)
            .max())
    }

    fn walk_order(
        &self,
        app: &AppId,
        order: ListOrder,
        behind: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<ListRow>> {
        let (state, ListOrder { sort, descending }) = (self.state()?, order);
        let shown = state.users_of(app).filter(|(.., user)| sort == Sort::Id || user.columns.listed);
        let mut rows: Vec<ListRow> = shown.map(|(id, row, user)| list_row(id, row, user, sort)).collect();
        rows.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        if descending {
            rows.reverse();
        }
        let behind = behind.map(|(key, id)| (if sort == Sort::Id { 0 } else { key }, id));
        rows.retain(|row| {
            let at = (row.at, row.id.as_str());
            behind.is_none_or(|behind| if descending { at < behind } else { at > behind })
        });
        rows.truncate(limit);
        Ok(rows)
    }

    fn list_rows(&self, rows: &[i64], sort: Sort) -> Result<Vec<Option<ListRow>>> {
        let state = self.state()?;
        let read = |row: &i64| state.in_row(*row).map(|((_, id), user)| list_row(id, *row, user, sort));
        Ok(rows.iter().map(read).collect())
    }

    fn rows_with_words(&self, words: &[String], beginnings: &[String], limit: usize) -> Result<Vec<i64>> {
        let state = self.state()?;
        let fits = |user: &StoredUser| {
            let stored: Vec<&str> = user.columns.words.iter().flat_map(|words| words.split(' ')).collect();
            words.iter().all(|word| stored.contains(&&**word))
                && beginnings.iter().all(|start| stored.iter().any(|word| word.starts_with(&**start)))
        };
        let mut found: Vec<i64> =
            state.users.values().filter(|(_, user)| fits(user)).map(|(row, _)| *row).collect();
        found.sort_unstable();
        found.truncate(limit);
        Ok(found)
    }

    fn rows_in_range(
        &self,
        app: &AppId,
        sort: Sort,
        since: i64,
        before: i64,
        limit: usize,
    ) -> Result<Vec<i64>> {
        let state = self.state()?;
        let listed = state.users_of(app).filter(|(.., user)| user.columns.listed);
        let rows = listed.map(|(id, row, user)| list_row(id, row, user, sort));
        Ok(rows.filter(|row| (since..before).contains(&row.at)).map(|row| row.row).take(limit).collect())
    }

    fn moves_after(&self, app: &AppId, sort: Sort, after: i64, limit: usize) -> Result<Moves> {
        let state = self.state()?;
        let read: Vec<_> = state.moves.iter().filter(|(.., moved)| moved.n > after).take(limit).collect();
        let sort = if sort == Sort::SignedUp { sort } else { Sort::LastSeen };
        let asked = read.iter().filter(|(by, of, _)| *by == sort && of == app);
        let (found, last) =
            (asked.map(|(.., moved)| moved.clone()).collect(), read.last().map(|(.., last)| last.n));
        Ok(Moves { found, read: read.len(), last })
    }

    fn count_listed_of(&self, app: &AppId) -> Result<u64> {
        Ok(self.state()?.users_of(app).filter(|(.., user)| user.columns.listed).count() as u64)
    }
}

impl JournalRows for Snapshot {
    fn entries(&self, seqs: &[Seq]) -> Result<Vec<Option<Entry>>> {
        let state = self.state()?;
        Ok(seqs.iter().map(|seq| state.entries.get(seq).cloned()).collect())
    }

    fn entries_after(&self, after: Seq, limit: usize) -> Result<Vec<Entry>> {
        Ok(page(&self.state()?.entries, Some(&after), limit).map(|(_, entry)| entry.clone()).collect())
    }

    fn entries_matching(&self, filter: &RowFilter, limit: usize) -> Result<Vec<Entry>> {
        let state = self.state()?;
        let seqs = State::matching(&state.entries, filter, limit, |entry| {
            (&entry.app, &*entry.trigger, entry.received)
        });
        Ok(seqs.iter().map(|seq| state.entries[seq].clone()).collect())
    }

    fn users_of_entries(&self, app: &AppId, seqs: &[Seq]) -> Result<Vec<Option<EntryUsers>>> {
        let entries = self.entries(seqs)?.into_iter();
        Ok(entries.map(|entry| entry.filter(|entry| entry.app == *app).map(|entry| entry.users)).collect())
    }

    fn last_entry_seq(&self) -> Result<Seq> {
        let state = self.state()?;
        Ok(state.entries.keys().last().copied().unwrap_or(0).max(state.compaction_point.0))
    }

    fn first_of_batch(&self, seq: Seq) -> Result<Option<Seq>> {
        Ok(self.state()?.bodies.range(..=seq).next_back().map(|(first, _)| *first))
    }

    fn packed_bodies(&self, first: Seq) -> Result<Option<PackedBodies>> {
        Ok(self.state()?.bodies.get(&first).cloned())
    }

    fn compaction_point(&self) -> Result<CompactionPoint> {
        let state = self.state()?;
        let (folded, received) = state.compaction_point;
        Ok(CompactionPoint {
            folded,
            received,
            oldest: state.entries.keys().next().copied().unwrap_or(folded + 1),
        })
    }

    fn last_webhooks(&self, limit: usize) -> Result<Vec<(AppId, i64)>> {
        let (state, mut last) = (self.state()?, BTreeMap::new());
        let recent = state.entries.values().rev().take(limit);
        for entry in recent.filter(|entry| entry.source == Source::Webhook) {
            let time: &mut i64 = last.entry(entry.app.clone()).or_insert(entry.received);
            *time = entry.received.max(*time);
        }
        Ok(last.into_iter().collect())
    }

    fn count_entries(&self) -> Result<u64> {
        Ok(self.state()?.entries.len() as u64)
    }
}

impl FeedRows for Snapshot {
    fn changes_after(&self, app: &AppId, after: u64, limit: usize) -> Result<Vec<StoredChange>> {
        Ok(self.state()?.changes_of(app).filter(|stored| stored.seq > after).take(limit).cloned().collect())
    }

    fn feed_ranges(&self, apps: &[AppId]) -> Result<Vec<FeedRange>> {
        let state = self.state()?;
        let range = |app: &AppId| {
            let last = state.feeds.get(app).copied().unwrap_or(0);
            FeedRange { oldest: state.changes_of(app).next().map_or(last + 1, |stored| stored.seq), last }
        };
        Ok(apps.iter().map(range).collect())
    }

    fn last_change_times(&self, apps: &[AppId]) -> Result<Vec<Option<i64>>> {
        let state = self.state()?;
        Ok(apps.iter().map(|app| state.changes_of(app).next_back().map(|stored| stored.time)).collect())
    }

    fn feed_epoch(&self) -> Result<FeedEpoch> {
        Ok(FeedEpoch { epoch: Epoch::of_number(1).unwrap(), is_first: true })
    }
}
