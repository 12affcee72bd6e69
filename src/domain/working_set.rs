//! The working set: the records that a batch can touch, and the application of facts to them.

mod clients;
mod diff;
mod snapshots;
mod user_id_index;

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::{Equivalent, HashMap};

use super::fact::{Event, Fact, Observation};
use super::field::Field;
use super::field_form::Part;
use super::ids::{AppId, ClientId, SmoochId, Stamp};
use super::merge_group::{MemberMerge, MergeGroup, connected_records, merge_tree};
use super::record::Reason;
use super::record::{Edge, Override, Recent, Record};
use super::value::{JsonText, join_register};
use super::view::View;

/// The key of a record. Records of different apps never share a key.
pub type RecordKey = (AppId, SmoochId);

/// A borrowed key, for look-ups without cloning.
#[derive(Hash)]
struct KeyRef<'a, T>(&'a AppId, &'a T);

impl<T: PartialEq> Equivalent<(AppId, T)> for KeyRef<'_, T> {
    fn equivalent(&self, (app, id): &(AppId, T)) -> bool {
        self.0 == app && self.1 == id
    }
}

/// A record in the working set.
#[derive(Debug, Default)]
pub struct LoadedRecord {
    /// The stored state, if the record was touched since; `Some(None)` if it did not exist.
    pub before: Option<Option<Record>>,
    /// The current state.
    pub now: Record,
}

/// A client's pointer: the record with the newest claim.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pointer {
    /// The stored holder.
    pub before: Option<SmoochId>,
    /// The current holder.
    pub now: Option<SmoochId>,
    /// The loaded records that claim the client, or did.
    claimants: BTreeSet<SmoochId>,
}

impl Pointer {
    fn has_moved(&self) -> bool {
        self.before.is_some() && self.now.is_some() && self.before != self.now
    }
}

/// The merge would make one app user of more `_id`s than the settings allow.
#[derive(Debug, thiserror::Error)]
#[error("a merged app user would have {members} ids, more than ingest.group_members allows ({limit})")]
pub struct TooLarge {
    members: usize,
    limit: usize,
}

/// Everything that a batch works on, in memory.
///
/// The loader must insert: for each `_id` asked for, every record that merges connect with it; for each `userId` new
/// to a record, its carriers; for each client that is newly claimed or shared, its pointer and the holder's group;
/// for each `_id` that may be removed, all claimants of its shared clients, with their groups; for each client that a
/// command makes active, its pointers and their holders' groups under every id that a loaded record has for it.
#[derive(Debug, Default)]
pub struct WorkingSet {
    entries: HashMap<RecordKey, LoadedRecord>,
    pointers: HashMap<(AppId, ClientId), Pointer>,
    /// The carriers, current and former, of each `userId` asked for.
    named: HashMap<(AppId, JsonText), BTreeSet<SmoochId>>,
    /// True if the set contains the whole directory, so nothing has to be loaded.
    whole: bool,
    /// The records erased here, as they were before.
    erased: Vec<(RecordKey, Record)>,
    group_members: usize,
}

impl WorkingSet {
    /// An empty working set in which no group may have more than `group_members` records.
    pub fn new(group_members: usize) -> Self {
        Self { group_members, ..Self::default() }
    }

    /// An empty directory to build from the first event on; nothing is loaded into it.
    pub fn whole(group_members: usize) -> Self {
        Self { whole: true, ..Self::new(group_members) }
    }

    /// Adds a record as it is stored.
    pub fn insert_loaded(&mut self, key: RecordKey, record: Record) {
        self.entries.entry(key).or_insert(LoadedRecord { before: None, now: record });
    }

    /// Adds a client's stored pointer: its holder and the other claimants loaded here. If the pointer is already
    /// loaded, only adds the claimants.
    pub fn insert_pointer(
        &mut self,
        app: &AppId,
        client: &ClientId,
        holder: Option<SmoochId>,
        losers: impl IntoIterator<Item = SmoochId>,
    ) {
        let rivals: Vec<SmoochId> = holder.iter().cloned().chain(losers).collect();
        let new = || Pointer { before: holder.clone(), now: holder, claimants: BTreeSet::new() };
        self.pointers.entry((app.clone(), client.clone())).or_insert_with(new).claimants.extend(rivals);
    }

    /// True if the pointer of a client is loaded.
    pub fn has_pointer(&self, app: &AppId, client: &ClientId) -> bool {
        self.pointers.contains_key(&KeyRef(app, client))
    }

    /// The current state of a record.
    pub fn record(&self, key: &RecordKey) -> Option<&Record> {
        self.entries.get(key).map(|entry| &entry.now)
    }

    /// A record with its current and its stored state.
    pub fn entry(&self, key: &RecordKey) -> Option<&LoadedRecord> {
        self.entries.get(key)
    }

    /// All records of the working set.
    pub fn entries(&self) -> impl Iterator<Item = (&RecordKey, &LoadedRecord)> {
        self.entries.iter()
    }

    /// The current states of all records; consumes the working set.
    pub fn into_records(self) -> impl Iterator<Item = (RecordKey, Record)> {
        self.entries.into_iter().map(|(key, entry)| (key, entry.now))
    }

    /// All pointers of the working set.
    pub fn pointers(&self) -> impl Iterator<Item = (&(AppId, ClientId), &Pointer)> {
        self.pointers.iter()
    }

    /// A record to change; created if it does not exist.
    pub fn record_mut(&mut self, app: &AppId, id: &SmoochId) -> &mut Record {
        let new = || LoadedRecord { before: Some(None), now: Record::default() };
        let entry = self.entries.entry((app.clone(), id.clone())).or_insert_with(new);
        if entry.before.is_none() {
            entry.before = Some(Some(entry.now.clone()));
        }
        &mut entry.now
    }

    /// Applies the facts of an event. Applying it again changes nothing.
    pub fn apply_event(&mut self, app: &AppId, event: &Event) -> Result<(), TooLarge> {
        let stamp = &event.stamp;
        for fact in &event.facts {
            // A merge by equal userId follows from other facts. Facts of an import carry their own times.
            let is_observation = match fact {
                Fact::Merged { reason, .. } => *reason != Reason::SameUserId,
                Fact::Known(_) | Fact::Linked { .. } => false,
                _ => true,
            };
            for user in fact.users().into_iter().flatten().filter(|_| is_observation) {
                self.update_seen_times(app, user, stamp);
            }
            match fact {
                Fact::Seen(seen) => self.apply_observation(app, seen, stamp)?,
                Fact::Set { user, fields } => {
                    let user_ids = fields.iter().filter(|(field, ..)| *field == Field::UserId);
                    user_ids
                        .filter_map(|(_, text, _)| text.as_ref())
                        .for_each(|text| self.index_user_id(app, user, text));
                    let record = self.record_mut(app, user);
                    for (field, value, basis) in fields.iter().filter(|_| !record.removed) {
                        let set = Override { value: value.clone(), basis: basis.clone() };
                        join_register(&mut record.overrides, field.clone(), stamp, set);
                    }
                }
                Fact::ClientSet { user, client, value } => {
                    let record = self.record_mut(app, user);
                    if !record.removed {
                        join_register(&mut record.devices, client.clone(), stamp, value.clone());
                        self.settle_shared_claims(app, user);
                    }
                }
                Fact::Minted { user } => self.record_mut(app, user).minted = true,
                Fact::Secured { user } => self.record_mut(app, user).secured = true,
                Fact::Tracked { .. } => {}
                Fact::Merged { surviving, discarded, reason } => {
                    self.edge(app, surviving, discarded, stamp, Edge { joined: true, reason: *reason })?;
                }
                Fact::Unmerged { surviving, discarded } => {
                    let edge = Edge { joined: false, reason: Reason::Api };
                    self.edge(app, surviving, discarded, stamp, edge)?;
                }
                Fact::ClientChanged { user, client, value } => {
                    self.client(app, user, client, value.as_ref(), stamp);
                }
                Fact::ClientBound { user, client, also } => self.claim(app, user, client, also, stamp),
                Fact::Removed { user } => self.remove_with_descendants(app, user, false),
                Fact::Erased { user } => self.remove_with_descendants(app, user, true),
                Fact::Known(known) => self.apply_snapshot(app, known)?,
                Fact::Linked { surviving, discarded, stamp, joined, reason } => {
                    self.edge(app, surviving, discarded, stamp, Edge { joined: *joined, reason: *reason })?;
                }
            }
        }
        Ok(())
    }

    /// The records erased here, each as it was before.
    pub fn erased(&self) -> &[(RecordKey, Record)] {
        &self.erased
    }

    /// True if an `_id` is erased.
    pub fn is_erased(&self, app: &AppId, id: &SmoochId) -> bool {
        self.find(app, id).is_some_and(|(_, record)| record.erased)
    }

    /// An `_id` and all `_id`s merged into it, directly or indirectly: a removal removes all of them.
    pub fn merged_descendants(&self, app: &AppId, id: &SmoochId) -> BTreeSet<SmoochId> {
        let (mut all, mut todo) = (BTreeSet::new(), vec![id.clone()]);
        while let Some(id) = todo.pop() {
            let Some((_, record)) = self.find(app, &id).filter(|_| all.insert(id.clone())) else { continue };
            let joined = |from: &&SmoochId| {
                let edge = self.find(app, from).and_then(|(_, record)| record.into.get(&id));
                edge.is_some_and(|edge| edge.value.joined)
            };
            todo.extend(record.from.iter().filter(joined).cloned());
        }
        all
    }

    fn update_seen_times(&mut self, app: &AppId, user: &SmoochId, stamp: &Stamp) {
        let record = self.record_mut(app, user);
        if let Some(time) = stamp.known_time().filter(|_| !record.removed) {
            record.first_seen = Some(record.first_seen.map_or(time, |first| first.min(time)));
            record.last_seen = Some(record.last_seen.map_or(time, |last| last.max(time)));
        }
    }

    fn apply_observation(
        &mut self,
        app: &AppId,
        seen: &Observation,
        stamp: &Arc<Stamp>,
    ) -> Result<(), TooLarge> {
        let record = self.record_mut(app, &seen.user);
        if record.removed {
            return Ok(());
        }
        let user_ids = seen.fields.iter().filter(|(field, _)| *field == Field::UserId);
        let user_ids = user_ids.filter_map(|(_, text)| text.as_ref());
        let mut new: Vec<JsonText> =
            user_ids.filter(|text| !record.user_ids().contains(text)).cloned().collect();
        let news = |field: &Field, value: &Option<JsonText>| {
            *field == Field::BrandId && record.is_brand_news(value.as_ref())
        };
        let of_brand = seen.fields.iter().any(|(field, value)| news(field, value));
        let brand = of_brand.then(|| record.smooch_brand().cloned());
        for part in &seen.complete {
            record.smooch.complete(*part, stamp);
        }
        for (field, value) in &seen.fields {
            if record.smooch.is_current(field.part(), stamp) {
                join_register(&mut record.smooch.fields, field.clone(), stamp, value.clone());
            }
        }
        record.started |= seen.started;
        // A late event, superseded by a later one, does not change the brand.
        if brand.is_some_and(|brand| record.is_brand_news(brand.as_ref())) {
            new = record.user_ids().into_iter().cloned().collect();
        }
        for (id, client) in &seen.clients {
            self.client(app, &seen.user, id, Some(client), stamp);
        }
        if seen.complete.contains(&Part::Clients) {
            self.settle_shared_claims(app, &seen.user);
        }
        new.iter().try_for_each(|text| self.link_same_user_id(app, &seen.user, text, &[]))
    }

    fn edge(
        &mut self,
        app: &AppId,
        surviving: &SmoochId,
        discarded: &SmoochId,
        stamp: &Arc<Stamp>,
        edge: Edge,
    ) -> Result<(), TooLarge> {
        if surviving == discarded {
            return Ok(());
        }
        if self.has_edge(app, surviving, discarded, stamp, &edge) {
            return Ok(());
        }
        join_register(&mut self.record_mut(app, discarded).into, surviving.clone(), stamp, edge);
        self.record_mut(app, surviving).from.insert(discarded.clone());
        let members = connected_records(discarded, &|id| self.find(app, id)).len();
        if members > self.group_members {
            return Err(TooLarge { members, limit: self.group_members });
        }
        let joined = |record: &Record| record.into.get(surviving).is_some_and(|edge| edge.value.joined);
        let (dead, erased) =
            self.find(app, surviving).map_or((false, false), |(_, record)| (record.removed, record.erased));
        if dead && self.find(app, discarded).is_some_and(|(_, record)| joined(record)) {
            self.remove_with_descendants(app, discarded, erased);
        }
        Ok(())
    }

    /// Removes a record and all records merged into it, directly or indirectly.
    fn remove_with_descendants(&mut self, app: &AppId, user: &SmoochId, erase: bool) {
        let mut todo = vec![user.clone()];
        while let Some(id) = todo.pop() {
            let record = self.record_mut(app, &id);
            if record.removed && (record.erased || !erase) {
                continue;
            }
            let claims: Vec<ClientId> = record.claims.keys().cloned().collect();
            let known = erase.then(|| record.clone());
            record.mark_removed();
            if let Some(known) = known {
                record.erased = true;
                record.recent = Recent::default();
                self.erased.push(((app.clone(), id.clone()), known));
            }
            let record = self.record_mut(app, &id);
            let from = record.from.clone();
            let joined = |from: &SmoochId| {
                let edge = self.find(app, from).and_then(|(_, record)| record.into.get(&id));
                edge.is_some_and(|edge| edge.value.joined)
            };
            todo.extend(from.into_iter().filter(joined));
            for client in claims {
                self.release_client(app, &id, &client);
            }
        }
    }

    fn find(&self, app: &AppId, id: &SmoochId) -> Option<(&SmoochId, &Record)> {
        self.entries.get_key_value(&KeyRef(app, id)).map(|((_, id), entry)| (id, &entry.now))
    }

    fn find_before(&self, app: &AppId, id: &SmoochId) -> Option<(&SmoochId, &Record)> {
        let ((_, id), entry) = self.entries.get_key_value(&KeyRef(app, id))?;
        match &entry.before {
            Some(before) => before.as_ref().map(|record| (id, record)),
            None => Some((id, &entry.now)),
        }
    }

    /// The current group of an `_id`; `None` if it is unknown or was removed.
    pub fn group(&self, app: &AppId, id: &SmoochId) -> Option<MergeGroup<'_>> {
        MergeGroup::of(id, &|id| self.find(app, id))
    }

    /// The root of the group of an `_id`, and every merge of its members.
    pub fn merge_tree(&self, app: &AppId, id: &SmoochId) -> Option<(&SmoochId, Vec<MemberMerge<'_>>)> {
        merge_tree(id, &|id| self.find(app, id))
    }

    /// The time of the last event of any app user that these facts concern or take a client from. A new command must
    /// have a later time to take effect.
    pub fn latest_event_time(&self, app: &AppId, facts: &[Fact]) -> Option<i64> {
        let clients = facts.iter().flat_map(Fact::claims);
        let holders = clients.filter_map(|client| self.pointers.get(&KeyRef(app, &client))?.now.as_ref());
        let users = facts.iter().flat_map(Fact::users).flatten().chain(holders);
        let groups = users.filter_map(|id| self.group(app, id));
        groups.filter_map(|group| group.records().filter_map(|record| record.last_seen).max()).max()
    }

    /// The app user that an `_id` is, or is part of; `None` if it is unknown or was removed.
    pub fn view(&self, app: &AppId, id: &SmoochId) -> Option<View> {
        self.view_by(app, id, &|id| self.find(app, id), |pointer| pointer.now.as_ref())
    }

    fn view_by<'a>(
        &'a self,
        app: &AppId,
        id: &SmoochId,
        find: &impl Fn(&SmoochId) -> Option<(&'a SmoochId, &'a Record)>,
        holder: impl Fn(&'a Pointer) -> Option<&'a SmoochId>,
    ) -> Option<View> {
        let group = MergeGroup::of(id, find)?;
        Some(View::of(&group, |client| self.is_bound(app, &group, client, find, &holder)))
    }
}
