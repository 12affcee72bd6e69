//! The clients that a state shows. Events may use several ids for one client.

use std::collections::{BTreeMap, BTreeSet};

use super::picture::Family;
use super::{ClientName, Part, Stamp, State, User, Value};

const PART: Option<Part> = Some(Part::Clients);

/// The members of a client in an event; a missing member is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Device {
    pub active: Option<bool>,
    pub members: BTreeMap<Member, Value>,
    /// Another id it has: the name of that.
    pub other_id: Option<ClientName>,
    /// And another still, as a device.
    pub device_id: Option<ClientName>,
}

impl Device {
    pub(super) fn other_ids(&self) -> impl Iterator<Item = ClientName> {
        self.other_id.into_iter().chain(self.device_id)
    }
}

/// A member of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Member {
    Platform,
    Token,
}

/// A statement about a client: the root's comes before the members', then the later before the earlier.
type Word<V> = (bool, Stamp, V);

impl State {
    pub(super) fn shown_clients(
        &self,
        family: &Family,
        resolves: &BTreeMap<User, User>,
    ) -> BTreeMap<ClientName, Device> {
        let mut accounts: BTreeMap<ClientName, Vec<ClientName>> = BTreeMap::new();
        let names = self.client_names(family);
        for name in &names {
            accounts.entry(self.account(family, &names, name)).or_default().push(name);
        }
        let shown = accounts.into_iter().filter_map(|(name, ids)| {
            let mut device = self.shown_client(family, &ids)?;
            let each = || ids.iter().flat_map(|id| family.live().map(move |user| (user, *id)));
            let claimed = each().filter(|key| self.claims.contains_key(key));
            let mut known = claimed.flat_map(|(user, id)| self.names_of(user, id));
            let here = |id: &'static str| {
                self.pointer(id).is_some_and(|holder| resolves.get(holder) == Some(&family.root))
            };
            // The flag defaults to active, unless another user holds the client.
            device.active = Some(device.active.unwrap_or(true) && known.all(here));
            Some((name, device))
        });
        shown.collect()
    }

    /// Every name that a user ever had a client by, if this is one of them.
    pub(super) fn names_of(&self, user: User, name: ClientName) -> BTreeSet<ClientName> {
        let mut names = BTreeSet::from([name]);
        loop {
            let linked = self.links.iter().filter(|(of, one, _)| *of == user && names.contains(one));
            let linked: Vec<ClientName> = linked.map(|(_, _, other)| *other).collect();
            let before = names.len();
            names.extend(linked);
            if names.len() == before {
                return names;
            }
        }
    }

    /// The last time a client was a user's: it was active, or was mentioned and not inactive before.
    pub(super) fn strength(&self, user: User, client: ClientName) -> Option<Stamp> {
        let names = self.names_of(user, client);
        let claimed = names.iter().filter_map(|name| self.claims.get(&(user, *name))).max().copied()?;
        let counts = |name: ClientName, stamp: Stamp| self.own_counts(user, name, stamp);
        let said = names.iter().filter_map(|name| Some((*name, *self.mentions.get(&(user, *name))?)));
        let said = said.filter(|(name, stamp)| counts(name, *stamp)).map(|(_, stamp)| stamp).max();
        let told = names.iter().filter_map(|name| Some((*name, *self.active.get(&(user, *name))?)));
        let told = told.filter(|(name, (stamp, _))| counts(name, *stamp)).map(|(_, told)| told).max();
        let called_inactive = told.is_some_and(|(_, active)| !active);
        Some(claimed).max(said.filter(|_| !called_inactive))
    }

    /// Every id with a statement about it.
    fn client_names(&self, family: &Family) -> BTreeSet<ClientName> {
        let said = self.mentions.iter().chain(&self.removals);
        let counts = |user: User, stamp: &Stamp| {
            family.live().any(|id| id == user) && self.floor(user, PART).is_none_or(|floor| *stamp >= floor)
        };
        said.filter(|((user, _), stamp)| counts(user, stamp)).map(|((_, name), _)| *name).collect()
    }

    /// The id that an account is shown under: the client that has this as its other id, and so on. Of several the
    /// smallest.
    fn account(&self, family: &Family, names: &BTreeSet<ClientName>, name: ClientName) -> ClientName {
        let says = |by: ClientName, name: ClientName| {
            by != name
                && family.live().any(|user| {
                    let said = [&self.other_ids, &self.device_ids].map(|ids| ids.get(&(user, by)));
                    said.into_iter()
                        .flatten()
                        .any(|(stamp, other)| *other == name && self.own_counts(user, by, *stamp))
                })
        };
        let (mut path, mut at) = (Vec::new(), name);
        loop {
            path.push(at);
            let Some(by) = names.iter().find(|by| says(by, at)) else { return at };
            if let Some(from) = path.iter().position(|before| before == by) {
                return path[from..].iter().min().unwrap();
            }
            at = by;
        }
    }

    fn own_counts(&self, user: User, name: ClientName, stamp: Stamp) -> bool {
        let gone = self.floor(user, PART).max(self.removals.get(&(user, name)).copied());
        gone.is_none_or(|gone| stamp >= gone)
    }

    fn removed(&self, user: User, ids: &[ClientName]) -> Option<Stamp> {
        let removals = ids.iter().filter_map(|name| self.removals.get(&(user, *name)).copied());
        removals.filter(|stamp| self.floor(user, PART).is_none_or(|floor| *stamp >= floor)).max()
    }

    fn shown_client(&self, family: &Family, ids: &[ClientName]) -> Option<Device> {
        let of_root = self.removed(family.root, ids);
        let of_any = family.live().filter_map(|user| self.removed(user, ids)).max();
        let words = |user: User, name: ClientName, stamp: Stamp| {
            let own = user == family.root;
            let gone = if own { of_root } else { of_any };
            let hidden = !own && self.hides(family, PART, user, stamp);
            (self.own_counts(user, name, stamp) && gone.is_none_or(|gone| stamp >= gone) && !hidden)
                .then_some(own)
        };
        let everything = || family.live().flat_map(|user| ids.iter().map(move |name| (user, *name)));
        let mentions = everything().filter_map(|key| Some((key, *self.mentions.get(&key)?)));
        mentions
            .filter(|((user, name), stamp)| words(user, name, *stamp).is_some())
            .count()
            .checked_sub(1)?;
        let active = everything().filter_map(|key| Some((key, self.active.get(&key)?)));
        let active = active.filter_map(|((user, name), (stamp, active))| {
            Some((words(user, name, *stamp)?, *stamp, *active))
        });
        let another =
            |ids: &BTreeMap<(User, ClientName), (Stamp, ClientName)>| {
                let said = everything().filter_map(|key| Some((key, *ids.get(&key)?)));
                newest(said.filter_map(|((user, name), (stamp, other))| {
                    Some((words(user, name, stamp)?, stamp, other))
                }))
            };
        let member = |member: Member| {
            let said = everything()
                .filter_map(|(user, name)| Some((user, name, self.members.get(&(user, name, member))?)));
            let said = said.filter_map(|(user, name, (stamp, value))| {
                Some((words(user, name, *stamp)?, *stamp, *value))
            });
            Some((member, newest(said)?))
        };
        Some(Device {
            active: newest(active),
            members: [Member::Platform, Member::Token].into_iter().filter_map(member).collect(),
            other_id: another(&self.other_ids),
            device_id: another(&self.device_ids),
        })
    }
}

fn newest<V: Ord>(words: impl Iterator<Item = Word<V>>) -> Option<V> {
    words.max().map(|(_, _, value)| value)
}
