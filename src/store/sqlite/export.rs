//! See [`Export`].

use std::collections::HashMap;

use rusqlite::{OptionalExtension, params};

use super::load::Loader;
use super::reader::{SqliteReader, show};
use super::{Error, Result};
use crate::domain::{AppId, Record, SmoochId, View};
use crate::store::Seq;
use crate::store::export::{Export, Kept, One, Part};

/// Rows looked at for a part.
const ROWS: i64 = 256;
/// About the bytes of records beyond which a part takes no further row.
const BYTES: usize = 1 << 20;

impl Export for SqliteReader {
    fn apps(&mut self) -> Result<Vec<AppId>> {
        let snapshot = self.snapshot()?;
        let sql = "SELECT app FROM app_users WHERE app > ?1 ORDER BY app LIMIT 1";
        let mut select = snapshot.prepare_cached(sql)?;
        let mut apps: Vec<String> = Vec::new();
        loop {
            let after = apps.last().map_or("", String::as_str);
            match select.query_row([after], |row| row.get(0)).optional()? {
                Some(app) => apps.push(app),
                None => return Ok(apps.iter().map(|app| app.as_str().into()).collect()),
            }
        }
    }

    fn part(&mut self, app: &AppId, behind: Option<&SmoochId>, begun: Seq) -> Result<Part> {
        let snapshot = self.snapshot()?;
        let sql = "SELECT id, listed FROM app_users WHERE app = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
        let mut select = snapshot.prepare_cached(sql)?;
        let behind = behind.map_or(SmoochId::APP, SmoochId::as_str);
        let rows = select.query_map(params![app.as_str(), behind, ROWS], |row| {
            Ok((SmoochId::from(row.get_ref(0)?.as_str()?), row.get(1)?))
        });
        let rows: Vec<(SmoochId, bool)> = rows?.collect::<rusqlite::Result<_>>()?;
        let mut all = rows.len() < ROWS as usize;
        let mut reading = Reading { loader: Loader::new(&snapshot, None, usize::MAX), app, begun };
        let (mut kept, mut moved, mut bytes, mut next) = (Vec::new(), HashMap::new(), 0, None);
        for (id, listed) in rows {
            if bytes > BYTES {
                all = false;
                break;
            }
            let one = if listed { reading.user(&id)? } else { reading.unlisted(&id, &mut moved)? };
            bytes += one.iter().flat_map(|kept| &kept.records).map(|one| size(&one.record)).sum::<usize>();
            kept.extend(one);
            next = Some(id);
        }
        Ok(Part { kept, next: next.filter(|_| !all) })
    }

    fn kept(&mut self, app: &AppId, users: Vec<View>) -> Result<Vec<Kept>> {
        let snapshot = self.snapshot()?;
        let mut reading = Reading { loader: Loader::new(&snapshot, None, usize::MAX), app, begun: 0 };
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
    /// An app user, with everybody merged into it.
    fn user(&mut self, id: &SmoochId) -> Result<Option<Kept>> {
        let Some(view) = show(&mut self.loader, self.app, id)? else { return Ok(None) };
        let ids = [view.id.clone()].into_iter().chain(view.aliases.iter().cloned());
        let records = ids.map(|id| self.record(id)).collect::<Result<_>>()?;
        Ok(Some(Kept { user: Some(view), records }))
    }

    /// Somebody who was removed, or is part of somebody else. Those come along with that one; `moved` keeps
    /// of whom that is not so.
    fn unlisted(&mut self, id: &SmoochId, moved: &mut HashMap<SmoochId, bool>) -> Result<Option<Kept>> {
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
        Ok(Some(Kept { user: None, records: vec![self.record(id.clone())?] }))
    }

    fn record(&mut self, id: SmoochId) -> Result<One> {
        let record = self.loader.directory.record(&(self.app.clone(), id.clone())).cloned();
        let record = record.ok_or_else(|| Error::Damaged("a record is missing".to_owned()))?;
        for user_id in record.user_ids() {
            self.loader.named(self.app, user_id)?;
        }
        let apart = self.loader.directory.namesakes(self.app, &id);
        Ok(One { id, record, apart })
    }
}

/// About the bytes of a record.
fn size(record: &Record) -> usize {
    let fields = record.smooch.fields.values().filter_map(|said| said.value.as_ref());
    let clients = record.smooch.clients.values().map(|said| said.bytes() + 32);
    let texts = fields.map(|text| text.len() + 64).chain(clients);
    256 + texts.sum::<usize>()
}
