//! Merge groups: merges are edges, and the newest edge of an `_id` points to its parent.

use std::collections::{BTreeMap, BTreeSet};

use super::field::Field;
use super::field_form::Part;
use super::ids::{SmoochId, Stamp};
use super::record::{Edge, Record};
use super::value::{JsonText, Register, SmoochValue};

/// A root and every live record under it: the records that together are one app user.
#[derive(Debug)]
pub struct MergeGroup<'a> {
    /// The `_id` of the whole group.
    pub root: &'a SmoochId,
    /// The root's own record.
    pub record: &'a Record,
    /// The other records, by `_id`.
    pub members: Vec<(&'a SmoochId, &'a Record)>,
    /// The merge time of each member: the latest stamp among the edges on its way to the root. `None` if one of these
    /// edges has no time; it then counts as never earlier than anything.
    joined: Vec<Option<&'a Stamp>>,
    /// True if any record of the group, removed ones included, refuses app tokens.
    pub secured: bool,
}

impl<'a> MergeGroup<'a> {
    /// The group of `id`; `None` if `id` is unknown or was removed. `find` must return every record that edges
    /// connect with `id`.
    pub fn of(
        id: &SmoochId,
        find: &impl Fn(&SmoochId) -> Option<(&'a SmoochId, &'a Record)>,
    ) -> Option<Self> {
        let (id, record) = find(id)?;
        if record.into.is_empty() && record.from.is_empty() {
            return (!record.removed).then(|| Self::alone(id, record));
        }
        let is_removed = record.removed;
        let component = connected_records(id, find);
        let parents = find_parents(&component);
        let root = root_of(id, &parents);
        let (root, record) = find(root)?;
        let under = component.iter().filter(|(id, _)| **id != root && root_of(id, &parents) == root);
        let all: Vec<_> = under.collect();
        let secured = record.secured || all.iter().any(|(_, member)| member.secured);
        let members: Vec<_> =
            all.into_iter().filter(|(_, member)| !member.removed).map(|(id, m)| (*id, *m)).collect();
        let joined = members.iter().map(|(id, _)| merge_time(id, &parents)).collect();
        (!record.removed && !is_removed).then_some(Self { root, record, members, joined, secured })
    }

    /// The group of a record without merges.
    pub(super) fn alone(root: &'a SmoochId, record: &'a Record) -> Self {
        let (members, joined) = (Vec::new(), Vec::new());
        Self { root, record, members, joined, secured: record.secured }
    }

    /// True if the root's complete picture hides a member's statement with this stamp: the picture is later than the
    /// merge and not older than the statement.
    pub(super) fn hides(&self, part: Option<Part>, member: usize, stamp: &Stamp) -> bool {
        let floor = self.record.smooch.floor(part).filter(|floor| ***floor >= *stamp);
        let joined = self.joined.get(member).copied().flatten();
        floor.zip(joined).is_some_and(|(floor, joined)| **floor > *joined)
    }

    /// All records, the root's first.
    pub fn records(&self) -> impl Iterator<Item = &'a Record> {
        std::iter::once(self.record).chain(self.members.iter().map(|(_, record)| *record))
    }

    /// All `_id`s, the root's first.
    pub fn ids(&self) -> impl Iterator<Item = &'a SmoochId> {
        std::iter::once(self.root).chain(self.members.iter().map(|(id, _)| *id))
    }

    /// The effective merges that connect `part` with its group: pairs of an `_id` and its parent. An un-merge undoes
    /// these. `None` if `part` is not a member.
    pub fn bonds(&self, part: &SmoochId) -> Option<Vec<(&'a SmoochId, &'a SmoochId)>> {
        let member = self.members.iter().find(|(id, _)| *id == part)?;
        let bonds = [*member, (self.root, self.record)].into_iter().flat_map(|(id, record)| {
            record.into.iter().filter(|(_, edge)| edge.value.joined).map(move |(to, _)| (id, to))
        });
        Some(bonds.collect())
    }

    /// The latest stamp with which a record of the group got the `userId` shown.
    pub fn user_id_stamp(&self, shown: &JsonText) -> Option<&'a Stamp> {
        let reported = self.records().filter_map(|record| record.smooch.fields.get(&Field::UserId));
        let reported = reported
            .filter(|reported| reported.value.as_ref() == Some(shown))
            .map(|reported| &*reported.stamp);
        let ours = self.records().filter_map(|record| record.overrides.get(&Field::UserId));
        let ours = ours.filter(|set| set.value.value.as_ref() == Some(shown)).map(|set| &*set.stamp);
        reported.chain(ours).max()
    }

    /// Smooch's value of a field: the root's own, else the newest member's that no later picture of the root hides.
    pub(super) fn smooch(&self, field: &Field) -> Option<&'a SmoochValue<JsonText>> {
        self.smooch_by(field).map(|(reported, _)| reported)
    }

    /// The same value, and the `_id` of the record that has it.
    pub(super) fn smooch_by(&self, field: &Field) -> Option<(&'a SmoochValue<JsonText>, &'a SmoochId)> {
        let reported = |record: &'a Record| record.smooch.fields.get(field);
        reported(self.record).map(|reported| (reported, self.root)).or_else(|| {
            let members = self.members.iter().enumerate();
            let members = members.filter_map(|(n, (id, record))| Some((n, reported(record)?, *id)));
            let members = members.filter(|(n, reported, _)| !self.hides(field.part(), *n, &reported.stamp));
            members.map(|(_, reported, id)| (reported, id)).max()
        })
    }
}

/// A member of a merge group, and one of its merges into another `_id`.
#[derive(Debug)]
pub struct MemberMerge<'a> {
    /// The member.
    pub id: &'a SmoochId,
    /// It was removed.
    pub removed: bool,
    /// The other `_id` and the merge, or its undoing; `None` if the member was never merged into another.
    pub into: Option<(&'a SmoochId, &'a Register<Edge>)>,
    /// The member is in the group by this merge; true of the root without a merge.
    pub holds: bool,
}

/// The root of the group of `id` with every merge of its members, removed ones included, in the order of their `_id`s; the
/// root's first. The merges that hold are a tree. `find` as for [`MergeGroup::of`]; `None` if `id` is unknown.
pub(super) fn merge_tree<'a>(
    id: &SmoochId,
    find: &impl Fn(&SmoochId) -> Option<(&'a SmoochId, &'a Record)>,
) -> Option<(&'a SmoochId, Vec<MemberMerge<'a>>)> {
    let component = connected_records(id, find);
    let parents = find_parents(&component);
    let root = root_of(component.get_key_value(id)?.0, &parents);
    let mut members: Vec<_> = component.iter().filter(|(id, _)| root_of(id, &parents) == root).collect();
    members.sort_by_key(|(id, _)| (**id != root, **id));
    let merges = members.into_iter().flat_map(|(id, record)| {
        let removed = record.removed;
        let parent = parents.get(id).map(|(_, to)| *to);
        let none = record.into.is_empty().then_some(MemberMerge { id, removed, into: None, holds: true });
        let each = record.into.iter().map(move |(to, edge)| {
            let holds = edge.value.joined && parent == Some(to);
            MemberMerge { id, removed, into: Some((to, edge)), holds }
        });
        none.into_iter().chain(each)
    });
    Some((root, merges.collect()))
}

type Component<'a> = BTreeMap<&'a SmoochId, &'a Record>;

/// Every record connected with `id`, in either direction of the edges.
pub(super) fn connected_records<'a>(
    id: &SmoochId,
    find: &impl Fn(&SmoochId) -> Option<(&'a SmoochId, &'a Record)>,
) -> Component<'a> {
    let mut found = Component::new();
    let mut todo: Vec<_> = find(id).into_iter().collect();
    while let Some((id, record)) = todo.pop() {
        if found.insert(id, record).is_none() {
            todo.extend(record.into.keys().chain(&record.from).filter_map(find));
        }
    }
    found
}

/// The root over `id`; both may be removed, since a removed record still secures its root.
pub(super) fn find_root<'a>(
    id: &SmoochId,
    find: &impl Fn(&SmoochId) -> Option<(&'a SmoochId, &'a Record)>,
) -> Option<&'a SmoochId> {
    let (id, record) = find(id)?;
    if record.into.is_empty() && record.from.is_empty() {
        return Some(id);
    }
    Some(root_of(id, &find_parents(&connected_records(id, find))))
}

type Parent<'a> = (&'a Register<Edge>, &'a SmoochId);

/// The newest edge of each `_id`, with every cycle cut at its oldest edge.
fn find_parents<'a>(component: &Component<'a>) -> BTreeMap<&'a SmoochId, Parent<'a>> {
    let newest = |(id, record): (&&'a SmoochId, &&'a Record)| {
        let joined = record.into.iter().filter(|(_, edge)| edge.value.joined);
        let parent = joined.map(|(to, edge)| (edge, to)).max_by_key(|(edge, to)| (&edge.stamp, *to))?;
        Some((*id, parent))
    };
    let mut parents: BTreeMap<_, Parent<'a>> = component.iter().filter_map(newest).collect();
    let mut done = BTreeSet::new();
    for start in component.keys() {
        let (mut path, mut at) = (Vec::new(), *start);
        while let Some((_, to)) = parents.get(at) {
            if done.contains(at) || path.contains(&at) {
                break;
            }
            path.push(at);
            at = to;
        }
        if let Some(from) = path.iter().position(|id| *id == at) {
            let oldest = path[from..].iter().min_by_key(|id| (&parents[**id].0.stamp, **id));
            oldest.copied().map(|id| parents.remove(id));
        }
        done.extend(path);
    }
    parents
}

/// The merge time of `id`: the latest stamp on its way to the root, if all of them have a time.
fn merge_time<'a>(id: &'a SmoochId, parents: &BTreeMap<&'a SmoochId, Parent<'a>>) -> Option<&'a Stamp> {
    let (mut at, mut latest) = (id, None);
    while let Some((edge, to)) = parents.get(at) {
        edge.stamp.known_time()?;
        latest = latest.max(Some(&*edge.stamp));
        at = to;
    }
    latest
}

fn root_of<'a>(id: &'a SmoochId, parents: &BTreeMap<&'a SmoochId, Parent<'a>>) -> &'a SmoochId {
    let mut at = id;
    while let Some((_, to)) = parents.get(at) {
        at = to;
    }
    at
}
