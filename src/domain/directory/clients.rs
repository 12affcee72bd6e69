//! Who holds which client: each record claims, and the newest claim of all is the client's pointer.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::{At, Directory, Key, Pointer};
use crate::domain::app_user::{Claim, Record};
use crate::domain::client::Mention;
use crate::domain::group::Group;
use crate::domain::ids::{AppId, ClientId, SmoochId, Stamp};
use crate::domain::view::View;

impl Directory {
    /// The app user for whom a client is active.
    pub fn holder(&self, app: &AppId, client: &ClientId) -> Option<View> {
        self.view(app, self.pointers.get(&At(app, client))?.now.as_ref()?)
    }

    /// The clients that the app user of an `_id` claims and somebody else has.
    pub fn elsewhere(&self, app: &AppId, id: &SmoochId) -> BTreeSet<ClientId> {
        let find = |id: &SmoochId| self.find(app, id);
        let Some(group) = self.group(app, id) else { return BTreeSet::new() };
        let claimed: BTreeSet<&ClientId> = group.records().flat_map(|record| record.claims.keys()).collect();
        let is_bound = |client: &ClientId| {
            self.is_bound(app, &group, client, &find, &|pointer: &Pointer| pointer.now.as_ref())
        };
        claimed.into_iter().filter(|client| !is_bound(client)).cloned().collect()
    }

    /// Whether a client's pointer, if there is one, is to a group.
    pub(super) fn is_bound<'a>(
        &'a self,
        app: &AppId,
        group: &Group<'_>,
        client: &ClientId,
        find: &impl Fn(&SmoochId) -> Option<(&'a SmoochId, &'a Record)>,
        holder: &impl Fn(&'a Pointer) -> Option<&'a SmoochId>,
    ) -> bool {
        self.pointers.get(&At(app, client)).and_then(holder).is_none_or(|id| {
            id == group.root || Group::of(id, find).is_some_and(|other| other.root == group.root)
        })
    }

    pub(super) fn client(
        &mut self,
        app: &AppId,
        user: &SmoochId,
        id: &ClientId,
        said: Option<&Mention>,
        stamp: &Arc<Stamp>,
    ) {
        let record = self.edit(app, user);
        if record.dead {
            return;
        }
        record.smooch.client(id, stamp, said);
        if said.is_some_and(|client| client.active == Some(true)) {
            self.claim(app, user, id, stamp);
        }
    }

    /// The client is active for this user now: the newest claim of all is the client's pointer.
    pub(super) fn claim(&mut self, app: &AppId, user: &SmoochId, client: &ClientId, stamp: &Arc<Stamp>) {
        let record = self.edit(app, user);
        if record.dead {
            return;
        }
        if let Some(claim) = record.claims.get_mut(client) {
            claim.stamp = stamp.max(&claim.stamp).clone();
        } else {
            record.claims.insert(client.clone(), Claim { stamp: stamp.clone(), shared: false });
            self.pointers.entry((app.clone(), client.clone())).or_default();
        }
        // A claim that is neither new nor shared holds the client already.
        let Some(pointer) = self.pointers.get_mut(&At(app, client)) else { return };
        pointer.rivals.insert(user.clone());
        let Some(holder) = pointer.now.clone().filter(|holder| holder != user) else {
            pointer.now = Some(user.clone());
            return;
        };
        self.share(app, client, [user, &holder]);
        if self.strength(app, user, client) > self.strength(app, &holder, client) {
            self.pointers.entry((app.clone(), client.clone())).or_default().now = Some(user.clone());
        }
    }

    /// Of two claims on a client the newer is stronger; of two of one event that of the smaller `_id`.
    fn strength<'a>(
        &self,
        app: &AppId,
        id: &'a SmoochId,
        client: &ClientId,
    ) -> Option<(Arc<Stamp>, Reverse<&'a SmoochId>)> {
        let (_, record) = self.find(app, id)?;
        record.claims.get(client).map(|claim| (claim.stamp.clone(), Reverse(id)))
    }

    /// Adds a record to a directory that is made whole of records and what is learned after them. Brings its
    /// claims and its `userId`s along.
    pub fn bring_whole(&mut self, key: Key, record: Record) {
        self.adopt(key.clone(), record);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.before = None;
        }
    }

    /// Makes a record as it was elsewhere, with its claims and its `userId`s.
    pub fn adopt(&mut self, (app, id): Key, mut record: Record) {
        let claims = std::mem::take(&mut record.claims);
        record.user_ids().into_iter().for_each(|text| self.name(&app, &id, text));
        let dead = record.dead;
        *self.edit(&app, &id) = record;
        for (client, claim) in claims.iter().filter(|_| !dead) {
            self.claim(&app, &id, client, &claim.stamp);
        }
    }

    fn share(&mut self, app: &AppId, client: &ClientId, ids: [&SmoochId; 2]) {
        for id in ids {
            if let Some(claim) = self.edit(app, id).claims.get_mut(client) {
                claim.shared = true;
            }
        }
    }

    /// The holder of a client is gone: the newest of the other claims is its pointer now.
    pub(super) fn release(&mut self, app: &AppId, gone: &SmoochId, client: &ClientId) {
        let key = (app.clone(), client.clone());
        let unshared =
            || Pointer { before: Some(gone.clone()), now: None, rivals: BTreeSet::from([gone.clone()]) };
        let pointer = self.pointers.entry(key.clone()).or_insert_with(unshared);
        if pointer.now.as_ref().is_none_or(|holder| holder == gone) {
            let rivals = pointer.rivals.clone();
            let newest = rivals.iter().filter_map(|id| self.strength(app, id, client)).max();
            let newest = newest.map(|(_, Reverse(id))| id.clone());
            self.pointers.entry(key).or_default().now = newest;
        }
    }
}
