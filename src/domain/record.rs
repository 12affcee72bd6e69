//! The record of one `_id`: everything that was ever said of it and still counts.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::brand::brand;
use super::client::{Client, Mention, Mentions};
use super::field::Field;
use super::ids::{ClientId, Digest, SmoochId, Stamp};
use super::names::UnknownName;
use super::part::Part;
use super::value::{JsonText, Register, SmoochValue};

/// A value that our own API set, and what Smooch said of the same thing at that moment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Override {
    /// Ours.
    pub value: Option<JsonText>,
    /// Smooch's, then.
    pub basis: Option<JsonText>,
}

/// Everything Smooch said: a register for each thing, and a floor for each part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SmoochState {
    /// Profile fields, and what belongs to a part, unless it is older than the floor of that.
    pub fields: BTreeMap<Field, SmoochValue<JsonText>>,
    /// Clients, of each what is not older than their floor.
    pub clients: BTreeMap<ClientId, Mentions>,
    /// The newest complete picture of each part. What is older than it is absent.
    pub complete_since: BTreeMap<Part, Arc<Stamp>>,
}

impl SmoochState {
    /// Takes a complete picture of a part: what was said of it before is absent for good, so it is
    /// not kept.
    pub(super) fn complete(&mut self, part: Part, stamp: &Arc<Stamp>) {
        let floor = self.complete_since.entry(part).or_insert_with(|| stamp.clone());
        *floor = stamp.max(floor).clone();
        self.fields.retain(|field, said| field.part() != Some(part) || said.stamp >= *floor);
        if part == Part::Clients {
            self.clients.retain(|_, said| said.complete(floor));
        }
    }

    /// Takes what is said of a client; nothing is that it is removed.
    pub(super) fn client(&mut self, id: &ClientId, stamp: &Arc<Stamp>, said: Option<&Mention>) {
        if !self.is_current(Some(Part::Clients), stamp) {
            return;
        }
        let mentions = match self.clients.get_mut(id) {
            Some(mentions) => mentions,
            None => self.clients.entry(id.clone()).or_default(),
        };
        match said {
            Some(said) => mentions.say(stamp, said),
            None => mentions.remove(stamp),
        }
    }

    /// Whether what is said with this stamp is not older than the complete picture of its part.
    pub(super) fn is_current(&self, part: Option<Part>, stamp: &Arc<Stamp>) -> bool {
        self.floor(part).is_none_or(|floor| stamp >= floor)
    }

    /// The newest complete picture of a part.
    pub fn floor(&self, part: Option<Part>) -> Option<&Arc<Stamp>> {
        self.complete_since.get(&part?)
    }
}

/// A client's pointer to this app user.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// When the client was last called active for this app user, or was bound to it; [`BEFORE_ALL`] where it was only
    /// spoken of without that. See [`Record::strength`].
    ///
    /// [`BEFORE_ALL`]: super::ids::BEFORE_ALL
    pub stamp: Arc<Stamp>,
    /// Of the ids by which the app user has the client, the first in their order; none where that is one id alone.
    /// All of them are claimed with one stamp.
    pub with: Option<ClientId>,
    /// Another record claims the client too. A hint where to look, never an answer.
    pub shared: bool,
}

/// Why two app users are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reason {
    /// Smooch said so in a webhook.
    Webhook,
    /// Somebody asked our merge endpoint.
    Api,
    /// A device of an anonymous app user logged in as a known one.
    Init,
    /// Created here and later reported by Smooch under the same `userId`.
    SameUserId,
}

impl Reason {
    const ALL: [Self; 4] = [Self::Webhook, Self::Api, Self::Init, Self::SameUserId];

    /// Its name in answers and exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Api => "api",
            Self::Init => "init",
            Self::SameUserId => "sameUserId",
        }
    }
}

impl FromStr for Reason {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let named = Self::ALL.into_iter().find(|reason| reason.as_str() == name);
        named.ok_or_else(|| UnknownName::of(&Self::ALL.map(Self::as_str)))
    }
}

/// A merge into another `_id`, or its undoing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Whether the two are one.
    pub joined: bool,
    /// Why.
    pub reason: Reason,
}

/// The events last journalled for an app user, so that a delivery that is repeated within the
/// sender's retry window is recognised.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recent {
    /// The latest event time last.
    events: Vec<RecentEvent>,
    /// The latest event time among those dropped to bound the list while they could still be
    /// repeated, and when that one was received: at or below it, the list alone cannot tell.
    horizon: Option<(i64, u32)>,
}

/// An event that was journalled.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct RecentEvent {
    #[serde(with = "serde_bytes")]
    digest: Digest,
    /// Event time in µs.
    time: i64,
    /// When it was received, in s since 1970.
    received: u32,
    /// The sender's id of it, hashed; 0 for none.
    id: u32,
}

impl Recent {
    /// How long a repetition is expected, in s: Smooch tries for fifteen minutes.
    pub const WINDOW: u32 = 20 * 60;
    const MOST: usize = 16;

    /// `Some(true)`: journalled within the window. `None`: only the journal knows.
    pub fn holds(&self, stamp: &Stamp, now: u32) -> Option<bool> {
        if self.events.iter().any(|heard| heard.digest == stamp.digest && fresh(heard.received, now)) {
            return Some(true);
        }
        match self.horizon {
            Some((time, received)) if stamp.time <= time && fresh(received, now) => None,
            _ => Some(false),
        }
    }

    /// A time in ms since 1970 as it is kept here.
    pub fn seconds(ms: i64) -> u32 {
        u32::try_from(ms / 1000).unwrap_or(0)
    }

    /// Whether another event with the sender's id of this one was journalled.
    pub fn contradicts(&self, stamp: &Stamp) -> bool {
        let id = short(&stamp.event);
        id != 0 && self.events.iter().any(|heard| heard.id == id && heard.digest != stamp.digest)
    }

    /// Remembers an event received at `now`, in s since 1970.
    pub fn note(&mut self, stamp: &Stamp, now: u32) {
        self.events.retain(|heard| fresh(heard.received, now));
        self.horizon = self.horizon.filter(|(_, received)| fresh(*received, now));
        let at = self.events.partition_point(|heard| heard.time <= stamp.time);
        let id = short(&stamp.event);
        self.events.insert(at, RecentEvent { digest: stamp.digest, time: stamp.time, received: now, id });
        if self.events.len() > Self::MOST {
            let RecentEvent { time, received, .. } = self.events.remove(0);
            let (was_time, was_received) = self.horizon.unwrap_or((time, received));
            self.horizon = Some((time.max(was_time), received.max(was_received)));
        }
    }
}

fn fresh(received: u32, now: u32) -> bool {
    now.saturating_sub(received) <= Recent::WINDOW
}

/// FNV-1a: enough to tell a handful of ids apart.
fn short(id: &str) -> u32 {
    if id.is_empty() {
        return 0;
    }
    id.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)).max(1)
}

/// Everything known of one `_id`. A merge leaves it whole; only a removal empties it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// What Smooch said.
    pub smooch: SmoochState,
    /// What our own API set over it.
    pub overrides: BTreeMap<Field, Register<Override>>,
    /// The state that our own API gave to clients. No picture of Smooch's is complete of these.
    pub devices: BTreeMap<ClientId, Register<Client>>,
    /// The clients that it ever had, each under every id by which it was known then, and when last.
    pub claims: BTreeMap<ClientId, Claim>,
    /// The conversation has started. Never falls.
    pub started: bool,
    /// Only a JWT may speak for it. Never falls.
    pub secured: bool,
    /// Our own API made the `_id`. Never falls.
    pub minted: bool,
    /// Event time of its first event, in µs.
    pub first_seen: Option<i64>,
    /// Event time of its last event, in µs.
    pub last_seen: Option<i64>,
    /// The merges of this `_id` into others.
    pub into: BTreeMap<SmoochId, Register<Edge>>,
    /// The `_id`s with an edge to this one.
    pub from: BTreeSet<SmoochId>,
    /// Removed, or merged into one that was. Never falls, and nothing is learned any more.
    pub removed: bool,
    /// Erased, or merged into one that was, and so dead as well. Never falls.
    pub erased: bool,
    /// Its last journal entry.
    pub head: Option<u64>,
    /// Its last events.
    pub recent: Recent,
}

impl Record {
    /// Notes the journal entry of an event that touched it, received at `received`, in ms since 1970; with the
    /// event's stamp where it is the first that the event is about. Gives the entry before: none of somebody who
    /// is erased, since what was before is on its way out.
    pub fn set_journal_head(&mut self, seq: u64, stamp: Option<&Stamp>, received: i64) -> Option<u64> {
        if let Some(stamp) = stamp.filter(|_| !self.erased) {
            self.recent.note(stamp, Recent::seconds(received));
        }
        self.head.replace(seq).filter(|_| !self.erased)
    }

    /// Takes everything away that a removal takes away: what was said of the person. What is left
    /// keeps later and late events out, and old `_id`s from being taken for new ones.
    pub fn bury(&mut self) {
        self.clear_personal_data();
        self.removed = true;
    }

    /// Takes away what was said of the person, and leaves what others are part of: who was merged with
    /// whom, who is gone, whose word counts.
    pub fn clear_personal_data(&mut self) {
        *self = Self {
            secured: self.secured,
            minted: self.minted,
            into: std::mem::take(&mut self.into),
            from: std::mem::take(&mut self.from),
            removed: self.removed,
            erased: self.erased,
            head: self.head,
            recent: std::mem::take(&mut self.recent),
            ..Self::default()
        };
    }

    /// The claims on a client under every id by which it has the client, first under this one; none if it never had
    /// it.
    pub fn claims_on<'r>(&'r self, client: &ClientId) -> impl Iterator<Item = (&'r ClientId, &'r Claim)> {
        let claim = self.claims.get_key_value(client);
        let with = claim.and_then(|(_, claim)| claim.with.as_ref());
        let others = with.into_iter().flat_map(move |with| {
            self.claims.iter().filter(move |(id, claim)| *id != client && claim.with.as_ref() == Some(with))
        });
        claim.into_iter().chain(others)
    }

    /// When it was last known to have a client: when that was called active for it or was bound to it, or, unless it
    /// was called inactive since, when it was spoken of. None if it never had it.
    pub fn strength<'r>(&'r self, client: &ClientId) -> Option<&'r Arc<Stamp>> {
        let (mut claimed, mut last, mut told) = (None, None, None);
        for (id, claim) in self.claims_on(client) {
            claimed = claimed.max(Some(&claim.stamp));
            let said = self.smooch.clients.get(id);
            last = last.max(said.and_then(Mentions::last));
            let set = self.devices.get(id).map(|set| (&set.stamp, set.value.active));
            told = told.max(said.and_then(Mentions::last_active)).max(set);
        }
        claimed.max(last.filter(|_| claimed.is_some() && told.is_none_or(|(_, active)| active)))
    }

    /// The clients, claimed by others too, that it may have by being spoken of alone: what takes such a word away, or
    /// calls the client inactive, gives it to the newest of the others.
    pub fn unsure_clients(&self) -> impl Iterator<Item = &ClientId> {
        let spoken_of = |id: &ClientId, claim: &Claim| {
            self.smooch.clients.get(id).and_then(Mentions::last).is_some_and(|last| *last > claim.stamp)
        };
        let shared = self.claims.iter().filter(|(_, claim)| claim.shared);
        shared
            .filter(move |(id, _)| self.claims_on(id).any(|(id, claim)| spoken_of(id, claim)))
            .map(|(id, _)| id)
    }

    /// Of the ids by which it has a client, the first in their order; none if it never had it.
    pub fn first_client_id<'r>(&'r self, client: &ClientId) -> Option<&'r ClientId> {
        let (id, claim) = self.claims.get_key_value(client)?;
        Some(claim.with.as_ref().unwrap_or(id))
    }

    /// The ids of a client of which it has to be looked up who holds them before it claims the client anew: those
    /// that others claim too, or the client's own where that is new to it.
    pub fn contended_ids(&self, client: &ClientId) -> Vec<ClientId> {
        if !self.claims.contains_key(client) {
            return vec![client.clone()];
        }
        let shared = self.claims_on(client).filter(|(_, claim)| claim.shared);
        shared.map(|(id, _)| id.clone()).collect()
    }

    /// Every `userId` it carries in either layer, as JSON text: what it can be looked up by.
    pub fn user_ids(&self) -> BTreeSet<&JsonText> {
        let smooch = self.smooch.fields.get(&Field::UserId).and_then(|said| said.value.as_ref());
        let ours = self.overrides.get(&Field::UserId).and_then(|set| set.value.value.as_ref());
        smooch.into_iter().chain(ours).collect()
    }
}

impl Record {
    /// What is said of its brand: by our own API, else by Smooch.
    pub(super) fn brand(&self) -> Option<Cow<'_, str>> {
        let text = match self.overrides.get(&Field::BrandId) {
            Some(set) => set.value.value.as_ref(),
            None => self.smooch_brand(),
        };
        text.and_then(|text| brand(text))
    }

    /// Whether both are of a brand, each of another.
    pub(super) fn is_of_another_brand(&self, other: &Self) -> bool {
        self.brand().zip(other.brand()).is_some_and(|(one, other)| one != other)
    }

    /// What Smooch says of its brand, as JSON text.
    pub(super) fn smooch_brand(&self) -> Option<&JsonText> {
        self.smooch.fields.get(&Field::BrandId).and_then(|said| said.value.as_ref())
    }

    /// Whether Smooch says something else of its brand than `value`: only then can that be news.
    pub fn is_brand_news(&self, value: Option<&JsonText>) -> bool {
        self.smooch_brand() != value
    }
}
