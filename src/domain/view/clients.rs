//! Which clients a group shows, and what of each.
//!
//! Events may speak of one client under several ids: v1.1's `_id` is v2's `id`, a device has an id of its own in v2, and
//! a client without any is known by its integration and what it is there. What is said under one of them is said of all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;

use crate::domain::client::{Client, ClientNames, Mention, Mentions};
use crate::domain::ids::{ClientId, SmoochId, Stamp};
use crate::domain::json_members::{JsonMembers, Ranked, object, plain};
use crate::domain::merge_group::MergeGroup;
use crate::domain::part::Part;
use crate::domain::record::Record;
use crate::domain::value::{JsonText, Register};

const PART: Option<Part> = Some(Part::Clients);

/// The clients of a group. `bound` tells whether a client's newest pointer, if there is one, is to the group.
pub(in crate::domain) fn shown(
    group: &MergeGroup<'_>,
    bound: impl Fn(&ClientId) -> bool,
) -> BTreeMap<ClientId, Client> {
    let mut clients = BTreeMap::new();
    let ids = ids(group);
    let links = if ids.len() > 1 { links(group, &ids) } else { BTreeMap::new() };
    if links.is_empty() {
        let each = ids.into_iter().filter_map(|id| Some((id.clone(), one(group, &[id], &bound)?)));
        clients.extend(each);
        return clients;
    }
    let accounts = grouped(&links, ids).into_iter();
    clients.extend(accounts.filter_map(|(id, ids)| Some((id.clone(), one(group, &ids, &bound)?))));
    clients
}

impl<'a> MergeGroup<'a> {
    /// Which of its `_id`s has a client: the one for which it was active last, else of which it was said last, under
    /// whichever of its ids.
    pub(in crate::domain) fn carrier(&self, client: &ClientId) -> &'a SmoochId {
        if self.members.is_empty() {
            return self.root;
        }
        let ids = accounts(self).into_values().find(|ids| ids.contains(&client));
        let ids = ids.unwrap_or_else(|| vec![client]);
        let newest = |of: &dyn Fn(&'a Record, &ClientId) -> Option<&'a Stamp>| {
            let all = self.ids().zip(self.records());
            let all =
                all.flat_map(|(id, record)| ids.iter().filter_map(move |one| Some((of(record, one)?, id))));
            all.max().map(|(_, id)| id)
        };
        let claimed = |record: &'a Record, id: &ClientId| record.strength(id).map(|stamp| &**stamp);
        let told = |record: &'a Record, id: &ClientId| {
            let said = record.smooch.clients.get(id).and_then(|said| said.said().next());
            let set = record.devices.get(id).map(|set| &*set.stamp);
            said.map(|said| &*said.stamp).max(set)
        };
        newest(&claimed).or_else(|| newest(&told)).unwrap_or(self.root)
    }
}

/// Every id that is used for a client, by the id that the client is shown under, if it is shown.
pub(in crate::domain) fn accounts<'a>(group: &MergeGroup<'a>) -> Accounts<'a> {
    let ids = ids(group);
    grouped(&links(group, &ids), ids)
}

type Accounts<'a> = BTreeMap<&'a ClientId, Vec<&'a ClientId>>;

fn grouped<'a>(links: &Links<'a>, ids: BTreeSet<&'a ClientId>) -> Accounts<'a> {
    let mut accounts = Accounts::new();
    for id in ids {
        accounts.entry(account(links, id)).or_default().push(id);
    }
    accounts
}

fn ids<'a>(group: &MergeGroup<'a>) -> BTreeSet<&'a ClientId> {
    let known = |record: &'a Record| record.smooch.clients.keys().chain(record.devices.keys());
    group.records().flat_map(known).collect()
}

/// What a client says: whether it is active, and its members as they are kept, those with null among them.
pub(in crate::domain) type ClientValues<'a> = (bool, &'a str);

/// Whether two records of one who is nobody else show the same clients, as far as `same` compares them.
pub(in crate::domain) fn are_the_same(
    id: &SmoochId,
    before: &Record,
    now: &Record,
    same: impl Fn(ClientValues<'_>, ClientValues<'_>) -> bool,
) -> bool {
    let (was, is) = (&before.smooch.clients, &now.smooch.clients);
    let alone = [before, now].map(|record| MergeGroup::alone(id, record));
    let plain = was.keys().eq(is.keys()) && before.devices.is_empty() && now.devices.is_empty();
    if plain && !may_be_linked(was) && !may_be_linked(is) {
        let mut all = was.iter().zip(is.values());
        return all.all(|((client, was), is)| {
            if let (Some(was), Some(is)) = (was.only(), is.only()) {
                return same(said(was.active, &was.rest), said(is.active, &is.rest));
            }
            was.is_equivalent(is) || {
                let [was, is] = alone.each_ref().map(|group| one(group, &[client], |_| true));
                was.is_some() == is.is_some()
                    && was.iter().zip(&is).all(|(was, is)| same(was.said(), is.said()))
            }
        });
    }
    let [was, is] = alone.each_ref().map(|group| shown(group, |_| true));
    was.keys().eq(is.keys()) && was.values().zip(is.values()).all(|(was, is)| same(was.said(), is.said()))
}

impl Client {
    fn said(&self) -> ClientValues<'_> {
        said(Some(self.active), &self.rest)
    }
}

/// A client of which it is not said whether it is active is not inactive for that.
fn said(active: Option<bool>, rest: &str) -> ClientValues<'_> {
    (active.unwrap_or(true), rest)
}

/// Whether two clients show the same.
pub(in crate::domain) fn show_the_same(
    (active, one): ClientValues<'_>,
    (is_active, two): ClientValues<'_>,
) -> bool {
    let shown = |rest| JsonMembers::of(rest).filter(|(_, value)| *value != "null");
    let may_be = || (has_null(one) || has_null(two)) && shown(one).eq(shown(two));
    active == is_active && (one == two || may_be())
}

/// Whether a client may be known by two ids: then it matters which of the words on it is the later one.
fn may_be_linked(clients: &BTreeMap<ClientId, Mentions>) -> bool {
    let names_another = |said: &Register<Mention>| {
        ClientNames::of(&said.value.rest)
            .own_ids()
            .any(|other| clients.contains_key(&ClientId::from(&*plain(other))))
    };
    clients.len() > 1
        && clients.iter().any(|(id, of)| id.as_str().contains(':') || of.said().any(names_another))
}

/// For each id that is another one's second id, that other: of several the smallest.
type Links<'a> = BTreeMap<&'a ClientId, &'a ClientId>;

fn links<'a>(group: &MergeGroup<'a>, ids: &BTreeSet<&'a ClientId>) -> Links<'a> {
    let mut links = Links::new();
    let nameless = ids.iter().any(|id| id.as_str().contains(':'));
    let mut link = |by: &'a ClientId, other: &str| {
        if let Some(other) = ids.get(&ClientId::from(other)).filter(|other| **other != by) {
            let known = links.entry(*other).or_insert(by);
            *known = by.min(known);
        }
    };
    let said = group.records().flat_map(|record| {
        let said = record.smooch.clients.iter();
        let said = said.flat_map(|(id, said)| said.said().map(move |said| (id, &said.value.rest)));
        said.chain(record.devices.iter().map(|(id, set)| (id, &set.value.rest)))
    });
    for (id, rest) in said {
        let named = ClientNames::of(rest);
        named.own_ids().for_each(|other| link(id, &plain(other)));
        if let Some(other) = nameless.then(|| named.by_integration()).flatten() {
            link(id, &other);
        }
    }
    links
}

/// The id that a client is shown under.
fn account<'a>(links: &Links<'a>, id: &'a ClientId) -> &'a ClientId {
    let (mut path, mut at) = (Vec::new(), id);
    loop {
        path.push(at);
        let Some(by) = links.get(at) else { return at };
        if let Some(from) = path.iter().position(|before| before == by) {
            return path[from..].iter().min().copied().unwrap_or(at);
        }
        at = by;
    }
}

/// A word on a client. The root's goes before the members', and any of Smooch's that counts before ours.
struct Voice<'a> {
    rank: u8,
    said: &'a Register<Mention>,
    /// It is an entry of a complete list.
    listed: bool,
}

/// A client as it is shown, whichever of these ids was used for it; nothing if it is gone.
fn one(group: &MergeGroup<'_>, ids: &[&ClientId], bound: impl Fn(&ClientId) -> bool) -> Option<Client> {
    let Mention { active, rest } = simple(group, ids).unwrap_or_else(|| united(group, ids))?;
    // The client is inactive here if another app user holds one of its ids.
    let mut claims = ids.iter().flat_map(|id| group.records().flat_map(move |record| record.claims_on(id)));
    let (active, _) = said(active, &rest);
    Some(Client { active: active && claims.all(|(id, _)| bound(id)), rest: without_nulls(rest) })
}

/// Whether the value of a member may be null.
fn has_null(rest: &str) -> bool {
    static NULL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(":null"));
    NULL.find(rest.as_bytes()).is_some()
}

/// A member of which the last word is null is not shown.
fn without_nulls(rest: JsonText) -> JsonText {
    if !has_null(&rest) {
        return rest;
    }
    object(
        JsonMembers::of(&rest)
            .filter(|(_, value)| *value != "null")
            .map(|(key, value)| (key, ((), value)))
            .collect(),
    )
}

/// Nearly every client: of one who is nobody else, known by one id, spoken of by one event or set by ours.
fn simple(group: &MergeGroup<'_>, ids: &[&ClientId]) -> Option<Option<Mention>> {
    let (true, &[id]) = (group.members.is_empty(), ids) else { return None };
    let (mentions, set) = (group.record.smooch.clients.get(id), group.record.devices.get(id));
    match (mentions, set) {
        (Some(mentions), None) if mentions.last().is_none() => Some(None),
        (Some(mentions), None) => mentions.only().cloned().map(Some),
        (None, Some(set)) => Some(Some(set.value.clone().into())),
        _ => None,
    }
}

fn united(group: &MergeGroup<'_>, ids: &[&ClientId]) -> Option<Mention> {
    let removed = |record: &Record| {
        ids.iter().filter_map(|id| record.smooch.clients.get(*id)?.removed().cloned()).max()
    };
    let by_root = removed(group.record);
    let by_any = group.records().filter_map(removed).max();
    let mut voices = voices(group, ids);
    voices.retain(|voice| {
        let removed = if voice.rank == ROOT { &by_root } else { &by_any };
        removed.as_ref().is_none_or(|removed| voice.said.stamp >= *removed)
    });
    // Ours is the whole of a client. It goes with a removal, and with a list that knows the client.
    let sets = || group.records().flat_map(|record| ids.iter().filter_map(|id| record.devices.get(*id)));
    let set = sets().max().filter(|set| {
        let outdated = voices.iter().any(|voice| voice.listed && voice.said.stamp > set.stamp);
        !outdated && by_any.as_ref().is_none_or(|removed| *removed <= set.stamp)
    });
    if let Some(set) = set {
        voices.retain(|voice| voice.said.stamp > set.stamp);
    } else if voices.is_empty() {
        return None;
    }
    let mut active = set.map(|set| (OURS, &set.stamp, set.value.active));
    let mut members: Vec<Ranked<'_, (u8, &Arc<Stamp>)>> = Vec::new();
    // One call may set it for several of the group.
    for set in sets().filter(|each| set.is_some_and(|set| each.stamp == set.stamp)) {
        members
            .extend(JsonMembers::of(&set.value.rest).map(|(key, value)| (key, ((OURS, &set.stamp), value))));
    }
    for Voice { rank, said, .. } in &voices {
        active = active.max(said.value.active.map(|active| (*rank, &said.stamp, active)));
        members.extend(JsonMembers::of(&said.value.rest).map(|(key, value)| {
            let vague = (key, value) == ("\"platform\"", "\"sdk\"");
            (key, ((if vague { VAGUE } else { *rank }, &said.stamp), value))
        }));
    }
    let rest: JsonText = object(members);
    Some(Mention { active: active.map(|(_, _, active)| active), rest })
}

/// v2 calls every device `sdk`, whatever else is known of it.
const VAGUE: u8 = 0;
const OURS: u8 = 1;
const MEMBER: u8 = 2;
const ROOT: u8 = 3;

/// Everything said of a client that no later list of the root hides.
fn voices<'a>(group: &MergeGroup<'a>, ids: &[&ClientId]) -> Vec<Voice<'a>> {
    let of = |record: &'a Record, rank: u8| {
        let mentions = ids.iter().filter_map(|id| record.smooch.clients.get(*id));
        let floor = record.smooch.floor(PART);
        let said: Vec<Voice<'a>> = mentions
            .flat_map(Mentions::said)
            .map(|said| Voice { rank, said, listed: floor == Some(&said.stamp) })
            .collect();
        said
    };
    let mut voices = of(group.record, ROOT);
    for (n, (_, record)) in group.members.iter().enumerate() {
        let said = of(record, MEMBER).into_iter();
        voices.extend(said.filter(|voice| !group.hides(PART, n, &voice.said.stamp)));
    }
    voices
}
