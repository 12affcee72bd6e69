//! The clients that a group shows.
//!
//! Events may use several ids for one client: v1.1's `_id` is v2's `id`, a device has another id in v2, and a client
//! without an id is identified by integration id and external id. Statements under any of these ids are about the
//! same client.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;

use crate::domain::client::{Client, ClientNames, Mention, Mentions};
use crate::domain::field_form::Part;
use crate::domain::ids::{ClientId, SmoochId, Stamp};
use crate::domain::json_members::{JsonMembers, Ranked, unescape, write_object};
use crate::domain::merge_group::MergeGroup;
use crate::domain::record::Record;
use crate::domain::value::{JsonText, Register};

const PART: Option<Part> = Some(Part::Clients);

/// The clients of a group. `bound` returns true if a client's newest pointer, if any, is to the group.
pub(in crate::domain) fn shown_clients(
    group: &MergeGroup<'_>,
    bound: impl Fn(&ClientId) -> bool,
) -> BTreeMap<ClientId, Client> {
    let mut clients = BTreeMap::new();
    let ids = client_ids(group);
    let links = if ids.len() > 1 { find_links(group, &ids) } else { BTreeMap::new() };
    if links.is_empty() {
        let each = ids.into_iter().filter_map(|id| Some((id.clone(), shown_client(group, &[id], &bound)?)));
        clients.extend(each);
        return clients;
    }
    let accounts = group_ids(&links, ids).into_iter();
    clients.extend(accounts.filter_map(|(id, ids)| Some((id.clone(), shown_client(group, &ids, &bound)?))));
    clients
}

impl<'a> MergeGroup<'a> {
    /// The `_id` of the group that has a client: the one with the strongest claim, else the one with the newest
    /// statement about it, under any of the client's ids.
    pub(in crate::domain) fn carrier(&self, client: &ClientId) -> &'a SmoochId {
        if self.members.is_empty() {
            return self.root;
        }
        let ids = ids_by_client(self).into_values().find(|ids| ids.contains(&client));
        let ids = ids.unwrap_or_else(|| vec![client]);
        let newest = |of: &dyn Fn(&'a Record, &ClientId) -> Option<&'a Stamp>| {
            let all = self.ids().zip(self.records());
            let all =
                all.flat_map(|(id, record)| ids.iter().filter_map(move |one| Some((of(record, one)?, id))));
            all.max().map(|(_, id)| id)
        };
        let claimed = |record: &'a Record, id: &ClientId| record.strength(id).map(|stamp| &**stamp);
        let mentioned = |record: &'a Record, id: &ClientId| {
            let mention = record.smooch.clients.get(id).and_then(|mentions| mentions.iter().next());
            let set = record.devices.get(id).map(|set| &*set.stamp);
            mention.map(|mention| &*mention.stamp).max(set)
        };
        newest(&claimed).or_else(|| newest(&mentioned)).unwrap_or(self.root)
    }
}

/// All ids of each client, by the id that the client would be shown under.
pub(in crate::domain) fn ids_by_client<'a>(group: &MergeGroup<'a>) -> IdsByClient<'a> {
    let ids = client_ids(group);
    group_ids(&find_links(group, &ids), ids)
}

type IdsByClient<'a> = BTreeMap<&'a ClientId, Vec<&'a ClientId>>;

fn group_ids<'a>(links: &Links<'a>, ids: BTreeSet<&'a ClientId>) -> IdsByClient<'a> {
    let mut accounts = IdsByClient::new();
    for id in ids {
        accounts.entry(main_id(links, id)).or_default().push(id);
    }
    accounts
}

fn client_ids<'a>(group: &MergeGroup<'a>) -> BTreeSet<&'a ClientId> {
    let known = |record: &'a Record| record.smooch.clients.keys().chain(record.devices.keys());
    group.records().flat_map(known).collect()
}

/// The `active` flag and the stored members of a client, null members included.
pub(in crate::domain) type ClientValues<'a> = (bool, &'a str);

/// True if two states of a record without merges show the same clients, as far as `same` compares them.
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
                return same(client_values(was.active, &was.rest), client_values(is.active, &is.rest));
            }
            was.is_equivalent(is) || {
                let [was, is] = alone.each_ref().map(|group| shown_client(group, &[client], |_| true));
                was.is_some() == is.is_some()
                    && was.iter().zip(&is).all(|(was, is)| same(was.values(), is.values()))
            }
        });
    }
    let [was, is] = alone.each_ref().map(|group| shown_clients(group, |_| true));
    was.keys().eq(is.keys()) && was.values().zip(is.values()).all(|(was, is)| same(was.values(), is.values()))
}

impl Client {
    fn values(&self) -> ClientValues<'_> {
        client_values(Some(self.active), &self.rest)
    }
}

/// The `active` flag defaults to true.
fn client_values(active: Option<bool>, rest: &str) -> ClientValues<'_> {
    (active.unwrap_or(true), rest)
}

pub(in crate::domain) fn show_the_same(
    (active, one): ClientValues<'_>,
    (is_active, two): ClientValues<'_>,
) -> bool {
    let shown = |rest| JsonMembers::of(rest).filter(|(_, value)| *value != "null");
    let may_be = || (has_null(one) || has_null(two)) && shown(one).eq(shown(two));
    active == is_active && (one == two || may_be())
}

/// True if two ids may belong to one client: then the order of the statements about it matters.
fn may_be_linked(clients: &BTreeMap<ClientId, Mentions>) -> bool {
    let names_another = |mention: &Register<Mention>| {
        ClientNames::of(&mention.value.rest)
            .own_ids()
            .any(|other| clients.contains_key(&ClientId::from(&*unescape(other))))
    };
    clients.len() > 1
        && clients.iter().any(|(id, of)| id.as_str().contains(':') || of.iter().any(names_another))
}

/// Each second id of a client with its main id; of several main ids the smallest.
type Links<'a> = BTreeMap<&'a ClientId, &'a ClientId>;

fn find_links<'a>(group: &MergeGroup<'a>, ids: &BTreeSet<&'a ClientId>) -> Links<'a> {
    let mut links = Links::new();
    let nameless = ids.iter().any(|id| id.as_str().contains(':'));
    let mut link = |by: &'a ClientId, other: &str| {
        if let Some(other) = ids.get(&ClientId::from(other)).filter(|other| **other != by) {
            let known = links.entry(*other).or_insert(by);
            *known = by.min(known);
        }
    };
    let texts = group.records().flat_map(|record| {
        let mentions = record.smooch.clients.iter();
        let texts =
            mentions.flat_map(|(id, mentions)| mentions.iter().map(move |mention| (id, &mention.value.rest)));
        texts.chain(record.devices.iter().map(|(id, set)| (id, &set.value.rest)))
    });
    for (id, rest) in texts {
        let named = ClientNames::of(rest);
        named.own_ids().for_each(|other| link(id, &unescape(other)));
        if let Some(other) = nameless.then(|| named.by_integration()).flatten() {
            link(id, &other);
        }
    }
    links
}

/// The id that a client is shown under.
fn main_id<'a>(links: &Links<'a>, id: &'a ClientId) -> &'a ClientId {
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

/// A statement about a client. The root's outranks the members', and any valid statement of Smooch's outranks ours.
struct Statement<'a> {
    rank: u8,
    mention: &'a Register<Mention>,
    /// True if the statement is an entry of a complete list.
    listed: bool,
}

/// A client as shown, from the statements under all its ids; `None` if it was removed.
fn shown_client(
    group: &MergeGroup<'_>,
    ids: &[&ClientId],
    bound: impl Fn(&ClientId) -> bool,
) -> Option<Client> {
    let Mention { active, rest } =
        single_statement(group, ids).unwrap_or_else(|| join_statements(group, ids))?;
    // The client is inactive here if another app user holds one of its ids.
    let mut claims = ids.iter().flat_map(|id| group.records().flat_map(move |record| record.claims_on(id)));
    let (active, _) = client_values(active, &rest);
    Some(Client { active: active && claims.all(|(id, _)| bound(id)), rest: remove_nulls(rest) })
}

fn has_null(rest: &str) -> bool {
    static NULL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(":null"));
    NULL.find(rest.as_bytes()).is_some()
}

/// Removes the members whose last value is null.
fn remove_nulls(rest: JsonText) -> JsonText {
    if !has_null(&rest) {
        return rest;
    }
    write_object(
        JsonMembers::of(&rest)
            .filter(|(_, value)| *value != "null")
            .map(|(key, value)| (key, ((), value)))
            .collect(),
    )
}

/// The usual client: its record has no merges, and one id with one mention, or one state set by our own API.
fn single_statement(group: &MergeGroup<'_>, ids: &[&ClientId]) -> Option<Option<Mention>> {
    let (true, &[id]) = (group.members.is_empty(), ids) else { return None };
    let (mentions, set) = (group.record.smooch.clients.get(id), group.record.devices.get(id));
    match (mentions, set) {
        (Some(mentions), None) if mentions.last().is_none() => Some(None),
        (Some(mentions), None) => mentions.only().cloned().map(Some),
        (None, Some(set)) => Some(Some(set.value.clone().into())),
        _ => None,
    }
}

fn join_statements(group: &MergeGroup<'_>, ids: &[&ClientId]) -> Option<Mention> {
    let removed = |record: &Record| {
        ids.iter().filter_map(|id| record.smooch.clients.get(*id)?.removed().cloned()).max()
    };
    let by_root = removed(group.record);
    let by_any = group.records().filter_map(removed).max();
    let mut statements = find_statements(group, ids);
    statements.retain(|statement| {
        let removed = if statement.rank == ROOT { &by_root } else { &by_any };
        removed.as_ref().is_none_or(|removed| statement.mention.stamp >= *removed)
    });
    // Our state is a complete client. A removal discards it, and so does a list with the client.
    let sets = || group.records().flat_map(|record| ids.iter().filter_map(|id| record.devices.get(*id)));
    let set = sets().max().filter(|set| {
        let outdated =
            statements.iter().any(|statement| statement.listed && statement.mention.stamp > set.stamp);
        !outdated && by_any.as_ref().is_none_or(|removed| *removed <= set.stamp)
    });
    if let Some(set) = set {
        statements.retain(|statement| statement.mention.stamp > set.stamp);
    } else if statements.is_empty() {
        return None;
    }
    let mut active = set.map(|set| (OURS, &set.stamp, set.value.active));
    let mut members: Vec<Ranked<'_, (u8, &Arc<Stamp>)>> = Vec::new();
    // One call may set the client for several records of the group.
    for set in sets().filter(|each| set.is_some_and(|set| each.stamp == set.stamp)) {
        members
            .extend(JsonMembers::of(&set.value.rest).map(|(key, value)| (key, ((OURS, &set.stamp), value))));
    }
    for Statement { rank, mention, .. } in &statements {
        active = active.max(mention.value.active.map(|active| (*rank, &mention.stamp, active)));
        members.extend(JsonMembers::of(&mention.value.rest).map(|(key, value)| {
            let is_generic = (key, value) == ("\"platform\"", "\"sdk\"");
            (key, ((if is_generic { GENERIC } else { *rank }, &mention.stamp), value))
        }));
    }
    let rest: JsonText = write_object(members);
    Some(Mention { active: active.map(|(_, _, active)| active), rest })
}

/// v2 reports every device as `sdk`, so any other platform is preferred.
const GENERIC: u8 = 0;
const OURS: u8 = 1;
const MEMBER: u8 = 2;
const ROOT: u8 = 3;

/// All statements about a client that no later complete list of the root hides.
fn find_statements<'a>(group: &MergeGroup<'a>, ids: &[&ClientId]) -> Vec<Statement<'a>> {
    let of = |record: &'a Record, rank: u8| {
        let mentions = ids.iter().filter_map(|id| record.smooch.clients.get(*id));
        let floor = record.smooch.floor(PART);
        let statements: Vec<Statement<'a>> = mentions
            .flat_map(Mentions::iter)
            .map(|mention| Statement { rank, mention, listed: floor == Some(&mention.stamp) })
            .collect();
        statements
    };
    let mut statements = of(group.record, ROOT);
    for (n, (_, record)) in group.members.iter().enumerate() {
        let statements_of_member = of(record, MEMBER).into_iter();
        statements
            .extend(statements_of_member.filter(|statement| !group.hides(PART, n, &statement.mention.stamp)));
    }
    statements
}
