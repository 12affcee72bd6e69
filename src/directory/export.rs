//! Everything known of the app users of an app, a part at a time.

use std::collections::HashMap;

use super::load::Loader;
use super::reader::DirectoryReader;
use super::users::show;
use crate::domain::{AppId, Record, SmoochId, View};
use crate::store::tables::UserKey;
use crate::store::{Error, ReadRow as _, Result, Seq};

/// Rows that are read for a part.
const ROWS: usize = 256;
/// Bytes of records, roughly, beyond which a part takes no further row.
const BYTES: usize = 1 << 20;

/// The records of one app user.
#[derive(Clone, Debug, PartialEq)]
pub struct UserExport {
    /// The app user; absent if it was removed, or was exported already.
    pub user: Option<View>,
    /// The records, that of the app user's `_id` first.
    pub records: Vec<RecordExport>,
}

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordExport {
    /// Its `_id`.
    pub id: SmoochId,
    /// The record.
    pub record: Record,
    /// The records with its `userId` that are not merged with it: see [`crate::domain::RecordSnapshot::not_merged_with`].
    pub apart: Vec<SmoochId>,
}

/// A part of an app's records, of one snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportPart {
    /// In the order of their first `_id`s.
    pub kept: Vec<UserExport>,
    /// The `_id` after which the next part begins; absent at the end.
    pub next: Option<SmoochId>,
}

impl DirectoryReader {
    /// The next records of an app after an `_id`: each app user with the records merged into it, and each removed `_id`.
    /// A part has at most `ROWS` rows, fewer if they are large.
    ///
    /// `begun` is the last journal entry before the first part. A record that was merged later may be missing from
    /// both parts, so it is exported by itself.
    pub fn export_part(&self, app: &AppId, behind: Option<&SmoochId>, begun: Seq) -> Result<ExportPart> {
        let rows = self.snapshot()?;
        let behind = behind.map_or(SmoochId::APP, SmoochId::as_str);
        let found = UserKey::select().is("app", app).above("id", behind).limit(ROWS).read(&*rows)?;
        let mut all = found.len() < ROWS;
        let mut reading = Reading { loader: Loader::new(&*rows), app, begun };
        let (mut kept, mut moved, mut bytes, mut next) = (Vec::new(), HashMap::new(), 0, None);
        for UserKey { id, is_listed, .. } in found {
            if bytes > BYTES {
                all = false;
                break;
            }
            let one = if is_listed { reading.user(&id)? } else { reading.unlisted(&id, &mut moved)? };
            bytes += one.iter().flat_map(|kept| &kept.records).map(|one| size(&one.record)).sum::<usize>();
            kept.extend(one);
            next = Some(id);
        }
        Ok(ExportPart { kept, next: next.filter(|_| !all) })
    }

    /// The records of these app users.
    pub fn export_users(&self, app: &AppId, users: &[View]) -> Result<Vec<UserExport>> {
        let rows = self.snapshot()?;
        let mut reading = Reading { loader: Loader::new(&*rows), app, begun: 0 };
        let kept = users.iter().map(|user| reading.user(&user.id));
        kept.filter_map(Result::transpose).collect()
    }
}

struct Reading<'c> {
    loader: Loader<'c>,
    app: &'c AppId,
    begun: Seq,
}

impl Reading<'_> {
    /// An app user, with the records merged into it.
    fn user(&mut self, id: &SmoochId) -> Result<Option<UserExport>> {
        let Some(view) = show(&mut self.loader, self.app, id)? else { return Ok(None) };
        let ids = [view.id.clone()].into_iter().chain(view.aliases.iter().cloned());
        let records = ids.map(|id| self.record(id)).collect::<Result<_>>()?;
        Ok(Some(UserExport { user: Some(view), records }))
    }

    /// A removed record, or one that is merged into another. The latter is exported with its root, unless it was merged
    /// after the export began: `moved` remembers of which records that holds.
    fn unlisted(&mut self, id: &SmoochId, moved: &mut HashMap<SmoochId, bool>) -> Result<Option<UserExport>> {
        self.loader.group(self.app, id)?;
        if !moved.contains_key(id) {
            let group = self.loader.directory.group(self.app, id);
            let ids: Vec<SmoochId> = group.iter().flat_map(|group| group.ids()).cloned().collect();
            let news = group.is_none_or(|group| group.records().any(|record| record.head > Some(self.begun)));
            moved.insert(id.clone(), news);
            moved.extend(ids.into_iter().map(|id| (id, news)));
        }
        if !moved[id] {
            return Ok(None);
        }
        Ok(Some(UserExport { user: None, records: vec![self.record(id.clone())?] }))
    }

    fn record(&mut self, id: SmoochId) -> Result<RecordExport> {
        let record = self.loader.directory.record(&(self.app.clone(), id.clone())).cloned();
        let record = record.ok_or_else(|| Error::Damaged("a record is missing".to_owned()))?;
        for user_id in record.user_ids() {
            self.loader.named(self.app, user_id)?;
        }
        let apart = self.loader.directory.namesakes(self.app, &id);
        Ok(RecordExport { id, record, apart })
    }
}

fn size(record: &Record) -> usize {
    let fields = record.smooch.fields.values().filter_map(|said| said.value.as_ref());
    let clients = record.smooch.clients.values().map(|said| said.bytes() + 32);
    let texts = fields.map(|text| text.len() + 64).chain(clients);
    256 + texts.sum::<usize>()
}
