//! Who is one person: merges are edges, the newest edge of an `_id` is its parent.

use std::collections::{BTreeMap, BTreeSet};

use super::app_user::{Edge, Record, Register, Said, Text};
use super::fact::Field;
use super::ids::{ClientId, SmoochId, Stamp};

/// A root and every live record under it: one app user as the world sees it.
#[derive(Debug)]
pub struct Group<'a> {
    /// The `_id` that stands for all of them.
    pub root: &'a SmoochId,
    /// The root's own record.
    pub record: &'a Record,
    /// The others, in the order of their `_id`s.
    pub members: Vec<(&'a SmoochId, &'a Record)>,
    /// Whether any of them, removed ones included, may only be spoken for with a JWT.
    pub secured: bool,
}

impl<'a> Group<'a> {
    /// The group that `id` belongs to; nothing if `id` is unknown or was removed.
    /// `find` must know every record that edges connect with `id`.
    pub fn of(
        id: &SmoochId,
        find: &impl Fn(&SmoochId) -> Option<(&'a SmoochId, &'a Record)>,
    ) -> Option<Self> {
        let (id, record) = find(id)?;
        if record.into.is_empty() && record.from.is_empty() {
            let alone = Self { root: id, record, members: Vec::new(), secured: record.secured };
            return (!record.dead).then_some(alone);
        }
        let dead = record.dead;
        let component = component(id, find);
        let parents = parents(&component);
        let root = root_of(id, &parents);
        let (root, record) = find(root)?;
        let under = component.iter().filter(|(id, _)| **id != root && root_of(id, &parents) == root);
        let all: Vec<_> = under.collect();
        let secured = record.secured || all.iter().any(|(_, member)| member.secured);
        let members = all.into_iter().filter(|(_, member)| !member.dead).map(|(id, m)| (*id, *m)).collect();
        (!record.dead && !dead).then_some(Self { root, record, members, secured })
    }

    /// All records, the root's first.
    pub fn records(&self) -> impl Iterator<Item = &'a Record> {
        std::iter::once(self.record).chain(self.members.iter().map(|(_, record)| *record))
    }

    /// The merges that make `part` a part of it, each an `_id` and what that is merged into: whoever takes
    /// the two apart undoes these. Nothing if `part` is no part.
    pub fn bonds(&self, part: &SmoochId) -> Option<Vec<(&'a SmoochId, &'a SmoochId)>> {
        let member = self.members.iter().find(|(id, _)| *id == part)?;
        let bonds = [*member, (self.root, self.record)].into_iter().flat_map(|(id, record)| {
            record.into.iter().filter(|(_, edge)| edge.value.joined).map(move |(to, _)| (id, to))
        });
        Some(bonds.collect())
    }

    /// Which of its `_id`s has a client: the one for which it was active last.
    pub(super) fn carrier(&self, client: &ClientId) -> &'a SmoochId {
        let all = self.members.iter().copied().chain([(self.root, self.record)]);
        let claims = all.filter_map(|(id, record)| Some((&record.claims.get(client)?.stamp, id)));
        claims.max().map_or(self.root, |(_, id)| id)
    }

    /// When the `userId` that this group shows was last said, by whomever of it.
    pub fn user_id_stamp(&self, shown: &Text) -> Option<&'a Stamp> {
        let said = self.records().filter_map(|record| record.smooch.fields.get(&Field::UserId));
        let said = said.filter(|said| said.value.as_ref() == Some(shown)).map(|said| &*said.stamp);
        let ours = self.records().filter_map(|record| record.ours.get(&Field::UserId));
        let ours = ours.filter(|set| set.value.value.as_ref() == Some(shown)).map(|set| &*set.stamp);
        said.chain(ours).max()
    }

    /// Smooch's word on a field.
    pub(super) fn smooch(&self, field: &Field) -> Option<&'a Said<Text>> {
        let floor = self.record.smooch.floor(field.part());
        self.word(floor.map(|floor| &**floor), |record| record.smooch.fields.get(field))
    }

    /// The group's word on one thing: the root's own, else the newest of the members' that is not
    /// older than the root's complete picture.
    pub(super) fn word<T: Ord>(
        &self,
        floor: Option<&Stamp>,
        said: impl Fn(&'a Record) -> Option<&'a Said<T>>,
    ) -> Option<&'a Said<T>> {
        said(self.record).or_else(|| {
            let members = self.members.iter().filter_map(|(_, record)| said(record));
            members.filter(|said| floor.is_none_or(|floor| *said.stamp > *floor)).max()
        })
    }
}

type Component<'a> = BTreeMap<&'a SmoochId, &'a Record>;

/// Every record connected with `id`, whichever way the edges point.
pub(super) fn component<'a>(
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

/// The root over `id`, whether or not either was removed: a removed one can still secure its root.
pub(super) fn root<'a>(
    id: &SmoochId,
    find: &impl Fn(&SmoochId) -> Option<(&'a SmoochId, &'a Record)>,
) -> Option<&'a SmoochId> {
    let (id, record) = find(id)?;
    if record.into.is_empty() && record.from.is_empty() {
        return Some(id);
    }
    Some(root_of(id, &parents(&component(id, find))))
}

type Parent<'a> = (&'a Register<Edge>, &'a SmoochId);

/// Each `_id`'s newest edge, with every cycle cut at its oldest.
fn parents<'a>(component: &Component<'a>) -> BTreeMap<&'a SmoochId, Parent<'a>> {
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

fn root_of<'a>(id: &'a SmoochId, parents: &BTreeMap<&'a SmoochId, Parent<'a>>) -> &'a SmoochId {
    let mut at = id;
    while let Some((_, to)) = parents.get(at) {
        at = to;
    }
    at
}
