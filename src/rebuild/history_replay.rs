//! Replays the journal of app users in memory, and reports what each event changed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::domain::{
    AppId, ClientId, Edge, Event, MemberMerge, MergeGroup, Reason, Record, RecordKey, Register, SmoochId,
    View, Visibility, WorkingSet,
};
use crate::smooch::journal_entry::shown_members;
use crate::smooch::json::{raw, to_json};
use crate::smooch::v1;
use crate::store::Entry;

/// A member of an app user that an event changed.
#[derive(Serialize)]
pub struct Difference {
    /// The app user.
    #[serde(rename = "_id")]
    pub user: SmoochId,
    /// Its name; `_id` if the app user was merged, unmerged or removed.
    #[serde(rename = "field")]
    pub member: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Box<RawValue>>,
}

/// A difference of which the values are left out.
#[derive(Serialize)]
struct MaskedDifference<'d> {
    #[serde(rename = "_id")]
    user: &'d SmoochId,
    field: &'d str,
    masked: bool,
}

impl Difference {
    /// JSON text; without the values if they are not visible.
    pub fn text(&self, visibility: Visibility) -> String {
        if !visibility.hides(&self.member) {
            return to_json(self);
        }
        to_json(&MaskedDifference { user: &self.user, field: visibility.name(&self.member), masked: true })
    }
}

/// A directory in memory, built from journal entries.
pub struct HistoryReplay {
    app: AppId,
    directory: WorkingSet,
}

impl HistoryReplay {
    /// Begins with the compacted records before the first entry.
    pub fn new(app: &AppId, base: Vec<(RecordKey, Record)>) -> Self {
        let mut directory = WorkingSet::whole(usize::MAX);
        base.into_iter().for_each(|(key, record)| directory.insert_whole(key, record));
        Self { app: app.clone(), directory }
    }

    /// The view of an `_id`.
    pub fn view(&self, id: &SmoochId) -> Option<View> {
        self.directory.view(&self.app, id)
    }

    /// The clients of the app user of an `_id` that another app user has now.
    pub(super) fn elsewhere(&self, id: &SmoochId) -> BTreeSet<ClientId> {
        self.directory.clients_held_elsewhere(&self.app, id)
    }

    /// The merge group that an `_id` is in.
    pub fn group(&self, id: &SmoochId) -> Option<MergeGroup<'_>> {
        self.directory.group(&self.app, id)
    }

    /// The root of the group of an `_id`, and every merge of its members.
    pub fn merge_tree(&self, id: &SmoochId) -> Option<(&SmoochId, Vec<MemberMerge<'_>>)> {
        self.directory.merge_tree(&self.app, id)
    }

    /// The merges, or their undoings, that are of the event of an entry: pairs of the discarded and the surviving `_id`.
    pub fn merges_of(&self, entry: &Entry, event: &Event) -> impl Iterator<Item = (SmoochId, SmoochId)> {
        self.merges(entry).into_iter().filter(|(_, edge)| edge.stamp == event.stamp).map(|(pair, _)| pair)
    }

    pub(super) fn record(&self, id: &SmoochId) -> Option<&Record> {
        self.directory.record(&(self.app.clone(), id.clone()))
    }

    /// Every claimed client.
    pub fn claimed(&self) -> Vec<ClientId> {
        let claims = self.directory.entries().flat_map(|(_, entry)| entry.now.claims.keys());
        claims.cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Applies an event.
    pub fn apply(&mut self, event: &Event) {
        // Groups have no size limit here, so this cannot fail.
        _ = self.directory.apply_event(&self.app, event);
    }

    /// Applies the event of an entry. Returns what it changed of its app users, and of `others`.
    pub fn apply_with_diff(&mut self, entry: &Entry, event: &Event, others: &[SmoochId]) -> EventDiff {
        let ids: BTreeSet<&SmoochId> = entry.users.iter().map(|(id, _)| id).chain(others).collect();
        let before: Vec<Option<View>> = ids.iter().map(|id| self.view(id)).collect();
        let merged = self.merges(entry);
        _ = self.directory.apply_event(&self.app, event);
        let (mut told, mut seen) = (Vec::new(), BTreeSet::new());
        for (id, before) in ids.into_iter().zip(before) {
            let after = self.view(id);
            let root = after.as_ref().or(before.as_ref()).map(|view| view.id.clone());
            let same = |(before, after): (&View, &View)| before.id == after.id;
            let moved = !before.as_ref().zip(after.as_ref()).is_none_or(same);
            if moved || root.is_some_and(|root| seen.insert(root)) {
                told.extend(differences(id, before.as_ref(), after.as_ref()));
            }
        }
        let merges = self.merges(entry).into_iter().filter(|(pair, edge)| merged.get(pair) != Some(edge));
        let merges = merges.filter(|(_, edge)| edge.value.joined);
        let merge = |((discarded, surviving), edge): ((SmoochId, SmoochId), Register<Edge>)| Merge {
            surviving,
            discarded,
            reason: edge.value.reason,
        };
        EventDiff { changed: told, merges: merges.map(merge).collect() }
    }

    /// The merges of an entry's app users, in both directions.
    fn merges(&self, entry: &Entry) -> BTreeMap<(SmoochId, SmoochId), Register<Edge>> {
        let record = |id: &SmoochId| self.directory.record(&(self.app.clone(), id.clone()));
        let mut found = BTreeMap::new();
        for (id, of) in entry.users.iter().filter_map(|(id, _)| Some((id, record(id)?))) {
            found.extend(of.into.iter().map(|(to, edge)| ((id.clone(), to.clone()), edge.clone())));
            let from = of.from.iter().filter_map(|from| Some((from, record(from)?.into.get(id)?)));
            found.extend(from.map(|(from, edge)| ((from.clone(), id.clone()), edge.clone())));
        }
        found
    }
}

/// What an event changed.
#[derive(Default)]
pub struct EventDiff {
    /// Changed members.
    pub changed: Vec<Difference>,
    /// New merges.
    pub merges: Vec<Merge>,
}

/// A merge of two app users.
pub struct Merge {
    /// The app user that stays.
    pub surviving: SmoochId,
    /// The app user that is merged into it.
    pub discarded: SmoochId,
    reason: Reason,
}

/// A merge in a history. Whether the two are still merged, and what each would be alone, is looked up for as many
/// merges as an answer has room for.
#[derive(Serialize)]
struct MergeAnswer<'m> {
    surviving: &'m SmoochId,
    discarded: &'m SmoochId,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    holds: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unmerged: Option<Unmerged>,
}

#[derive(Serialize)]
struct Unmerged {
    surviving: Box<RawValue>,
    discarded: Box<RawValue>,
}

impl Merge {
    /// JSON text; `apart` is what the two would be, if that was looked up and they are still merged.
    pub fn text(&self, apart: Option<&Option<(View, View)>>, visibility: Visibility) -> String {
        let shown = |view: &View| raw(v1::app_user(&visibility.show(view)));
        let unmerged = |(surviving, discarded): &(View, View)| Unmerged {
            surviving: shown(surviving),
            discarded: shown(discarded),
        };
        to_json(&MergeAnswer {
            surviving: &self.surviving,
            discarded: &self.discarded,
            reason: self.reason.as_str(),
            holds: apart.map(Option::is_some),
            unmerged: apart.and_then(Option::as_ref).map(unmerged),
        })
    }
}

fn differences(id: &SmoochId, before: Option<&View>, after: Option<&View>) -> Vec<Difference> {
    let name = |view: &View| raw(to_json(&view.id));
    let (was, is) = (before.map(|view| &view.id), after.map(|view| &view.id));
    if before.is_some() && was != is {
        let (before, after) = (before.map(name), after.map(name));
        return vec![Difference { user: id.clone(), member: "_id".to_owned(), before, after }];
    }
    let user = after.map_or_else(|| id.clone(), |view| view.id.clone());
    let shown = |view: Option<&View>| view.map(shown_members).unwrap_or_default();
    let (mut before, after) = (shown(before), shown(after));
    let mut told = Vec::new();
    for (member, after) in after {
        let before = before.remove(&member);
        if before.as_ref() != Some(&after) {
            let before = before.map(raw);
            told.push(Difference { user: user.clone(), member, before, after: Some(raw(after)) });
        }
    }
    let gone = before.into_iter().map(|(member, before)| Difference {
        user: user.clone(),
        member,
        before: Some(raw(before)),
        after: None,
    });
    told.extend(gone);
    told
}
