//! The view of a state: a pure function of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{ClientName, Device, Field, Part, Stamp, State, User, Value};

/// Everything the world can ask.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Picture {
    /// Each live root with its view.
    pub users: BTreeMap<User, Shown>,
    /// Each live `_id`, and the root it is part of.
    pub resolves: BTreeMap<User, User>,
    /// Each `userId` shown, and the root it leads to.
    pub by_user_id: BTreeMap<Value, User>,
    /// The same within each brand, and among those without one.
    pub in_brand: BTreeMap<(Value, Option<Value>), User>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shown {
    pub aliases: Vec<User>,
    pub fields: BTreeMap<Field, Value>,
    pub clients: BTreeMap<ClientName, Device>,
    pub started: bool,
    pub secured: bool,
    pub first_seen: Option<i64>,
    pub last_seen: Option<i64>,
}

/// A live root with its live members, and the removed members under it.
pub(super) struct Family {
    pub(super) root: User,
    pub(super) members: Vec<User>,
    gone: Vec<User>,
    /// The latest word among those that made each of the members one; `None` where one of them has no time, and so
    /// is never known to be earlier than anything.
    joined: BTreeMap<User, Option<Stamp>>,
}

impl Family {
    pub(super) fn live(&self) -> impl Iterator<Item = User> {
        std::iter::once(self.root).chain(self.members.iter().copied())
    }

    fn all(&self) -> impl Iterator<Item = User> {
        self.live().chain(self.gone.iter().copied())
    }
}

impl Picture {
    pub(crate) fn of(state: &State) -> Self {
        let (parents, dead) = (parents(state), state.dead());
        let named = state.edges.keys().flat_map(|(from, to)| [*from, *to]);
        let ids: BTreeSet<User> = state.known.iter().copied().chain(named).collect();
        let mut under: BTreeMap<User, Vec<User>> = BTreeMap::new();
        for id in &ids {
            under.entry(root(&parents, id)).or_default().push(id);
        }
        let families = under.into_iter().filter(|(root, _)| !dead.contains(root)).map(|(root, ids)| {
            let others = ids.iter().copied().filter(|id| *id != root);
            let (gone, members) = others.partition(|id| dead.contains(id));
            let joined = ids.iter().map(|id| (*id, joined(&parents, id))).collect();
            Family { root, members, gone, joined }
        });
        let families: Vec<Family> = families.collect();
        let resolves = families.iter().flat_map(|family| family.live().map(|id| (id, family.root)));
        let resolves: BTreeMap<User, User> = resolves.collect();
        let users = families.iter().map(|family| (family.root, state.shown(family, &resolves)));
        let users: BTreeMap<User, Shown> = users.collect();
        let by_user_id = by_name(state, &families, &users, |user_id, _| user_id);
        let in_brand = by_name(state, &families, &users, |user_id, brand| (user_id, brand));
        Self { users, resolves, by_user_id, in_brand }
    }
}

impl State {
    fn shown(&self, family: &Family, resolves: &BTreeMap<User, User>) -> Shown {
        Shown {
            aliases: family.members.clone(),
            fields: self.shown_fields(family),
            clients: self.shown_clients(family, resolves),
            started: family.live().any(|id| self.started.contains(id)),
            secured: family.all().any(|id| self.secured.contains(id)),
            first_seen: family.live().filter_map(|id| self.first_seen.get(id)).max().map(|first| first.0),
            last_seen: family.live().filter_map(|id| self.last_seen.get(id)).max().copied(),
        }
    }

    pub(super) fn floor(&self, user: User, part: Option<Part>) -> Option<Stamp> {
        self.floors.get(&(user, part?)).copied()
    }

    /// True if a complete picture of the root hides a member's statement: the picture is later than the merge and not
    /// older than the statement.
    pub(super) fn hides(&self, family: &Family, part: Option<Part>, member: User, said: Stamp) -> bool {
        let floor = self.floor(family.root, part).filter(|floor| *floor >= said);
        floor.is_some_and(|floor| family.joined[member].is_some_and(|joined| floor > joined))
    }

    /// For one record: the values at or above its own floor.
    fn own<K: Ord + Copy, V: Copy>(
        &self,
        registers: &BTreeMap<(User, K), (Stamp, V)>,
        (user, key, part): (User, K, Option<Part>),
    ) -> Option<(Stamp, V)> {
        let register = registers.get(&(user, key)).copied();
        register.filter(|(stamp, _)| self.floor(user, part).is_none_or(|floor| *stamp >= floor))
    }

    /// Of a family: the root's own, else the newest of the members' that the root's picture does not hide.
    fn word<K: Ord + Copy, V: Ord + Copy>(
        &self,
        registers: &BTreeMap<(User, K), (Stamp, V)>,
        family: &Family,
        key: K,
        part: Option<Part>,
    ) -> Option<(Stamp, V)> {
        self.own(registers, (family.root, key, part)).or_else(|| {
            let members = family.members.iter();
            let said = members.filter_map(|id| Some((*id, self.own(registers, (*id, key, part))?)));
            said.filter(|(id, word)| !self.hides(family, part, id, word.0)).map(|(_, word)| word).max()
        })
    }

    fn shown_fields(&self, family: &Family) -> BTreeMap<Field, Value> {
        let fields = Field::ALL.into_iter();
        let mut shown: BTreeMap<_, _> =
            fields.filter_map(|field| Some((field, self.shown_field(family, field)?))).collect();
        if shown.contains_key(&Field::Name) {
            shown.remove(&Field::Display);
        }
        shown
    }

    fn shown_field(&self, family: &Family, field: Field) -> Option<Value> {
        let part = field.part();
        let word = self.word(&self.fields, family, field, part);
        let smooch = word.and_then(|(_, value)| value);
        let set = |id: User| self.sets.get(&(id, field)).map(|set| (*set, id));
        let silent = self.own(&self.fields, (family.root, field, part)).is_none();
        let newest = || family.members.iter().copied().filter_map(set).max().filter(|_| silent);
        let Some(((stamp, value, basis), by)) = set(family.root).or_else(newest) else { return smooch };
        // Where Smooch reported no value, a picture without the field gives the time when it was last absent.
        let of_root = self.floor(family.root, part);
        let of_root = of_root.filter(|floor| by == family.root || self.hides(family, part, by, *floor));
        let absent = of_root.max(self.floor(by, part));
        let since = word.map(|(stamp, _)| stamp).or(absent);
        let ours = smooch == basis || since.is_none_or(|since| since <= stamp);
        if ours { value } else { smooch }
    }

    /// The holder of a client: the newest claim of all, by any of the names that the claimant has for it; of two of
    /// one event, the smaller `_id`.
    pub(super) fn pointer(&self, client: ClientName) -> Option<User> {
        let users: BTreeSet<User> = self.claims.keys().map(|(user, _)| *user).collect();
        let strongest =
            users.into_iter().filter_map(|user| Some((self.strength(user, client)?, Reverse(user))));
        strongest.max().map(|(_, user)| user.0)
    }
}

/// The newest of the live roots that show a `userId`, then the smallest, under the key that `key` makes of the
/// `userId` and the brand that a root shows.
fn by_name<K: Ord>(
    state: &State,
    families: &[Family],
    users: &BTreeMap<User, Shown>,
    key: impl Fn(Value, Option<Value>) -> K,
) -> BTreeMap<K, User> {
    let mut best: BTreeMap<K, (Option<Stamp>, Reverse<User>)> = BTreeMap::new();
    for family in families {
        let Some(shown) = users[family.root].fields.get(&Field::UserId) else { continue };
        let said = family.live().filter_map(|id| state.fields.get(&(id, Field::UserId)));
        let said = said.filter(|(_, value)| value.as_ref() == Some(shown)).map(|(stamp, _)| *stamp);
        let sets = family.live().filter_map(|id| state.sets.get(&(id, Field::UserId)));
        let sets = sets.filter(|(_, value, _)| value.as_ref() == Some(shown)).map(|(stamp, _, _)| *stamp);
        let brand = users[family.root].fields.get(&Field::Brand).copied();
        super::up(&mut best, key(*shown, brand), (said.chain(sets).max(), Reverse(family.root)));
    }
    best.into_iter().map(|(key, (_, root))| (key, root.0)).collect()
}

/// Each one's newest edge, where it still joins; every cycle is cut at its oldest.
fn parents(state: &State) -> BTreeMap<User, (Stamp, User)> {
    let mut parents: BTreeMap<User, (Stamp, User)> = BTreeMap::new();
    for ((from, to), (stamp, joined)) in &state.edges {
        if *joined {
            super::up(&mut parents, *from, (*stamp, *to));
        }
    }
    let starts: Vec<User> = parents.keys().copied().collect();
    for start in starts {
        let mut path = Vec::new();
        let mut at = start;
        while let Some((_, to)) = parents.get(at) {
            if let Some(from) = path.iter().position(|id| *id == at) {
                let oldest: &User = path[from..].iter().min_by_key(|id| (parents[**id], **id)).unwrap();
                parents.remove(oldest);
                break;
            }
            path.push(at);
            at = to;
        }
    }
    parents
}

/// The time when a user was merged with its root.
fn joined(parents: &BTreeMap<User, (Stamp, User)>, user: User) -> Option<Stamp> {
    let (mut at, mut stamps) = (user, Vec::new());
    while let Some((stamp, to)) = parents.get(at) {
        stamps.push(*stamp);
        at = to;
    }
    let timed = stamps.iter().all(|stamp| stamp.0.is_some());
    stamps.into_iter().max().filter(|_| timed)
}

fn root(parents: &BTreeMap<User, (Stamp, User)>, user: User) -> User {
    let mut at = user;
    while let Some((_, to)) = parents.get(at) {
        at = to;
    }
    at
}
