//! The changes of a batch: of app users, and of client ownership; and those of an un-merge that has not happened.

use std::collections::{BTreeMap, BTreeSet};

use super::{KeyRef, RecordKey, WorkingSet};
use crate::domain::ids::{AppId, ClientId, SmoochId};
use crate::domain::merge_group::find_root;
use crate::domain::record::Record;
use crate::domain::view::{Change, ChangeKind, View};

impl WorkingSet {
    /// The changes since loading, sorted by app and `_id`.
    pub fn changes(&self) -> Vec<(AppId, Change)> {
        let mut plain = Vec::new();
        let mut touched = Vec::new();
        let mut erased = Vec::new();
        for (key, entry) in &self.entries {
            match &entry.before {
                None => {}
                Some(Some(before)) if entry.now.erased && !before.erased => {
                    erased.push(key);
                    touched.push(key.clone());
                }
                Some(Some(before)) => match Change::of_plain(&key.1, before, &entry.now) {
                    Some(change) => plain.extend(change.map(|change| (key.0.clone(), change))),
                    None => touched.push(key.clone()),
                },
                Some(None) => touched.push(key.clone()),
            }
        }
        // A pointer that is new, or whose holder was removed, changes no record that is not touched already.
        let moved = self.pointers.iter().filter(|(_, pointer)| pointer.has_moved());
        let moved = moved.flat_map(|((app, _), pointer)| {
            pointer.before.iter().chain(&pointer.now).map(|id| (app.clone(), id.clone()))
        });
        let mut ids: BTreeSet<RecordKey> = BTreeSet::new();
        for (app, id) in touched.into_iter().chain(moved) {
            let roots =
                [find_root(&id, &|id| self.find(&app, id)), find_root(&id, &|id| self.find_before(&app, id))];
            ids.extend(roots.into_iter().flatten().map(|root| (app.clone(), root.clone())));
            ids.insert((app, id));
        }
        let between = |(app, id): RecordKey| {
            let before =
                self.view_by(&app, &id, &|id| self.find_before(&app, id), |pointer| pointer.before.as_ref());
            let change = Change::between(&id, before.as_ref(), self.view(&app, &id).as_ref())?;
            Some((app, change))
        };
        // Every erased `_id` is reported, merged ones too: a follower may have stored any of them.
        erased.iter().for_each(|key| _ = ids.remove(*key));
        let erased = erased.into_iter().map(|(app, id)| {
            (app.clone(), Change { user: id.clone(), kind: ChangeKind::Erased, fields: Vec::new() })
        });
        let changes = ids.into_iter().filter_map(between).chain(plain).chain(erased);
        let mut changes: Vec<_> = changes.collect();
        changes.retain(|(_, change)| !change.user.is_app());
        changes.sort_by_cached_key(|(app, change)| (app.clone(), change.user.clone()));
        changes
    }

    /// Every touched record, and every root over one of them, before and now: these rows may have changed. No other
    /// root can have.
    pub fn affected_records(&self) -> BTreeSet<RecordKey> {
        let mut keys = BTreeSet::new();
        for (key, entry) in self.entries.iter().filter(|(_, entry)| entry.before.is_some()) {
            let (app, id) = key;
            keys.insert(key.clone());
            // Edges are never deleted, so a record without edges had none before.
            if !entry.now.into.is_empty() || !entry.now.from.is_empty() {
                let now = find_root(id, &|id| self.find(app, id));
                let roots = [now, find_root(id, &|id| self.find_before(app, id))].into_iter().flatten();
                keys.extend(roots.map(|root| (app.clone(), root.clone())));
            }
        }
        keys
    }

    /// The records whose ownership of a client changed, each before and now: `Some(true)` holds the client,
    /// `Some(false)` claims it without holding it.
    pub fn ownership_changes(&self, app: &AppId, client: &ClientId) -> Vec<(&SmoochId, [Option<bool>; 2])> {
        let Some(pointer) = self.pointers.get(&KeyRef(app, client)) else { return Vec::new() };
        let standing = |found: Option<(&SmoochId, &Record)>, holder: Option<&SmoochId>| {
            let (id, _) = found.filter(|(_, record)| record.claims.contains_key(client))?;
            Some(holder == Some(id))
        };
        let rows = pointer.claimants.iter().map(|id| {
            let was = standing(self.find_before(app, id), pointer.before.as_ref());
            let is = standing(self.find(app, id), pointer.now.as_ref());
            (id, [was, is])
        });
        rows.filter(|(_, [was, is])| was != is).collect()
    }

    /// The app user that both are part of, and `discarded`, as an un-merge would show them now; `None` if they are
    /// not one app user, or `discarded` is its root.
    pub fn preview_unmerge(
        &self,
        app: &AppId,
        surviving: &SmoochId,
        discarded: &SmoochId,
    ) -> Option<(View, View)> {
        let group = self.group(app, discarded)?;
        if self.group(app, surviving)?.root != group.root {
            return None;
        }
        let mut without: BTreeMap<&SmoochId, Record> = BTreeMap::new();
        for (id, to) in group.bonds(discarded)? {
            let (_, record) = self.find(app, id)?;
            let record = without.entry(id).or_insert_with(|| record.clone());
            record.into.get_mut(to)?.value.joined = false;
        }
        let find = |id: &SmoochId| match without.get_key_value(id) {
            Some((id, record)) => Some((*id, record)),
            None => self.find(app, id),
        };
        let shown = |id: &SmoochId| self.view_by(app, id, &find, |pointer| pointer.now.as_ref());
        Some((shown(group.root)?, shown(discarded)?))
    }
}
