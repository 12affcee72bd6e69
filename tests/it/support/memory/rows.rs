//! The questions to the store in memory that are of no one table. A search reads all app users.

use rollcall::domain::list::Sort;
use rollcall::domain::{AppId, RecordKey, SmoochId};
use rollcall::store::rows::*;
use rollcall::store::tables::*;
use rollcall::store::{Epoch, FeedEpoch, ReadRow as _, Result};

use super::Snapshot;

impl RecordRows for Snapshot {
    fn records(&self, keys: &[RecordKey]) -> Result<Vec<Option<StoredRecord>>> {
        StoredRecord::get(self, keys)
    }

    fn holders(&self, identifiers: &[Identifier<'_>]) -> Result<Vec<Vec<SmoochId>>> {
        let of = |(app, kind, value): &Identifier<'_>| {
            let found =
                StoredIdentifier::select().is("app", *app).is("kind", kind).is("value", *value).read(self)?;
            Ok(found.into_iter().map(|row| row.id).collect())
        };
        identifiers.iter().map(of).collect()
    }
}

impl Rows for Snapshot {
    fn count_listed(&self, app: Option<&AppId>) -> Result<u64> {
        let listed = UserKey::select().is("listed", &true);
        let listed = if let Some(app) = app { listed.is("app", app) } else { listed };
        Ok(listed.read(self)?.len() as u64)
    }

    fn walk_order(
        &self,
        app: &AppId,
        order: ListOrder,
        behind: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<(i64, ListRow)>> {
        let ListOrder { sort, descending } = order;
        let users = ListRow::select().is("app", app).read(self)?.into_iter();
        let users = users.filter(|row| sort == Sort::Id || row.columns.listed);
        let mut rows: Vec<(i64, ListRow)> = users.map(|row| (row.key(sort), row)).collect();
        rows.sort_by(|(one, a), (other, b)| (one, &a.id).cmp(&(other, &b.id)));
        if descending {
            rows.reverse();
        }
        let behind = behind.map(|(key, id)| (if sort == Sort::Id { 0 } else { key }, id));
        rows.retain(|(key, row)| {
            let at = (*key, row.id.as_str());
            behind.is_none_or(|behind| if descending { at < behind } else { at > behind })
        });
        rows.truncate(limit);
        Ok(rows)
    }

    fn rows_with_words(&self, words: &[String], beginnings: &[String], limit: usize) -> Result<Vec<i64>> {
        let fits = |user: &ListRow| {
            let stored: Vec<&str> = user.columns.words.iter().flat_map(|words| words.split(' ')).collect();
            words.iter().all(|word| stored.contains(&&**word))
                && beginnings.iter().all(|start| stored.iter().any(|word| word.starts_with(&**start)))
        };
        let mut found: Vec<i64> =
            ListRow::select().read(self)?.into_iter().filter(fits).map(|user| user.row).collect();
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
        let listed = ListRow::select().is("app", app).is("listed", &true).read(self)?.into_iter();
        let within = listed.filter(|row| (since..before).contains(&row.key(sort)));
        Ok(within.map(|row| row.row).take(limit).collect())
    }

    fn feed_epoch(&self) -> Result<FeedEpoch> {
        Ok(FeedEpoch { epoch: Epoch::of_number(1).unwrap(), is_first: true })
    }

    fn data_version(&self) -> Result<i64> {
        Ok(self.state()?.commits)
    }

    fn remaking(&self) -> Result<Vec<RemakingProgress>> {
        Ok(Vec::new())
    }
}
