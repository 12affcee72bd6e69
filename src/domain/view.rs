//! The view of a merge group, as answers show it, and the changes between two views.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::brand::{Name, parse_brand};
use super::client::Client;
use super::field::Field;
use super::ids::{ClientId, SmoochId};
use super::json_members::{JsonMembers, unescape};
use super::merge_group::MergeGroup;
use super::record::{Override, Record, SmoochState};
use super::value::{JsonText, Register, join_maps};

pub(super) mod clients;

/// One app user, as all answers show it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The current `_id`.
    pub id: SmoochId,
    /// The merged `_id`s.
    pub aliases: Vec<SmoochId>,
    /// Profile fields and properties.
    pub fields: BTreeMap<Field, JsonText>,
    /// Its clients; active only if the client's newest pointer is to this app user.
    pub clients: BTreeMap<ClientId, Client>,
    /// The conversation has started.
    pub started: bool,
    /// App tokens are refused.
    pub secured: bool,
    /// Event time of its first event, in µs since 1970.
    pub first_seen: Option<i64>,
    /// Event time of its last event, in µs since 1970.
    pub last_seen: Option<i64>,
}

impl View {
    /// The view of a group; `bound` returns true if a client's newest pointer is to this group.
    pub fn of(group: &MergeGroup<'_>, bound: impl Fn(&ClientId) -> bool) -> Self {
        Self {
            id: group.root.clone(),
            aliases: group.members.iter().map(|(id, _)| (*id).clone()).collect(),
            fields: shown_fields(group),
            clients: clients::shown_clients(group, bound),
            started: group.records().any(|record| record.started),
            secured: group.secured,
            first_seen: group.records().filter_map(|record| record.first_seen).min(),
            last_seen: group.records().filter_map(|record| record.last_seen).max(),
        }
    }

    /// All its `_id`s, the current one first.
    pub fn ids(&self) -> impl Iterator<Item = &SmoochId> {
        std::iter::once(&self.id).chain(&self.aliases)
    }

    /// True if this is one of its `_id`s, the current one or a merged one.
    pub fn has_id(&self, id: &str) -> bool {
        self.ids().any(|own| own.as_str() == id)
    }

    /// The `_id` that a name of it stands for: itself if it is an `_id`, the current one if it is the `userId`.
    pub fn id_named(&self, name: &Name) -> SmoochId {
        if self.has_id(&name.text) { (&*name.text).into() } else { self.id.clone() }
    }

    /// The view of a record without merges that shares no clients.
    pub fn alone(id: &SmoochId, record: &Record) -> Self {
        Self::of(&MergeGroup::alone(id, record), |_| true)
    }

    /// The value of a field, as JSON text.
    pub fn get(&self, field: &Field) -> Option<&JsonText> {
        self.fields.get(field)
    }

    /// Finds a client by the id shown, or by v1.1's `_id`, which is v2's `id`.
    pub fn client(&self, id: &ClientId) -> Option<(&ClientId, &Client)> {
        let has = |client: &Client| {
            JsonMembers::string(&client.rest, "\"_id\"").is_some_and(|other| unescape(other) == id.as_str())
        };
        self.clients.get_key_value(id).or_else(|| self.clients.iter().find(|(_, client)| has(client)))
    }

    /// The approximate size of an answer that shows it, in bytes.
    pub fn bytes(&self) -> usize {
        let fields = self.fields.values().map(|text| text.len() + 32);
        let clients = self.clients.values().map(|client| client.rest.len() + 64);
        256 + fields.sum::<usize>() + clients.sum::<usize>()
    }

    /// A tag that changes with every change of the view, for conditional requests.
    pub fn tag(&self) -> String {
        // The view has sorted maps of text: it always serialises, and equal views have equal bytes.
        let bytes = postcard::to_stdvec(self).unwrap_or_default();
        let mut number = [0; 16];
        number[4..].copy_from_slice(&Sha256::digest(bytes)[..12]);
        format!("{:024x}", u128::from_be_bytes(number))
    }

    /// The names of the members that differ between two views, as in answers.
    fn differences(&self, other: &Self) -> Vec<String> {
        let mut names = Vec::new();
        let fields = join_maps(&self.fields, &other.fields).filter(|(_, one, two)| one != two);
        names.extend(fields.map(|(field, _, _)| field.name().into_owned()));
        let rest = [
            ("clients", self.clients != other.clients),
            ("conversationStarted", self.started != other.started),
            ("credentialRequired", self.secured != other.secured),
            ("aliases", self.aliases != other.aliases),
        ];
        names.extend(shown_names(rest));
        names
    }
}

/// The names whose flag is true.
fn shown_names<const N: usize>(names: [(&str, bool); N]) -> impl Iterator<Item = String> {
    names.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name.to_owned())
}

fn shown_fields(group: &MergeGroup<'_>) -> BTreeMap<Field, JsonText> {
    let mut fields = if group.members.is_empty() && group.record.overrides.is_empty() {
        // The usual case: a single record without overrides.
        let reported = group.record.smooch.fields.iter();
        reported.filter_map(|(field, reported)| Some((field.clone(), reported.value.clone()?))).collect()
    } else {
        let keys =
            group.records().flat_map(|record| record.smooch.fields.keys().chain(record.overrides.keys()));
        let keys: BTreeSet<&Field> = keys.collect();
        let shown = |field: &Field| Some((field.clone(), shown_value(group, field)?.clone()));
        keys.into_iter().filter_map(shown).collect::<BTreeMap<_, _>>()
    };
    if [Field::GivenName, Field::Surname].iter().any(|name| fields.contains_key(name)) {
        fields.retain(|field, _| !matches!(field, Field::DisplayName));
    }
    fields
}

pub(super) fn shown_value<'a>(group: &MergeGroup<'a>, field: &Field) -> Option<&'a JsonText> {
    shown_with_source(group, field)?.0
}

/// The index of a member; `None` is the root.
type MemberIndex = Option<usize>;

/// The value of a field that a group shows, and the member whose override it is, if it is one. `None` if no record
/// has the field.
pub(super) fn shown_with_source<'a>(
    group: &MergeGroup<'a>,
    field: &Field,
) -> Option<(Option<&'a JsonText>, Option<MemberIndex>)> {
    let reported = group.smooch(field);
    let current = reported.and_then(|reported| reported.value.as_ref());
    let Some((set, by)) = find_override(group, field) else { return reported.map(|_| (current, None)) };
    let own = Some((set.value.value.as_ref(), Some(by)));
    // Our value holds while Smooch repeats its value from the time when ours was set.
    if set.value.basis.as_ref() == current {
        return own;
    }
    // A field missing from a complete picture was absent when the picture was made. The picture is that of the record
    // with our value, or the root's, if the two were merged by then.
    let part = field.part();
    let floor = by.map_or(group.record, |n| group.members[n].1).smooch.floor(part);
    let roots = group.record.smooch.floor(part);
    let roots = roots.filter(|floor| by.is_some_and(|n| group.hides(part, n, floor)));
    let newer = reported.map(|reported| &reported.stamp).or(floor.max(roots)) > Some(&set.stamp);
    if newer { Some((current, None)) } else { own }
}

impl<'a> MergeGroup<'a> {
    /// The `_id` of the record whose value the group shows for a field, and true if our own API set it.
    pub fn find_source(&self, field: &Field) -> Option<(&'a SmoochId, bool)> {
        let (shown, ours) = shown_with_source(self, field)?;
        let by = match ours {
            Some(None) => self.root,
            Some(Some(n)) => self.members.get(n)?.0,
            None => self.smooch_by(field)?.1,
        };
        shown.map(|_| (by, ours.is_some()))
    }

    /// Smooch's value of each field that shows a value of our own API instead, or none because that cleared it; `None` if
    /// Smooch has none.
    pub fn overridden(&self) -> BTreeMap<&'a Field, Option<&'a JsonText>> {
        let set: BTreeSet<&Field> = self.records().flat_map(|record| record.overrides.keys()).collect();
        let is_ours = |field: &Field| shown_with_source(self, field).is_some_and(|(_, ours)| ours.is_some());
        let reported =
            |field: &'a Field| (field, self.smooch(field).and_then(|reported| reported.value.as_ref()));
        set.into_iter().filter(|field| is_ours(field)).map(reported).collect()
    }
}

/// The override of a field: the root's, else, if Smooch reported no value for the root, the newest member's, with the
/// index of the member.
fn find_override<'a>(group: &MergeGroup<'a>, field: &Field) -> Option<(&'a Register<Override>, MemberIndex)> {
    if let Some(set) = group.record.overrides.get(field) {
        return Some((set, None));
    }
    let members = group.members.iter().enumerate();
    let set = members.filter_map(|(n, (_, record))| Some((record.overrides.get(field)?, Some(n))));
    set.max_by_key(|(set, _)| *set).filter(|_| !group.record.smooch.fields.contains_key(field))
}

impl View {
    /// The brand shown, if there is one.
    pub fn brand(&self) -> Option<Cow<'_, str>> {
        self.get(&Field::BrandId).and_then(|text| parse_brand(text))
    }
}

impl Name {
    /// True if the name may resolve to this app user by `_id`: the app user has no other brand.
    pub fn can_mean(&self, view: &View) -> bool {
        let Some(asked) = &self.brand else { return true };
        view.brand().is_none_or(|brand| *brand == **asked)
    }
}

/// The brands of these app users; `None` stands for an app user without a brand.
pub fn brands_of(views: &[View]) -> BTreeSet<Option<String>> {
    views.iter().map(|view| view.brand().map(Cow::into_owned)).collect()
}

/// A change of one app user by a batch, for the change feed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The app user, or the `_id` that was an app user until now.
    pub user: SmoochId,
    /// The kind of change.
    pub kind: ChangeKind,
    /// The names of the changed members; for a new app user, of all its members.
    pub fields: Vec<String>,
}

impl Record {
    /// True if the view of this record depends on no other record: no merges, no shared clients.
    pub fn is_alone(&self) -> bool {
        let alone = self.into.is_empty() && self.from.is_empty();
        alone && self.claims.values().all(|claim| !claim.shared)
    }

    /// True if the view of this record depends only on Smooch's statements about it: alone, not removed, no
    /// overrides.
    pub(super) fn is_plain(&self) -> bool {
        self.is_alone() && self.overrides.is_empty() && self.devices.is_empty() && !self.removed
    }
}

/// See [`Change`].
#[derive(Clone, Debug, PartialEq)]
pub enum ChangeKind {
    /// The app user is new in the directory.
    Created,
    /// Its view changed.
    Updated,
    /// It became part of another app user.
    Merged {
        /// The other app user.
        surviving: SmoochId,
    },
    /// It is separate again.
    Unmerged,
    /// It was removed.
    Removed,
    /// It was erased, here and in the journal. Followers of the feed must delete their copies.
    Erased,
}

impl ChangeKind {
    /// The name in the feed and in exports.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Merged { .. } => "merged",
            Self::Unmerged => "unmerged",
            Self::Removed => "removed",
            Self::Erased => "erased",
        }
    }

    /// Parses the name of a kind; a merge needs `surviving`.
    pub fn from_parts(name: &str, surviving: Option<SmoochId>) -> Option<Self> {
        match (name, surviving) {
            ("created", _) => Some(Self::Created),
            ("updated", _) => Some(Self::Updated),
            ("merged", Some(surviving)) => Some(Self::Merged { surviving }),
            ("unmerged", _) => Some(Self::Unmerged),
            ("removed", _) => Some(Self::Removed),
            ("erased", _) => Some(Self::Erased),
            _ => None,
        }
    }

    /// The app user that a merged one is part of.
    pub fn surviving(&self) -> Option<&SmoochId> {
        if let Self::Merged { surviving } = self { Some(surviving) } else { None }
    }
}

impl Change {
    /// The change of a record that was and is plain, as from [`Change::between`], but without building the views.
    /// Nearly every change is of this kind. `None` if the record is not plain.
    pub(super) fn of_plain(id: &SmoochId, before: &Record, now: &Record) -> Option<Option<Self>> {
        if !before.is_plain() || !now.is_plain() {
            return None;
        }
        let (was, is) = (&before.smooch, &now.smooch);
        let has_name = |layer: &SmoochState| {
            let mut names = [Field::GivenName, Field::Surname].iter();
            names.any(|name| layer.fields.get(name).is_some_and(|reported| reported.value.is_some()))
        };
        let differs = |field: &Field, [was_value, is_value]: [Option<&JsonText>; 2]| match field {
            Field::DisplayName => was_value.filter(|_| !has_name(was)) != is_value.filter(|_| !has_name(is)),
            _ => was_value != is_value,
        };
        let fields = join_maps(&was.fields, &is.fields).filter(|(field, was, is)| {
            differs(field, [was, is].map(|reported| reported.and_then(|reported| reported.value.as_ref())))
        });
        let fields = fields.map(|(field, _, _)| field.name().into_owned());
        let rest = [
            ("clients", !clients::are_the_same(id, before, now, clients::show_the_same)),
            ("conversationStarted", before.started != now.started),
            ("credentialRequired", before.secured != now.secured),
        ];
        let fields: Vec<String> = fields.chain(shown_names(rest)).collect();
        Some((!fields.is_empty()).then(|| Self { user: id.clone(), kind: ChangeKind::Updated, fields }))
    }

    /// The change of `id` between two moments, each given as the view of its group.
    pub fn between(id: &SmoochId, before: Option<&View>, now: Option<&View>) -> Option<Self> {
        let change = |kind, fields| Some(Self { user: id.clone(), kind, fields });
        let was_root = before.is_some_and(|view| view.id == *id);
        match now {
            None => was_root.then(|| change(ChangeKind::Removed, Vec::new())).flatten(),
            Some(view) if view.id != *id => {
                let is_new = before.is_none_or(|before| before.id != view.id);
                is_new
                    .then(|| change(ChangeKind::Merged { surviving: view.id.clone() }, Vec::new()))
                    .flatten()
            }
            Some(view) => match before {
                Some(before) if was_root => {
                    let fields = before.differences(view);
                    (!fields.is_empty()).then(|| change(ChangeKind::Updated, fields)).flatten()
                }
                Some(_) => change(ChangeKind::Unmerged, View::default().differences(view)),
                None => change(ChangeKind::Created, View::default().differences(view)),
            },
        }
    }
}
