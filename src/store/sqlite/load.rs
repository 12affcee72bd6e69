//! Records out of the file, with everything the domain needs beside them.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::codec::decode;
use super::{Error, Result, trouble};
use crate::domain::{AppId, ClientId, Directory, Key, Record, SmoochId};

/// Brings records into a working set, each once.
pub(super) struct Loader<'c> {
    conn: &'c Connection,
    asked: HashSet<Key>,
    pub(super) directory: Directory,
}

impl<'c> Loader<'c> {
    pub(super) fn new(conn: &'c Connection, group_members: usize) -> Self {
        Self { conn, asked: HashSet::new(), directory: Directory::new(group_members) }
    }

    /// Brings a record, and everybody whom merges connect with it.
    pub(super) fn group(&mut self, app: &AppId, id: &SmoochId) -> Result<()> {
        let mut todo = vec![id.clone()];
        while let Some(id) = todo.pop() {
            let key = (app.clone(), id);
            if !self.asked.insert(key.clone()) {
                continue;
            }
            if let Some(record) = record(self.conn, &key)? {
                todo.extend(record.into.keys().chain(&record.from).cloned());
                self.directory.bring(key, record);
            }
        }
        Ok(())
    }

    /// Brings the holder of each client that somebody else claims too, so that the group of `id`
    /// can be shown.
    pub(super) fn holders(&mut self, app: &AppId, id: &SmoochId) -> Result<()> {
        let Some(group) = self.directory.group(app, id) else { return Ok(()) };
        let claims = group.records().flat_map(|record| &record.claims);
        let shared: Vec<ClientId> =
            claims.filter(|(_, claim)| claim.shared).map(|(id, _)| id.clone()).collect();
        shared.iter().try_for_each(|client| self.pointer(app, client))
    }

    /// Brings a client's pointer and its holder.
    pub(super) fn pointer(&mut self, app: &AppId, client: &ClientId) -> Result<()> {
        if self.directory.has_pointer(app, client) {
            return Ok(());
        }
        let holder = self.claimants(app, "client", client)?.into_iter().next();
        if let Some(holder) = &holder {
            self.group(app, holder)?;
        }
        self.directory.bring_pointer(app, client, holder, []);
        Ok(())
    }

    /// Brings everybody who claims a client of the group of `id` or of whom merges connect with
    /// it: should the holder go, one of them holds it next.
    pub(super) fn rivals(&mut self, app: &AppId, id: &SmoochId) -> Result<()> {
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
        for client in clients
            .iter()
            .filter(|client| !self.directory.has_pointer(app, client))
            .cloned()
            .collect::<HashSet<_>>()
        {
            let holder = self.claimants(app, "client", &client)?.into_iter().next();
            let losers = self.claimants(app, "claim", &client)?;
            for id in holder.iter().chain(&losers) {
                self.group(app, id)?;
            }
            self.directory.bring_pointer(app, &client, holder, losers);
        }
        Ok(())
    }

    fn claimants(&self, app: &AppId, kind: &str, client: &ClientId) -> Result<Vec<SmoochId>> {
        let sql = "SELECT id FROM identifiers WHERE app = ?1 AND kind = ?2 AND value = ?3";
        let mut select = self.conn.prepare_cached(sql).map_err(trouble)?;
        let ids = select.query_map(params![app.as_str(), kind, client.as_str()], |row| {
            Ok(SmoochId::from(row.get_ref(0)?.as_str()?))
        });
        ids.map_err(trouble)?.collect::<rusqlite::Result<_>>().map_err(trouble)
    }
}

fn record(conn: &Connection, (app, id): &Key) -> Result<Option<Record>> {
    let sql = "SELECT record FROM app_users WHERE app = ?1 AND id = ?2";
    let mut select = conn.prepare_cached(sql).map_err(trouble)?;
    let decoded =
        select.query_row(params![app.as_str(), id.as_str()], |row| Ok(decode(row.get_ref(0)?.as_blob()?)));
    match decoded.optional().map_err(trouble)? {
        None => Ok(None),
        Some(record) => record.map(Some).map_err(|error| Error::Damaged(error.to_string())),
    }
}
