//! Records out of the file, with everything the domain needs beside them.

use std::collections::{BTreeSet, HashSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::cache::Cache;
use super::{Error, Result};
use crate::domain::{AppId, ClientId, JsonText, Record, RecordKey, SmoochId, WorkingSet};
use crate::format::record::{Unreadable, decode};
use crate::store::Reported;

/// Brings records into a working set, each once.
pub(super) struct Loader<'c> {
    conn: &'c Connection,
    /// The worker's; readers have none.
    cache: Option<&'c mut Cache>,
    asked: HashSet<RecordKey>,
    /// The clients whose claimants are all here.
    contested: HashSet<(AppId, ClientId)>,
    pub(super) directory: WorkingSet,
}

impl<'c> Loader<'c> {
    pub(super) fn new(conn: &'c Connection, cache: Option<&'c mut Cache>, group_members: usize) -> Self {
        Self {
            conn,
            cache,
            asked: HashSet::new(),
            contested: HashSet::new(),
            directory: WorkingSet::new(group_members),
        }
    }

    /// Brings a record, and everybody whom merges connect with it.
    pub(super) fn group(&mut self, app: &AppId, id: &SmoochId) -> Result<()> {
        self.groups(app, vec![id.clone()])
    }

    fn groups(&mut self, app: &AppId, mut todo: Vec<SmoochId>) -> Result<()> {
        while let Some(id) = todo.pop() {
            let key = (app.clone(), id);
            if !self.asked.insert(key.clone()) {
                continue;
            }
            if let Some(record) = self.record(&key)? {
                todo.extend(record.into.keys().chain(&record.from).cloned());
                self.directory.insert_loaded(key, record);
            }
        }
        Ok(())
    }

    /// Brings, in one look, the record with this `_id` with its group, or where there is none those who carry
    /// this `userId`, each with everything needed to show them.
    pub(super) fn meant(&mut self, app: &AppId, id: &SmoochId, user_id: &JsonText) -> Result<()> {
        // No join: SQLite would prepare that anew each time (decision 22).
        let sql = "SELECT id, record FROM app_users WHERE app = ?1 AND id = ?2
                   UNION ALL
                   SELECT id, (SELECT record FROM app_users AS a WHERE a.app = i.app AND a.id = i.id)
                       FROM identifiers AS i WHERE app = ?1 AND kind = 'userId' AND value = ?3";
        let mut select = self.conn.prepare_cached(sql)?;
        let mut rows = select.query(params![app.as_str(), id.as_str(), &**user_id])?;
        let (mut carriers, mut connected) = (Vec::new(), Vec::new());
        self.asked.insert((app.clone(), id.clone()));
        while let Some(row) = rows.next()? {
            let found = SmoochId::from(row.get_ref(0)?.as_str()?);
            let record = decode(row.get_ref(1)?.as_blob()?)
                .map_err(|error| unreadable(self.conn, app, &found, &error))?;
            connected.extend(record.into.keys().chain(&record.from).cloned());
            self.directory.insert_loaded((app.clone(), found.clone()), record);
            if found == *id {
                return self.groups(app, connected);
            }
            self.asked.insert((app.clone(), found.clone()));
            carriers.push(found);
        }
        self.groups(app, connected)?;
        carriers.iter().try_for_each(|id| self.holders(app, id))?;
        self.directory.insert_carriers(app, user_id, carriers);
        Ok(())
    }

    /// Brings whoever carries a `userId`, each with everything needed to show them.
    pub(super) fn named(&mut self, app: &AppId, user_id: &JsonText) -> Result<()> {
        if !self.directory.has_carriers(app, user_id) {
            let ids = self.claimants(app, "userId", user_id)?;
            ids.iter().try_for_each(|id| self.shown(app, id))?;
            self.directory.insert_carriers(app, user_id, ids);
        }
        Ok(())
    }

    /// Brings whoever carries the `userId` that Smooch gives to an app user, unless it has it already, or the
    /// one it has, if its brand is news: those who may become one with it.
    pub(super) fn reported(&mut self, reported: &Reported) -> Result<()> {
        let app = &reported.key.0;
        for user_id in reported_user_ids(&self.directory, reported) {
            if !self.directory.has_carriers(app, &user_id) {
                let ids = self.claimants(app, "userId", &user_id)?;
                ids.iter().try_for_each(|id| self.group(app, id))?;
                self.directory.insert_carriers(app, &user_id, ids);
            }
        }
        Ok(())
    }

    /// Brings a record with its group, and with whoever holds its clients.
    pub(super) fn shown(&mut self, app: &AppId, id: &SmoochId) -> Result<()> {
        self.group(app, id)?;
        self.holders(app, id)
    }

    fn record(&mut self, key: &RecordKey) -> Result<Option<Record>> {
        if let Some(record) = self.cache.as_mut().and_then(|cache| cache.take(key)) {
            return Ok(Some(record));
        }
        let stored = stored(self.conn, key)?;
        if let (Some(cache), Some((rowid, _))) = (&mut self.cache, &stored) {
            cache.note(key, *rowid);
        }
        Ok(stored.map(|(_, record)| record))
    }

    /// Brings the holder of each client that somebody else claims too, so that `id` and whom merges
    /// connect with it can be shown, however they are grouped by then.
    pub(super) fn holders(&mut self, app: &AppId, id: &SmoochId) -> Result<()> {
        self.shared(app, id).iter().try_for_each(|client| self.pointer(app, client))
    }

    /// The clients, claimed by others too, of `id` and of everybody whom merges connect with it.
    fn shared(&self, app: &AppId, id: &SmoochId) -> Vec<ClientId> {
        let mut clients = Vec::new();
        let mut seen = HashSet::new();
        let mut todo = vec![id.clone()];
        while let Some(id) = todo.pop() {
            let Some(record) = self.directory.record(&(app.clone(), id.clone())) else { continue };
            if seen.insert(id) {
                let shared = record.claims.iter().filter(|(_, claim)| claim.shared);
                clients.extend(shared.map(|(client, _)| client.clone()));
                todo.extend(record.into.keys().chain(&record.from).cloned());
            }
        }
        clients
    }

    /// Brings a client's pointer and its holder.
    pub(super) fn pointer(&mut self, app: &AppId, client: &ClientId) -> Result<()> {
        if self.directory.has_pointer(app, client) {
            return Ok(());
        }
        let holder = self.claimants(app, "client", client.as_str())?.into_iter().next();
        if let Some(holder) = &holder {
            self.group(app, holder)?;
        }
        self.directory.insert_pointer(app, client, holder, []);
        Ok(())
    }

    /// Brings whoever has a client, and under each other id by which they know it whoever has that: whoever takes the
    /// client over takes it under all of them.
    pub(super) fn client(&mut self, app: &AppId, client: &ClientId) -> Result<()> {
        self.pointer(app, client)?;
        // Whoever is found first may know it by another id, under which somebody else has it.
        for _ in 0..2 {
            let ids = self.directory.ids_of_client(app, client);
            ids.iter().try_for_each(|id| self.pointer(app, id))?;
            let holder = self.directory.holder(app, client).map(|view| view.id);
            holder.iter().try_for_each(|id| self.holders(app, id))?;
        }
        Ok(())
    }

    /// Brings everybody who claims a client of the group of `id` or of whom merges connect with
    /// it: should the holder go, one of them holds it next.
    pub(super) fn rivals(&mut self, app: &AppId, id: &SmoochId) -> Result<()> {
        self.shared(app, id).iter().try_for_each(|client| self.claimants_of(app, client))
    }

    /// Brings everybody who claims a client that an app user may lose by a word that is taken back.
    pub(super) fn unsure(&mut self, key: &RecordKey) -> Result<()> {
        let unsure = self.directory.record(key).into_iter().flat_map(Record::unsure_clients);
        let unsure: Vec<ClientId> = unsure.cloned().collect();
        unsure.iter().try_for_each(|client| self.claimants_of(&key.0, client))
    }

    fn claimants_of(&mut self, app: &AppId, client: &ClientId) -> Result<()> {
        if self.contested.insert((app.clone(), client.clone())) {
            let holder = self.claimants(app, "client", client.as_str())?.into_iter().next();
            let losers = self.claimants(app, "claim", client.as_str())?;
            for id in holder.iter().chain(&losers) {
                self.group(app, id)?;
            }
            self.directory.insert_pointer(app, client, holder, losers);
        }
        Ok(())
    }

    pub(super) fn claimants(&self, app: &AppId, kind: &str, value: &str) -> Result<Vec<SmoochId>> {
        let sql = "SELECT id FROM identifiers WHERE app = ?1 AND kind = ?2 AND value = ?3";
        let mut select = self.conn.prepare_cached(sql)?;
        let ids = select.query_map(params![app.as_str(), kind, value], |row| {
            Ok(SmoochId::from(row.get_ref(0)?.as_str()?))
        });
        Ok(ids?.collect::<rusqlite::Result<_>>()?)
    }
}

/// The `userId`s by which what Smooch says may make an app user one with others.
pub(super) fn reported_user_ids(directory: &WorkingSet, reported: &Reported) -> Vec<JsonText> {
    let Reported { key, user_id, brand } = reported;
    let Some(record) = directory.record(key) else { return user_id.iter().cloned().collect() };
    let new = user_id.iter().filter(|text| !record.user_ids().contains(text));
    let mut user_ids: Vec<JsonText> = new.cloned().collect();
    if brand.as_ref().is_some_and(|brand| record.is_brand_news(brand.as_ref())) {
        user_ids.extend(record.user_ids().into_iter().cloned());
    }
    user_ids
}

fn stored(conn: &Connection, (app, id): &RecordKey) -> Result<Option<(i64, Record)>> {
    let sql = "SELECT rowid, record FROM app_users WHERE app = ?1 AND id = ?2";
    let mut select = conn.prepare_cached(sql)?;
    let found = select.query_row(params![app.as_str(), id.as_str()], |row| {
        Ok((row.get(0)?, decode(row.get_ref(1)?.as_blob()?)))
    });
    match found.optional()? {
        None => Ok(None),
        Some((rowid, Ok(record))) => Ok(Some((rowid, record))),
        Some((row, Err(error))) => Err(Error::Unreadable { table: "app_users", row, why: error.to_string() }),
    }
}

/// The record of an app user cannot be read: which row it is in.
pub(super) fn unreadable(conn: &Connection, app: &AppId, id: &SmoochId, error: &Unreadable) -> Error {
    let sql = "SELECT rowid FROM app_users WHERE app = ?1 AND id = ?2";
    match conn.query_row(sql, params![app.as_str(), id.as_str()], |row| row.get(0)) {
        Ok(row) => Error::Unreadable { table: "app_users", row, why: error.to_string() },
        Err(error) => Error::from(error),
    }
}

/// The records of these app users, each as it is stored.
pub(super) fn records(
    conn: &Connection,
    app: &AppId,
    ids: &BTreeSet<SmoochId>,
) -> Result<Vec<(RecordKey, Record)>> {
    let mut loader = Loader::new(conn, None, usize::MAX);
    ids.iter().try_for_each(|id| loader.group(app, id))?;
    let all = loader.directory.into_records();
    Ok(all.filter(|((_, id), _)| ids.contains(id)).collect())
}
