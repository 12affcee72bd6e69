//! What the world sees of a group, and what a batch changed of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::brand::{Name, brand};
use super::client::Client;
use super::field::Field;
use super::ids::{ClientId, SmoochId};
use super::json_members::{JsonMembers, plain};
use super::merge_group::MergeGroup;
use super::record::{Override, Record, SmoochState};
use super::value::{JsonText, Register};

pub(super) mod clients;

/// One app user, as every answer shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The `_id` it goes by now.
    pub id: SmoochId,
    /// The `_id`s that were merged into it.
    pub aliases: Vec<SmoochId>,
    /// Profile fields and properties.
    pub fields: BTreeMap<Field, JsonText>,
    /// Its clients; active only where the client's newest pointer is to this user.
    pub clients: BTreeMap<ClientId, Client>,
    /// The conversation has started.
    pub started: bool,
    /// Only a JWT may speak for it.
    pub secured: bool,
    /// Event time of its first event, in µs since 1970.
    pub first_seen: Option<i64>,
    /// Event time of its last event, in µs since 1970.
    pub last_seen: Option<i64>,
}

impl View {
    /// The view over a group; `bound` tells whether a client's newest pointer is to this group.
    pub fn of(group: &MergeGroup<'_>, bound: impl Fn(&ClientId) -> bool) -> Self {
        Self {
            id: group.root.clone(),
            aliases: group.members.iter().map(|(id, _)| (*id).clone()).collect(),
            fields: fields(group),
            clients: clients::shown(group, bound),
            started: group.records().any(|record| record.started),
            secured: group.secured,
            first_seen: group.records().filter_map(|record| record.first_seen).min(),
            last_seen: group.records().filter_map(|record| record.last_seen).max(),
        }
    }

    /// Every `_id` it goes by, its own first.
    pub fn ids(&self) -> impl Iterator<Item = &SmoochId> {
        std::iter::once(&self.id).chain(&self.aliases)
    }

    /// What a record shows if nobody is merged with it, and nobody else has its clients.
    pub fn alone(id: &SmoochId, record: &Record) -> Self {
        Self::of(&MergeGroup::alone(id, record), |_| true)
    }

    /// The value of a field, as JSON text.
    pub fn get(&self, field: &Field) -> Option<&JsonText> {
        self.fields.get(field)
    }

    /// A client by any of its ids: the one it is shown under, or v1.1's `_id`, which is v2's `id`.
    pub fn client(&self, id: &ClientId) -> Option<(&ClientId, &Client)> {
        let has = |client: &Client| {
            JsonMembers::string(&client.rest, "\"_id\"").is_some_and(|other| plain(other) == id.as_str())
        };
        self.clients.get_key_value(id).or_else(|| self.clients.iter().find(|(_, client)| has(client)))
    }

    /// About the bytes of an answer that shows it.
    pub fn bytes(&self) -> usize {
        let fields = self.fields.values().map(|text| text.len() + 32);
        let clients = self.clients.values().map(|client| client.rest.len() + 64);
        256 + fields.sum::<usize>() + clients.sum::<usize>()
    }

    /// A tag that is another as soon as anything of it is, for conditional requests.
    pub fn tag(&self) -> String {
        // Sorted maps of text: they can always be written, and equal views are written alike.
        let bytes = postcard::to_stdvec(self).unwrap_or_default();
        let mut number = [0; 16];
        number[4..].copy_from_slice(&Sha256::digest(bytes)[..12]);
        format!("{:024x}", u128::from_be_bytes(number))
    }

    /// The names of what it shows, as the answers use them.
    fn names(&self) -> Vec<String> {
        let fields = self.fields.keys().map(|field| field.name().into_owned());
        let rest = [
            ("clients", !self.clients.is_empty()),
            ("conversationStarted", self.started),
            ("credentialRequired", self.secured),
            ("aliases", !self.aliases.is_empty()),
        ];
        fields.chain(shown_names(rest)).collect()
    }

    /// What differs between two views, by the names the answers use.
    fn differences(&self, other: &Self) -> Vec<String> {
        let mut names = Vec::new();
        let fields: BTreeSet<_> = self.fields.keys().chain(other.fields.keys()).collect();
        for field in fields {
            if self.fields.get(field) != other.fields.get(field) {
                names.push(field.name().into_owned());
            }
        }
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

/// The names of those that hold.
fn shown_names<const N: usize>(names: [(&str, bool); N]) -> impl Iterator<Item = String> {
    names.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name.to_owned())
}

fn fields(group: &MergeGroup<'_>) -> BTreeMap<Field, JsonText> {
    let mut fields = if group.members.is_empty() && group.record.overrides.is_empty() {
        // Most app users: nobody else's word has to be weighed.
        let said = group.record.smooch.fields.iter();
        said.filter_map(|(field, said)| Some((field.clone(), said.value.clone()?))).collect()
    } else {
        let keys =
            group.records().flat_map(|record| record.smooch.fields.keys().chain(record.overrides.keys()));
        let keys: BTreeSet<&Field> = keys.collect();
        let shown = |field: &Field| Some((field.clone(), value(group, field)?.clone()));
        keys.into_iter().filter_map(shown).collect::<BTreeMap<_, _>>()
    };
    if [Field::GivenName, Field::Surname].iter().any(|name| fields.contains_key(name)) {
        fields.retain(|field, _| !matches!(field, Field::DisplayName));
    }
    fields
}

/// What a group shows for one field.
pub(super) fn value<'a>(group: &MergeGroup<'a>, field: &Field) -> Option<&'a JsonText> {
    shown(group, field)?.0
}

/// The place of a member; none is the root.
type MemberIndex = Option<usize>;

/// What a group shows for one field, and, if our own API set it, of whom. Nothing if nobody said anything.
pub(super) fn shown<'a>(
    group: &MergeGroup<'a>,
    field: &Field,
) -> Option<(Option<&'a JsonText>, Option<MemberIndex>)> {
    let said = group.smooch(field);
    let current = said.and_then(|said| said.value.as_ref());
    let Some((set, by)) = ours(group, field) else { return said.map(|_| (current, None)) };
    let own = Some((set.value.value.as_ref(), Some(by)));
    // Ours holds while Smooch only repeats what it said when ours was set.
    if set.value.basis.as_ref() == current {
        return own;
    }
    // What a picture lacks was absent when it was taken: that of whose value it is, or the root's, if the two were
    // one by then.
    let part = field.part();
    let floor = by.map_or(group.record, |n| group.members[n].1).smooch.floor(part);
    let roots = group.record.smooch.floor(part);
    let roots = roots.filter(|floor| by.is_some_and(|n| group.hides(part, n, floor)));
    let newer = said.map(|said| &said.stamp).or(floor.max(roots)) > Some(&set.stamp);
    if newer { Some((current, None)) } else { own }
}

impl<'a> MergeGroup<'a> {
    /// Who of it says what it shows for a field, and whether our own API set it there.
    pub fn says(&self, field: &Field) -> Option<(&'a SmoochId, bool)> {
        let (shown, ours) = shown(self, field)?;
        let by = match ours {
            Some(None) => self.root,
            Some(Some(n)) => self.members.get(n)?.0,
            None => self.smooch_by(field)?.1,
        };
        shown.map(|_| (by, ours.is_some()))
    }
}

/// What our own API set, and of whom: of the root, else, where Smooch says nothing of the root, the newest of the
/// members', with the place of that one.
fn ours<'a>(group: &MergeGroup<'a>, field: &Field) -> Option<(&'a Register<Override>, MemberIndex)> {
    if let Some(set) = group.record.overrides.get(field) {
        return Some((set, None));
    }
    let members = group.members.iter().enumerate();
    let set = members.filter_map(|(n, (_, record))| Some((record.overrides.get(field)?, Some(n))));
    set.max_by_key(|(set, _)| *set).filter(|_| !group.record.smooch.fields.contains_key(field))
}

impl View {
    /// The brand it is shown in, if it is shown in one.
    pub fn brand(&self) -> Option<Cow<'_, str>> {
        self.get(&Field::BrandId).and_then(|text| brand(text))
    }
}

impl Name {
    /// Whether it can mean this app user by its `_id`: not one of whom another brand is known.
    pub fn can_mean(&self, view: &View) -> bool {
        let Some(asked) = &self.brand else { return true };
        view.brand().is_none_or(|brand| *brand == **asked)
    }
}

/// The brands of these app users; `None` is of somebody without one.
pub fn brands_of(views: &[View]) -> BTreeSet<Option<String>> {
    views.iter().map(|view| view.brand().map(Cow::into_owned)).collect()
}

/// What a batch did to one app user, for whoever follows the directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The app user, or the `_id` that was one until now.
    pub user: SmoochId,
    /// What happened.
    pub kind: ChangeKind,
    /// The names of what is different now; of an app user that was not listed before, of all that it shows.
    pub fields: Vec<String>,
}

impl Record {
    /// Whether nobody else decides what it shows: nobody is merged with it, and no other claims its
    /// clients.
    pub fn is_alone(&self) -> bool {
        let alone = self.into.is_empty() && self.from.is_empty();
        alone && self.claims.values().all(|claim| !claim.shared)
    }

    /// Whether nothing but Smooch's word of it decides what it shows: it is alone and alive, and our own
    /// API has set nothing over that word.
    pub(super) fn is_plain(&self) -> bool {
        self.is_alone() && self.overrides.is_empty() && self.devices.is_empty() && !self.removed
    }
}

/// See [`Change`].
#[derive(Clone, Debug, PartialEq)]
pub enum ChangeKind {
    /// It was not listed before.
    Created,
    /// It shows something else now.
    Updated,
    /// It is part of another app user now.
    Merged {
        /// That other.
        surviving: SmoochId,
    },
    /// It stands for itself again.
    Unmerged,
    /// It is gone.
    Removed,
    /// It is gone, and nothing is kept of it, here or in the journal: whoever has a copy deletes it too.
    Erased,
}

impl ChangeKind {
    /// Its name in the feed and in the file.
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

    /// The kind of this name; `surviving` is that of a merge, which is none without it.
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
    /// The change of a record that was plain and is: what [`Change::between`] gives for it, without
    /// the views. Nearly every change is such a one. `None` if it is not plain.
    pub(super) fn of_plain(id: &SmoochId, before: &Record, now: &Record) -> Option<Option<Self>> {
        if !before.is_plain() || !now.is_plain() {
            return None;
        }
        let (was, is) = (&before.smooch, &now.smooch);
        let said =
            |layer: &SmoochState, field: &Field| layer.fields.get(field).and_then(|said| said.value.clone());
        let has_name = [was, is]
            .map(|layer| [Field::GivenName, Field::Surname].iter().any(|name| said(layer, name).is_some()));
        let shown = |layer: &SmoochState, has_name: bool, field: &Field| {
            said(layer, field).filter(|_| !(has_name && matches!(field, Field::DisplayName)))
        };
        let gone = was.fields.keys().filter(|field| !is.fields.contains_key(field));
        let differing = is
            .fields
            .keys()
            .chain(gone)
            .filter(|field| shown(was, has_name[0], field) != shown(is, has_name[1], field));
        let fields: BTreeSet<&Field> = differing.collect();
        let fields = fields.into_iter().map(|field| field.name().into_owned());
        let rest = [
            ("clients", !clients::are_the_same(id, before, now, clients::show_the_same)),
            ("conversationStarted", before.started != now.started),
            ("credentialRequired", before.secured != now.secured),
        ];
        let fields: Vec<String> = fields.chain(shown_names(rest)).collect();
        Some((!fields.is_empty()).then(|| Self { user: id.clone(), kind: ChangeKind::Updated, fields }))
    }

    /// The change of `id` between two moments, each seen as the view of the group it is in.
    pub fn between(id: &SmoochId, before: Option<&View>, now: Option<&View>) -> Option<Self> {
        let change = |kind, fields| Some(Self { user: id.clone(), kind, fields });
        let was_root = before.is_some_and(|view| view.id == *id);
        match now {
            None => was_root.then(|| change(ChangeKind::Removed, Vec::new())).flatten(),
            Some(view) if view.id != *id => {
                let news = before.is_none_or(|before| before.id != view.id);
                news.then(|| change(ChangeKind::Merged { surviving: view.id.clone() }, Vec::new())).flatten()
            }
            Some(view) => match before {
                Some(before) if was_root => {
                    let fields = before.differences(view);
                    (!fields.is_empty()).then(|| change(ChangeKind::Updated, fields)).flatten()
                }
                Some(_) => change(ChangeKind::Unmerged, view.names()),
                None => change(ChangeKind::Created, view.names()),
            },
        }
    }
}
