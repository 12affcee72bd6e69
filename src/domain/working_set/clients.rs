//! Client ownership: each record has claims, and the newest claim of all is the client's pointer.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::{KeyRef, Pointer, RecordKey, WorkingSet};
use crate::domain::client::Mention;
use crate::domain::ids::{AppId, BEFORE_ALL, ClientId, SmoochId, Stamp};
use crate::domain::merge_group::MergeGroup;
use crate::domain::record::{Claim, Record};
use crate::domain::view::View;

impl WorkingSet {
    /// The app user that has a client. The pointer of the id leads to a record; of the claims on all ids that this
    /// record has for the client, the newest decides.
    pub fn holder(&self, app: &AppId, client: &ClientId) -> Option<View> {
        let last = self.pointers.get(&KeyRef(app, client))?.now.as_ref()?;
        let (_, record) = self.find(app, last)?;
        let claims = record.claims_on(client).filter_map(|(id, _)| {
            let holder = self.pointers.get(&KeyRef(app, id)).and_then(|pointer| pointer.now.as_ref());
            self.strength(app, holder.unwrap_or(last), id)
        });
        let Reverse(id) = claims.max()?.1;
        self.view(app, id)
    }

    /// All ids of a client in the record that holds it under this id, which comes first.
    pub fn ids_of_client(&self, app: &AppId, client: &ClientId) -> Vec<ClientId> {
        let last = self.pointers.get(&KeyRef(app, client)).and_then(|pointer| pointer.now.as_ref());
        let record = last.and_then(|id| self.find(app, id)).map(|(_, record)| record);
        let others = record.into_iter().flat_map(|record| record.claims_on(client)).map(|(id, _)| id);
        std::iter::once(client).chain(others.filter(|id| *id != client)).cloned().collect()
    }

    /// The clients that the app user of an `_id` claims and another app user holds.
    pub fn clients_held_elsewhere(&self, app: &AppId, id: &SmoochId) -> BTreeSet<ClientId> {
        let find = |id: &SmoochId| self.find(app, id);
        let Some(group) = self.group(app, id) else { return BTreeSet::new() };
        let claimed: BTreeSet<&ClientId> = group.records().flat_map(|record| record.claims.keys()).collect();
        let is_bound = |client: &ClientId| {
            self.is_bound(app, &group, client, &find, &|pointer: &Pointer| pointer.now.as_ref())
        };
        claimed.into_iter().filter(|client| !is_bound(client)).cloned().collect()
    }

    /// True if a client's pointer, if any, is to a group.
    pub(super) fn is_bound<'a>(
        &'a self,
        app: &AppId,
        group: &MergeGroup<'_>,
        client: &ClientId,
        find: &impl Fn(&SmoochId) -> Option<(&'a SmoochId, &'a Record)>,
        holder: &impl Fn(&'a Pointer) -> Option<&'a SmoochId>,
    ) -> bool {
        self.pointers.get(&KeyRef(app, client)).and_then(holder).is_none_or(|id| {
            id == group.root || MergeGroup::of(id, find).is_some_and(|other| other.root == group.root)
        })
    }

    pub(super) fn client(
        &mut self,
        app: &AppId,
        user: &SmoochId,
        id: &ClientId,
        mention: Option<&Mention>,
        stamp: &Arc<Stamp>,
    ) {
        let record = self.record_mut(app, user);
        if record.removed {
            return;
        }
        record.smooch.client(id, stamp, mention);
        let Some(mention) = mention.filter(|mention| mention.is_in_use()) else {
            return self.settle_shared_claims(app, user);
        };
        let others: Vec<ClientId> = mention.other_ids(id).collect();
        let stamp = if mention.active.is_some() { stamp } else { &*BEFORE_ALL };
        self.claim(app, user, id, &others, stamp);
    }

    /// Assigns the client to the user, under these ids and every other id by which the user ever had it. The newest
    /// claim of all records becomes the client's pointer.
    pub(super) fn claim(
        &mut self,
        app: &AppId,
        user: &SmoochId,
        client: &ClientId,
        also: &[ClientId],
        stamp: &Arc<Stamp>,
    ) {
        let record = self.record_mut(app, user);
        if record.removed {
            return;
        }
        let known = record.claims.get(client);
        if also.is_empty() && known.is_none_or(|claim| claim.with.is_none()) {
            self.claim_under(app, user, client, None, stamp);
            return self.update_pointer(app, user, client);
        }
        let mut ids: BTreeSet<ClientId> = also.iter().chain([client]).cloned().collect();
        let before: Vec<_> = ids.iter().flat_map(|id| record.claims_on(id)).collect();
        let stamp = before.iter().map(|(_, claim)| &claim.stamp).fold(stamp, Ord::max).clone();
        let before: Vec<ClientId> = before.into_iter().map(|(id, _)| id.clone()).collect();
        ids.extend(before);
        let with = ids.first().filter(|_| ids.len() > 1).cloned();
        ids.iter().for_each(|id| self.claim_under(app, user, id, with.as_ref(), &stamp));
        ids.iter().for_each(|id| self.update_pointer(app, user, id));
    }

    /// Sets a claim on a client under one of its ids. `with` is the first of several ids.
    fn claim_under(
        &mut self,
        app: &AppId,
        user: &SmoochId,
        client: &ClientId,
        with: Option<&ClientId>,
        stamp: &Arc<Stamp>,
    ) {
        let record = self.record_mut(app, user);
        if let Some(claim) = record.claims.get_mut(client) {
            claim.stamp = stamp.max(&claim.stamp).clone();
            claim.with = with.cloned();
        } else {
            let claim = Claim { stamp: stamp.clone(), with: with.cloned(), shared: false };
            record.claims.insert(client.clone(), claim);
            self.pointers.entry((app.clone(), client.clone())).or_default();
        }
    }

    /// Updates the holders of shared clients after a statement about the user's clients may have been withdrawn.
    pub(super) fn settle_shared_claims(&mut self, app: &AppId, user: &SmoochId) {
        let record = self.record_mut(app, user);
        let shared = record.claims.iter().filter(|(_, claim)| claim.shared);
        let shared: Vec<ClientId> = shared.map(|(client, _)| client.clone()).collect();
        shared.iter().for_each(|client| self.update_pointer(app, user, client));
    }

    /// Updates the holder of a client after one claim changed.
    fn update_pointer(&mut self, app: &AppId, user: &SmoochId, client: &ClientId) {
        // A claim that is neither new nor shared holds the client already.
        let Some(pointer) = self.pointers.get_mut(&KeyRef(app, client)) else { return };
        pointer.claimants.insert(user.clone());
        let Some(holder) = pointer.now.clone() else {
            pointer.now = Some(user.clone());
            return;
        };
        if holder == *user {
            if pointer.claimants.len() > 1 {
                self.elect_holder(app, client);
            }
            return;
        }
        self.mark_shared(app, client, [user, &holder]);
        if self.strength(app, user, client) > self.strength(app, &holder, client) {
            self.pointers.entry((app.clone(), client.clone())).or_default().now = Some(user.clone());
        }
    }

    /// The strength of a claim: the newer one wins; of two claims of one event, the smaller `_id`.
    fn strength<'a>(
        &self,
        app: &AppId,
        id: &'a SmoochId,
        client: &ClientId,
    ) -> Option<(Arc<Stamp>, Reverse<&'a SmoochId>)> {
        let (_, record) = self.find(app, id)?;
        record.strength(client).map(|stamp| (stamp.clone(), Reverse(id)))
    }

    /// Sets the client's pointer to the newest of the loaded claims.
    fn elect_holder(&mut self, app: &AppId, client: &ClientId) {
        let Some(pointer) = self.pointers.get(&KeyRef(app, client)) else { return };
        let newest = pointer.claimants.iter().filter_map(|id| self.strength(app, id, client)).max();
        let newest = newest.map(|(_, Reverse(id))| id.clone());
        self.pointers.entry((app.clone(), client.clone())).or_default().now = newest;
    }

    /// Adds a stored record, with its claims and `userId`s, to a working set that contains the whole directory.
    pub fn insert_whole(&mut self, key: RecordKey, record: Record) {
        self.adopt_record(key.clone(), record);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.before = None;
        }
    }

    /// Replaces a record by another state, with its claims and `userId`s.
    pub fn adopt_record(&mut self, (app, id): RecordKey, mut record: Record) {
        let claims = std::mem::take(&mut record.claims);
        record.user_ids().into_iter().for_each(|text| self.index_user_id(&app, &id, text));
        let dead = record.removed;
        *self.record_mut(&app, &id) = record;
        for (client, claim) in claims.iter().filter(|_| !dead) {
            self.claim_under(&app, &id, client, claim.with.as_ref(), &claim.stamp);
        }
        claims.keys().filter(|_| !dead).for_each(|client| self.update_pointer(&app, &id, client));
    }

    fn mark_shared(&mut self, app: &AppId, client: &ClientId, ids: [&SmoochId; 2]) {
        for id in ids {
            if let Some(claim) = self.record_mut(app, id).claims.get_mut(client) {
                claim.shared = true;
            }
        }
    }

    /// Passes the client of a removed holder to the newest of the other claims.
    pub(super) fn release_client(&mut self, app: &AppId, gone: &SmoochId, client: &ClientId) {
        let key = (app.clone(), client.clone());
        let unshared =
            || Pointer { before: Some(gone.clone()), now: None, claimants: BTreeSet::from([gone.clone()]) };
        let pointer = self.pointers.entry(key).or_insert_with(unshared);
        if pointer.now.as_ref().is_none_or(|holder| holder == gone) {
            self.elect_holder(app, client);
        }
    }
}
