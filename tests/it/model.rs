//! The oracle: the expected directory, computed a second time in a plain way.
//!
//! The join model of `reliability.md` §5 with `design.md` §5: every event is a delta, the state is the join of all
//! deltas, the picture ([`picture`]) is a function of the state. It shares nothing with `rollcall::domain` but the
//! ideas, so neither can hide the mistakes of the other.

mod accounts;
mod picture;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

pub(crate) use accounts::{Device, Member};
pub(crate) use picture::{Picture, Shown};

pub(crate) type User = &'static str;
pub(crate) type ClientName = &'static str;

/// A text, and, where a test follows its owner, the user it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Value {
    pub text: &'static str,
    pub of: User,
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)?;
        f.write_str(self.of)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Field {
    UserId,
    /// Within which a `userId` is unique.
    Brand,
    Name,
    Email,
    /// Shown for users without a name.
    Display,
    Plan,
    City,
    /// The clients that are being linked, as a whole.
    Pending,
}

impl Field {
    pub(crate) const ALL: [Self; 8] = [
        Self::UserId,
        Self::Brand,
        Self::Name,
        Self::Email,
        Self::Display,
        Self::Plan,
        Self::City,
        Self::Pending,
    ];

    fn part(self) -> Option<Part> {
        match self {
            Self::Plan | Self::City => Some(Part::Properties),
            Self::Pending => Some(Part::Clients),
            Self::UserId | Self::Brand | Self::Name | Self::Email | Self::Display => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    Properties,
    Clients,
}

/// The content of one event about one user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Sighting {
    pub user: User,
    pub fields: Vec<(Field, Option<Value>)>,
    pub properties_whole: bool,
    pub clients: Vec<(ClientName, Device)>,
    pub clients_whole: bool,
    pub started: bool,
    pub secures: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Say {
    Seen(Sighting),
    /// Our own API: the new value, and Smooch's at that moment.
    Set {
        user: User,
        field: Field,
        value: Option<Value>,
        basis: Option<Value>,
    },
    Merge {
        surviving: User,
        discarded: Vec<User>,
    },
    Unmerge {
        surviving: User,
        discarded: User,
    },
    Client {
        user: User,
        client: ClientName,
        value: Option<Device>,
    },
    Bind {
        user: User,
        client: ClientName,
        /// Another id it has.
        also: Option<ClientName>,
    },
    Remove {
        user: User,
    },
    /// Has the view of a removal.
    Erase {
        user: User,
    },
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Event {
    /// Nothing: minus infinity.
    pub time: Option<i64>,
    /// The sender's, if any; two events may well carry the same.
    pub id: &'static str,
    pub says: Vec<Say>,
}

/// On one line, so that a history that fails can be read.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {:?}", self.time, self.id, self.says)
    }
}

impl Event {
    /// Replaces the SHA-256 of the event: a function of all of its content.
    pub(crate) fn digest(&self) -> [u8; 16] {
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, self).hash(&mut hasher);
            hasher.finish().to_be_bytes()
        };
        let mut digest = [0; 16];
        digest[..8].copy_from_slice(&half(0));
        digest[8..].copy_from_slice(&half(1));
        digest
    }

    fn stamp(&self) -> Stamp {
        Stamp(self.time, self.id, self.digest())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stamp(Option<i64>, &'static str, [u8; 16]);

/// Before the stamp of every event.
const BEFORE_ALL: Stamp = Stamp(None, "", [0; 16]);

/// A value that our own API set: stamp, value, Smooch's value then.
type Set = (Stamp, Option<Value>, Option<Value>);

/// A point of the lattice.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    fields: BTreeMap<(User, Field), (Stamp, Option<Value>)>,
    /// The last mention of a client, and its last removal.
    mentions: BTreeMap<(User, ClientName), Stamp>,
    removals: BTreeMap<(User, ClientName), Stamp>,
    /// A register for each member of a client.
    active: BTreeMap<(User, ClientName), (Stamp, bool)>,
    members: BTreeMap<(User, ClientName, Member), (Stamp, Value)>,
    other_ids: BTreeMap<(User, ClientName), (Stamp, ClientName)>,
    device_ids: BTreeMap<(User, ClientName), (Stamp, ClientName)>,
    floors: BTreeMap<(User, Part), Stamp>,
    sets: BTreeMap<(User, Field), Set>,
    /// The last time a client was active, by each of its names at that time; mere mentions come before all.
    claims: BTreeMap<(User, ClientName), Stamp>,
    /// Two names that a client had then.
    links: BTreeSet<(User, ClientName, ClientName)>,
    /// From the discarded to the surviving; whether the newest word is that they are one.
    edges: BTreeMap<(User, User), (Stamp, bool)>,
    first_seen: BTreeMap<User, Reverse<i64>>,
    last_seen: BTreeMap<User, i64>,
    known: BTreeSet<User>,
    started: BTreeSet<User>,
    secured: BTreeSet<User>,
    tombs: BTreeSet<User>,
}

impl State {
    /// The join of all that these events say.
    pub(crate) fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        events.into_iter().fold(Self::default(), |state, event| state.join(Self::delta(event)))
    }

    /// The delta of one event.
    fn delta(event: &Event) -> Self {
        let (mut state, stamp) = (Self::default(), event.stamp());
        for say in &event.says {
            state.say(say, stamp);
        }
        state.erased()
    }

    fn say(&mut self, say: &Say, stamp: Stamp) {
        match say {
            Say::Seen(sighting) => self.sighting(sighting, stamp),
            Say::Set { user, field, value, basis } => {
                self.mention(user, stamp);
                up(&mut self.sets, (*user, *field), (stamp, *value, *basis));
            }
            Say::Merge { surviving, discarded } => {
                self.mention(surviving, stamp);
                for id in discarded {
                    self.edge(id, surviving, stamp, true);
                }
            }
            Say::Unmerge { surviving, discarded } => self.edge(discarded, surviving, stamp, false),
            Say::Client { user, client, value } => self.client(user, client, value.as_ref(), stamp),
            Say::Bind { user, client, also } => {
                self.mention(user, stamp);
                self.claim(user, client, also.iter().copied(), stamp);
            }
            Say::Remove { user } | Say::Erase { user } => {
                self.mention(user, stamp);
                self.tombs.insert(user);
            }
        }
    }

    fn mention(&mut self, user: User, stamp: Stamp) {
        self.known.insert(user);
        if let Some(time) = stamp.0 {
            up(&mut self.first_seen, user, Reverse(time));
            up(&mut self.last_seen, user, time);
        }
    }

    fn sighting(&mut self, seen: &Sighting, stamp: Stamp) {
        self.mention(seen.user, stamp);
        for (field, value) in &seen.fields {
            up(&mut self.fields, (seen.user, *field), (stamp, *value));
        }
        for (client, device) in &seen.clients {
            self.client(seen.user, client, Some(device), stamp);
        }
        if seen.properties_whole {
            up(&mut self.floors, (seen.user, Part::Properties), stamp);
        }
        if seen.clients_whole {
            up(&mut self.floors, (seen.user, Part::Clients), stamp);
        }
        if seen.started {
            self.started.insert(seen.user);
        }
        if seen.secures {
            self.secured.insert(seen.user);
        }
    }

    fn client(&mut self, user: User, client: ClientName, value: Option<&Device>, stamp: Stamp) {
        self.mention(user, stamp);
        let Some(device) = value else { return up(&mut self.removals, (user, client), stamp) };
        up(&mut self.mentions, (user, client), stamp);
        for (member, value) in &device.members {
            up(&mut self.members, (user, client, *member), (stamp, *value));
        }
        if let Some(other) = device.other_id {
            up(&mut self.other_ids, (user, client), (stamp, other));
        }
        if let Some(other) = device.device_id {
            up(&mut self.device_ids, (user, client), (stamp, other));
        }
        if let Some(active) = device.active {
            up(&mut self.active, (user, client), (stamp, active));
        }
        if device.active != Some(false) {
            let stamp = if device.active == Some(true) { stamp } else { BEFORE_ALL };
            self.claim(user, client, device.other_ids(), stamp);
        }
    }

    fn claim(
        &mut self,
        user: User,
        client: ClientName,
        others: impl Iterator<Item = ClientName>,
        stamp: Stamp,
    ) {
        up(&mut self.claims, (user, client), stamp);
        for other in others {
            up(&mut self.claims, (user, other), stamp);
            self.links.extend([(user, client, other), (user, other, client)]);
        }
    }

    fn edge(&mut self, discarded: User, surviving: User, stamp: Stamp, joined: bool) {
        self.mention(surviving, stamp);
        self.mention(discarded, stamp);
        if discarded != surviving {
            up(&mut self.edges, (discarded, surviving), (stamp, joined));
        }
    }

    fn join(mut self, other: Self) -> Self {
        up_all(&mut self.fields, other.fields);
        up_all(&mut self.mentions, other.mentions);
        up_all(&mut self.removals, other.removals);
        up_all(&mut self.active, other.active);
        up_all(&mut self.members, other.members);
        up_all(&mut self.other_ids, other.other_ids);
        up_all(&mut self.device_ids, other.device_ids);
        up_all(&mut self.floors, other.floors);
        up_all(&mut self.sets, other.sets);
        up_all(&mut self.claims, other.claims);
        self.links.extend(other.links);
        up_all(&mut self.edges, other.edges);
        up_all(&mut self.first_seen, other.first_seen);
        up_all(&mut self.last_seen, other.last_seen);
        self.known.extend(other.known);
        self.started.extend(other.started);
        self.secured.extend(other.secured);
        self.tombs.extend(other.tombs);
        self.erased()
    }

    /// All users that reach a tombstone over any edges.
    fn dead(&self) -> BTreeSet<User> {
        let mut dead = self.tombs.clone();
        loop {
            let joined = self.edges.iter().filter(|(_, (_, joined))| *joined);
            let reach = joined.filter(|((_, to), _)| dead.contains(to)).map(|((from, _), _)| *from);
            let more: Vec<_> = reach.filter(|from| !dead.contains(from)).collect();
            if more.is_empty() {
                return dead;
            }
            dead.extend(more);
        }
    }

    /// Nothing is left of the dead but that they are, their edges, and that they were secured.
    fn erased(mut self) -> Self {
        let dead = self.dead();
        if dead.is_empty() {
            return self;
        }
        self.fields.retain(|(user, _), _| !dead.contains(user));
        self.mentions.retain(|(user, _), _| !dead.contains(user));
        self.removals.retain(|(user, _), _| !dead.contains(user));
        self.active.retain(|(user, _), _| !dead.contains(user));
        self.members.retain(|(user, _, _), _| !dead.contains(user));
        self.other_ids.retain(|(user, _), _| !dead.contains(user));
        self.device_ids.retain(|(user, _), _| !dead.contains(user));
        self.floors.retain(|(user, _), _| !dead.contains(user));
        self.sets.retain(|(user, _), _| !dead.contains(user));
        self.claims.retain(|(user, _), _| !dead.contains(user));
        self.links.retain(|(user, _, _)| !dead.contains(user));
        self.first_seen.retain(|user, _| !dead.contains(user));
        self.last_seen.retain(|user, _| !dead.contains(user));
        self.known.retain(|user| !dead.contains(user));
        self.started.retain(|user| !dead.contains(user));
        self
    }
}

/// The join of one register.
fn up<K: Ord, V: Ord>(map: &mut BTreeMap<K, V>, key: K, value: V) {
    match map.get_mut(&key) {
        Some(old) if *old >= value => {}
        Some(old) => *old = value,
        None => _ = map.insert(key, value),
    }
}

fn up_all<K: Ord, V: Ord>(map: &mut BTreeMap<K, V>, other: BTreeMap<K, V>) {
    for (key, value) in other {
        up(map, key, value);
    }
}
