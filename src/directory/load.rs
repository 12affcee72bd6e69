//! Loads records, with everything that the domain needs beside them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::batch::{Keys, Reported};
use super::cache::Cache;
use crate::domain::{AppId, ClientId, Field, JsonText, Record, RecordKey, SmoochId, WorkingSet};
use crate::format::record::decode;
use crate::store::Result;
use crate::store::rows::{Identifier, RecordRows};
use crate::store::tables::IdentifierKind;

/// Loads records into a working set, each once. It asks in waves: for everything that is known to be needed at once,
/// then for what the answers lead to.
pub struct Loader<'c> {
    rows: &'c dyn RecordRows,
    /// The worker's; readers have none.
    cache: Option<&'c mut Cache>,
    asked: HashSet<RecordKey>,
    /// The clients of which all claimants are loaded.
    contested: HashSet<(AppId, ClientId)>,
    /// What is loaded.
    pub directory: WorkingSet,
}

impl<'c> Loader<'c> {
    /// Loads from these rows. Groups are as large as they are.
    pub fn new(rows: &'c dyn RecordRows) -> Self {
        Self::bounded(rows, None, usize::MAX)
    }

    /// Loads for a batch: from the cache, and else from these rows, groups of at most `group_members` records.
    pub fn bounded(rows: &'c dyn RecordRows, cache: Option<&'c mut Cache>, group_members: usize) -> Self {
        let (asked, contested) = (HashSet::new(), HashSet::new());
        Self { rows, cache, asked, contested, directory: WorkingSet::new(group_members) }
    }

    /// Loads everything that a batch can touch.
    pub fn load_batch(mut self, keys: &Keys) -> Result<WorkingSet> {
        self.groups(keys.users.clone())?;
        for reported in &keys.reported {
            self.reported(reported)?;
        }
        self.commanded(keys)?;
        let ends = keys.ends_named || !keys.ends.is_empty();
        if ends {
            for (app, id) in self.may_end(keys) {
                self.rivals(&app, &id)?;
            }
        }
        for key in &keys.takes_back {
            self.unsure(key)?;
        }
        self.claimed(&keys.claims)?;
        if !keys.clients.is_empty() {
            self.load_possible_holders(keys, ends)?;
        }
        Ok(self.directory)
    }

    /// Loads the holders of the clients that a batch gives to app users.
    fn claimed(&mut self, claims: &[(RecordKey, ClientId)]) -> Result<()> {
        let (mut before, mut contended) = (None, Vec::new());
        for (key, client) in claims {
            let account =
                self.directory.record(key).and_then(|record| record.first_client_id(client)).cloned();
            // Two ids turn out to be of one client: facts about one of them count for the other.
            let joins = before.as_ref().is_some_and(|(of, other)| *of == key && *other != account);
            if account.is_none() || joins {
                self.unsure(key)?;
            }
            before = Some((key, account));
            let clients = match self.directory.record(key) {
                Some(record) => record.contended_ids(client),
                None => vec![client.clone()],
            };
            contended.extend(clients.into_iter().map(|client| (&key.0, client)));
        }
        self.pointers(contended)
    }

    /// Loads the app users that the commands of a batch name. They may show any app user of the batch.
    fn commanded(&mut self, keys: &Keys) -> Result<()> {
        for (app, id) in &keys.named {
            self.shown(app, id)?;
        }
        for (app, user_id) in &keys.user_ids {
            self.named(app, user_id)?;
        }
        if keys.named.is_empty() && keys.user_ids.is_empty() && keys.clients.is_empty() {
            return Ok(());
        }
        keys.users.iter().try_for_each(|(app, id)| self.holders(app, id))?;
        for reported in &keys.reported {
            let app = &reported.key.0;
            for user_id in reported_user_ids(&self.directory, reported) {
                let carriers = self.directory.carriers(app, &user_id);
                carriers.iter().try_for_each(|id| self.holders(app, id))?;
            }
        }
        // A decision may call a client of any of them inactive.
        let here: Vec<RecordKey> = self.directory.entries().map(|(key, _)| key.clone()).collect();
        here.iter().try_for_each(|key| self.unsure(key))?;
        if keys.gives_brand {
            for (app, id) in &keys.named {
                let view = self.directory.view(app, id);
                let user_id = view.as_ref().and_then(|view| view.get(&Field::UserId));
                user_id.into_iter().try_for_each(|user_id| self.named(app, user_id))?;
            }
        }
        Ok(())
    }

    /// The app users that the batch may remove: those that it names, and those that it may merge them with before.
    fn may_end(&self, keys: &Keys) -> BTreeSet<RecordKey> {
        let mut all: BTreeSet<RecordKey> = keys.ends.iter().chain(&keys.named).cloned().collect();
        all.extend(keys.reported.iter().map(|reported| reported.key.clone()));
        let mut carried = |app: &AppId, user_id: &JsonText| {
            all.extend(self.directory.carriers(app, user_id).into_iter().map(|id| (app.clone(), id)));
        };
        for reported in &keys.reported {
            let user_ids = reported_user_ids(&self.directory, reported);
            user_ids.iter().for_each(|user_id| carried(&reported.key.0, user_id));
        }
        keys.user_ids.iter().for_each(|(app, user_id)| carried(app, user_id));
        all
    }

    /// Loads a record, and all records that merges connect with it.
    pub fn group(&mut self, app: &AppId, id: &SmoochId) -> Result<()> {
        self.groups(vec![(app.clone(), id.clone())])
    }

    /// Loads these records, and all records that merges connect with them.
    pub fn groups(&mut self, mut wave: Vec<RecordKey>) -> Result<()> {
        while !wave.is_empty() {
            wave.retain(|key| self.asked.insert(key.clone()));
            let mut missing = Vec::new();
            let mut next = Vec::new();
            for key in wave {
                match self.cache.as_mut().and_then(|cache| cache.take(&key)) {
                    Some(record) => self.add(key, record, &mut next),
                    None => missing.push(key),
                }
            }
            if !missing.is_empty() {
                let stored = self.rows.records(&missing)?;
                for (key, stored) in missing.into_iter().zip(stored) {
                    let Some(stored) = stored else { continue };
                    if let Some(cache) = &mut self.cache {
                        cache.note(&key, stored.row);
                    }
                    self.add(key, stored.decode("app_users")?, &mut next);
                }
            }
            wave = next;
        }
        Ok(())
    }

    fn add(&mut self, key: RecordKey, record: Record, next: &mut Vec<RecordKey>) {
        let connected = record.into.keys().chain(&record.from);
        next.extend(connected.map(|id| (key.0.clone(), id.clone())));
        self.directory.insert_loaded(key, record);
    }

    /// Loads, in one question, the record with this `_id` with its group, or else the carriers of this `userId`, each
    /// with everything needed to show them.
    pub fn meant(&mut self, app: &AppId, id: &SmoochId, user_id: &JsonText) -> Result<()> {
        self.asked.insert((app.clone(), id.clone()));
        let (mut carriers, mut connected) = (Vec::new(), Vec::new());
        for (found, bytes) in self.rows.find(app, id, user_id)? {
            let key = (app.clone(), found.clone());
            let Ok(record) = decode(&bytes) else {
                // Read by its key, the error names its row.
                self.asked.remove(&key);
                return self.groups(vec![key]);
            };
            self.asked.insert(key.clone());
            self.add(key, record, &mut connected);
            if found == *id {
                return self.groups(connected);
            }
            carriers.push(found);
        }
        self.groups(connected)?;
        carriers.iter().try_for_each(|id| self.holders(app, id))?;
        self.directory.insert_carriers(app, user_id, carriers);
        Ok(())
    }

    /// The app users with one identifier.
    pub fn with(&self, identifier: Identifier<'_>) -> Result<Vec<SmoochId>> {
        Ok(self.rows.holders(&[identifier])?.pop().unwrap_or_default())
    }

    /// Loads the carriers of a `userId`, each with everything needed to show them.
    pub fn named(&mut self, app: &AppId, user_id: &JsonText) -> Result<()> {
        if !self.directory.has_carriers(app, user_id) {
            let ids = self.with((app, IdentifierKind::UserId, user_id))?;
            ids.iter().try_for_each(|id| self.shown(app, id))?;
            self.directory.insert_carriers(app, user_id, ids);
        }
        Ok(())
    }

    /// Loads the carriers of a `userId` that Smooch gives to an app user, if it is new to it, or if the brand is: they
    /// may be merged with it.
    pub fn reported(&mut self, reported: &Reported) -> Result<()> {
        let app = &reported.key.0;
        for user_id in reported_user_ids(&self.directory, reported) {
            if !self.directory.has_carriers(app, &user_id) {
                let ids = self.with((app, IdentifierKind::UserId, &user_id))?;
                ids.iter().try_for_each(|id| self.group(app, id))?;
                self.directory.insert_carriers(app, &user_id, ids);
            }
        }
        Ok(())
    }

    /// Loads a record with its group, and with the holders of its clients.
    pub fn shown(&mut self, app: &AppId, id: &SmoochId) -> Result<()> {
        self.group(app, id)?;
        self.holders(app, id)
    }

    /// Loads the holder of each contested client of `id` and of all records connected with it, so that they can be
    /// shown in whatever groups the batch puts them.
    pub fn holders(&mut self, app: &AppId, id: &SmoochId) -> Result<()> {
        let shared = self.shared(app, id);
        self.pointers(shared.into_iter().map(|client| (app, client)).collect())
    }

    /// The contested clients of `id` and of all records that merges connect with it.
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

    /// Loads the pointers of clients and their holders.
    fn pointers(&mut self, mut clients: Vec<(&AppId, ClientId)>) -> Result<()> {
        clients.retain(|(app, client)| !self.directory.has_pointer(app, client));
        if clients.is_empty() {
            return Ok(());
        }
        let asked: Vec<Identifier<'_>> =
            clients.iter().map(|(app, client)| (*app, IdentifierKind::Client, client.as_str())).collect();
        let holders: Vec<Option<SmoochId>> =
            self.rows.holders(&asked)?.into_iter().map(|ids| ids.into_iter().next()).collect();
        let held = clients.iter().zip(&holders);
        let groups = held.filter_map(|((app, _), holder)| Some(((*app).clone(), holder.clone()?)));
        self.groups(groups.collect())?;
        for ((app, client), holder) in clients.into_iter().zip(holders) {
            self.directory.insert_pointer(app, &client, holder, []);
        }
        Ok(())
    }

    /// Loads every app user that can hold a client of a command at some point of the batch, under any id of the client.
    /// Each of them may be shown, lose the client and, if the batch `ends` an app user, be removed.
    fn load_possible_holders(&mut self, keys: &Keys, ends: bool) -> Result<()> {
        let mut ids: BTreeMap<&AppId, BTreeSet<ClientId>> = BTreeMap::new();
        for (app, client) in &keys.clients {
            ids.entry(app).or_default().insert(client.clone());
        }
        loop {
            let all = ids.iter().flat_map(|(app, ids)| ids.iter().map(move |id| (*app, id.clone())));
            self.pointers(all.collect())?;
            let size = |ids: &BTreeMap<_, BTreeSet<_>>| ids.values().map(BTreeSet::len).sum::<usize>();
            let before = (size(&ids), self.asked.len());
            for key in self.find_claimants(keys, &mut ids) {
                self.holders(&key.0, &key.1)?;
                self.unsure(&key)?;
                if ends {
                    self.rivals(&key.0, &key.1)?;
                }
            }
            // A claimant may have another id for the client, which another app user claims.
            if (size(&ids), self.asked.len()) == before {
                return Ok(());
            }
        }
    }

    /// Finds the app users that claim one of these ids, as loaded or by a fact of the batch. Adds their other ids of the
    /// client; the ids that a fact names together may be of one client.
    fn find_claimants(&self, keys: &Keys, ids: &mut BTreeMap<&AppId, BTreeSet<ClientId>>) -> Vec<RecordKey> {
        let mut claimants = Vec::new();
        for (key, entry) in self.directory.entries() {
            let Some(ids) = ids.get_mut(&key.0) else { continue };
            let record = &entry.now;
            let claimed = record.claims.keys().filter(|id| ids.contains(*id));
            let same: Vec<&ClientId> =
                claimed.flat_map(|id| record.claims_on(id)).map(|(id, _)| id).collect();
            if !same.is_empty() {
                claimants.push(key.clone());
                ids.extend(same.into_iter().cloned());
            }
        }
        for given in keys.claims.chunk_by(|(key, _), (next, _)| key == next) {
            let (key, _) = &given[0];
            let Some(ids) = ids.get_mut(&key.0) else { continue };
            if given.iter().any(|(_, id)| ids.contains(id)) {
                claimants.push(key.clone());
                ids.extend(given.iter().map(|(_, id)| id.clone()));
            }
        }
        claimants
    }

    /// Loads all claimants of the contested clients of `id` and of the records connected with it: if the holder is
    /// removed, one of them holds the client next.
    pub fn rivals(&mut self, app: &AppId, id: &SmoochId) -> Result<()> {
        self.shared(app, id).iter().try_for_each(|client| self.claimants_of(app, client))
    }

    /// Loads all claimants of the clients that an app user may lose because a statement is withdrawn.
    pub fn unsure(&mut self, key: &RecordKey) -> Result<()> {
        let unsure = self.directory.record(key).into_iter().flat_map(Record::unsure_clients);
        let unsure: Vec<ClientId> = unsure.cloned().collect();
        unsure.iter().try_for_each(|client| self.claimants_of(&key.0, client))
    }

    fn claimants_of(&mut self, app: &AppId, client: &ClientId) -> Result<()> {
        if self.contested.insert((app.clone(), client.clone())) {
            let both =
                [IdentifierKind::Client, IdentifierKind::Claim].map(|kind| (app, kind, client.as_str()));
            let mut found = self.rows.holders(&both)?.into_iter();
            let holder = found.next().unwrap_or_default().into_iter().next();
            let losers = found.next().unwrap_or_default();
            self.groups(holder.iter().chain(&losers).map(|id| (app.clone(), id.clone())).collect())?;
            self.directory.insert_pointer(app, client, holder, losers);
        }
        Ok(())
    }
}

/// The `userId`s by which a report of Smooch may merge an app user with others.
pub fn reported_user_ids(directory: &WorkingSet, reported: &Reported) -> Vec<JsonText> {
    let Reported { key, user_id, brand } = reported;
    let Some(record) = directory.record(key) else { return user_id.iter().cloned().collect() };
    let new = user_id.iter().filter(|text| !record.user_ids().contains(text));
    let mut user_ids: Vec<JsonText> = new.cloned().collect();
    if brand.as_ref().is_some_and(|brand| record.is_brand_news(brand.as_ref())) {
        user_ids.extend(record.user_ids().into_iter().cloned());
    }
    user_ids
}
