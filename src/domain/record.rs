//! The record of one `_id`: all statements about it that are still valid.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::brand::parse_brand;
use super::client::{Client, Mention, Mentions};
use super::field::Field;
use super::field_form::Part;
use super::ids::{ClientId, Digest, SmoochId, Stamp};
use super::names::value_names;
use super::value::{JsonText, Register, SmoochValue};

/// A value set by our own API, with Smooch's value at that moment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Override {
    /// Our value.
    pub value: Option<JsonText>,
    /// Smooch's value at that moment.
    pub basis: Option<JsonText>,
}

/// The state reported by Smooch: a register for each field and client, a floor for each part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SmoochState {
    /// Fields. Those of a part are not older than its floor.
    pub fields: BTreeMap<Field, SmoochValue<JsonText>>,
    /// Clients, without mentions older than their floor.
    pub clients: BTreeMap<ClientId, Mentions>,
    /// The floor of each part: the stamp of its newest complete picture. Older statements about the part are void.
    pub complete_since: BTreeMap<Part, Arc<Stamp>>,
}

impl SmoochState {
    /// Applies a complete picture of a part. Deletes earlier statements about the part, which are void permanently.
    pub(super) fn complete(&mut self, part: Part, stamp: &Arc<Stamp>) {
        let floor = self.complete_since.entry(part).or_insert_with(|| stamp.clone());
        *floor = stamp.max(floor).clone();
        self.fields.retain(|field, reported| field.part() != Some(part) || reported.stamp >= *floor);
        if part == Part::Clients {
            self.clients.retain(|_, mentions| mentions.complete(floor));
        }
    }

    /// Applies a mention of a client; `None` removes the client.
    pub(super) fn client(&mut self, id: &ClientId, stamp: &Arc<Stamp>, mention: Option<&Mention>) {
        if !self.is_current(Some(Part::Clients), stamp) {
            return;
        }
        let mentions = match self.clients.get_mut(id) {
            Some(mentions) => mentions,
            None => self.clients.entry(id.clone()).or_default(),
        };
        match mention {
            Some(mention) => mentions.add(stamp, mention),
            None => mentions.remove(stamp),
        }
    }

    /// True if a statement with this stamp is not older than the floor of its part.
    pub(super) fn is_current(&self, part: Option<Part>, stamp: &Arc<Stamp>) -> bool {
        self.floor(part).is_none_or(|floor| stamp >= floor)
    }

    /// The stamp of the newest complete picture of a part.
    pub fn floor(&self, part: Option<Part>) -> Option<&Arc<Stamp>> {
        self.complete_since.get(&part?)
    }
}

/// A claim of this record on a client; the newest claim of all records is the client's pointer.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The stamp of the last event that bound the client to this app user or reported it as active; [`BEFORE_ALL`] if
    /// events only mentioned it without that. See [`Record::strength`].
    ///
    /// [`BEFORE_ALL`]: super::ids::BEFORE_ALL
    pub stamp: Arc<Stamp>,
    /// The first, in sort order, of the ids of the client in this record; `None` if the client has one id. All ids of
    /// the client are claimed with one stamp.
    pub with: Option<ClientId>,
    /// True if another record claims the client too. A hint for loading, never an answer.
    pub shared: bool,
}

/// The cause of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reason {
    /// A webhook from Smooch.
    Webhook,
    /// A call of our merge endpoint.
    Api,
    /// A device of an anonymous app user logged in as a known one.
    Init,
    /// Created here and later reported by Smooch under the same `userId`.
    SameUserId,
}

value_names!(Reason { Webhook: "webhook", Api: "api", Init: "init", SameUserId: "sameUserId" });

/// A merge into another `_id`, or its undoing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// True for a merge, false for an un-merge.
    pub joined: bool,
    /// The cause.
    pub reason: Reason,
}

/// The latest journalled events of an app user, to recognise a delivery repeated within the sender's retry window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recent {
    /// The events by event time, latest last.
    events: Vec<RecentEvent>,
    /// The latest event time among the events dropped for space within the window, and the time when that event was
    /// received. For events at or before it, the list alone cannot decide.
    horizon: Option<(i64, u32)>,
}

/// A journalled event.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct RecentEvent {
    #[serde(with = "serde_bytes")]
    digest: Digest,
    /// Event time in µs.
    time: i64,
    /// The time of receipt in s since 1970.
    received: u32,
    /// A hash of the sender's event id; 0 for none.
    id: u32,
}

impl Recent {
    /// The window for repetitions, in s. Smooch retries for fifteen minutes.
    pub const WINDOW: u32 = 20 * 60;
    const MOST: usize = 16;

    /// `Some(true)`: journalled within the window. `None`: only the journal can decide.
    pub fn holds(&self, stamp: &Stamp, now: u32) -> Option<bool> {
        if self.events.iter().any(|event| event.digest == stamp.digest && is_in_window(event.received, now)) {
            return Some(true);
        }
        match self.horizon {
            Some((time, received)) if stamp.time <= time && is_in_window(received, now) => None,
            _ => Some(false),
        }
    }

    /// Converts ms since 1970 into the seconds used here.
    pub fn seconds(ms: i64) -> u32 {
        u32::try_from(ms / 1000).unwrap_or(0)
    }

    /// True if another event with the same sender's event id was journalled.
    pub fn contradicts(&self, stamp: &Stamp) -> bool {
        let id = hash_event_id(&stamp.event);
        id != 0 && self.events.iter().any(|event| event.id == id && event.digest != stamp.digest)
    }

    /// Records an event received at `now`, in s since 1970.
    pub fn note(&mut self, stamp: &Stamp, now: u32) {
        self.events.retain(|event| is_in_window(event.received, now));
        self.horizon = self.horizon.filter(|(_, received)| is_in_window(*received, now));
        let at = self.events.partition_point(|event| event.time <= stamp.time);
        let id = hash_event_id(&stamp.event);
        self.events.insert(at, RecentEvent { digest: stamp.digest, time: stamp.time, received: now, id });
        if self.events.len() > Self::MOST {
            let RecentEvent { time, received, .. } = self.events.remove(0);
            let (was_time, was_received) = self.horizon.unwrap_or((time, received));
            self.horizon = Some((time.max(was_time), received.max(was_received)));
        }
    }
}

fn is_in_window(received: u32, now: u32) -> bool {
    now.saturating_sub(received) <= Recent::WINDOW
}

/// FNV-1a, wide enough to distinguish a handful of ids.
fn hash_event_id(id: &str) -> u32 {
    if id.is_empty() {
        return 0;
    }
    id.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)).max(1)
}

/// All statements about one `_id`. A merge does not change it; only a removal clears it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The state that Smooch reported.
    pub smooch: SmoochState,
    /// The values that our own API set; they override Smooch's.
    pub overrides: BTreeMap<Field, Register<Override>>,
    /// The client states that our own API set. Complete pictures of Smooch's do not remove them.
    pub devices: BTreeMap<ClientId, Register<Client>>,
    /// The clients that the app user ever had, under every id known then, with the time of the last claim.
    pub claims: BTreeMap<ClientId, Claim>,
    /// The conversation has started. Never reset.
    pub started: bool,
    /// App tokens are refused. Never reset.
    pub secured: bool,
    /// Our own API created the `_id`. Never reset.
    pub minted: bool,
    /// Event time of its first event, in µs.
    pub first_seen: Option<i64>,
    /// Event time of its last event, in µs.
    pub last_seen: Option<i64>,
    /// The merges of this `_id` into others.
    pub into: BTreeMap<SmoochId, Register<Edge>>,
    /// The `_id`s with an edge to this one.
    pub from: BTreeSet<SmoochId>,
    /// Removed, or merged into a removed `_id`. Never reset; the record accepts no more statements.
    pub removed: bool,
    /// Erased, or merged into an erased `_id`; implies `removed`. Never reset.
    pub erased: bool,
    /// The seq of its last journal entry.
    pub head: Option<u64>,
    /// Its latest events.
    pub recent: Recent,
}

impl Record {
    /// Sets the last journal entry to an event received at `received`, in ms since 1970. `stamp` is set if the app
    /// user is the first of the event. Returns the previous entry; `None` for an erased app user, whose previous
    /// entries are being deleted.
    pub fn set_journal_head(&mut self, seq: u64, stamp: Option<&Stamp>, received: i64) -> Option<u64> {
        if let Some(stamp) = stamp.filter(|_| !self.erased) {
            self.recent.note(stamp, Recent::seconds(received));
        }
        self.head.replace(seq).filter(|_| !self.erased)
    }

    /// Clears the personal data and marks the record as removed. The tombstone rejects later and late events, and its
    /// `_id` is never used for a new app user.
    pub fn mark_removed(&mut self) {
        self.clear_personal_data();
        self.removed = true;
    }

    /// Clears the personal data. Keeps the relations that other app users depend on: merges, removed, erased and
    /// secured flags.
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

    /// The claims on a client under all its ids, first under this one; empty if the app user never had it.
    pub fn claims_on<'r>(&'r self, client: &ClientId) -> impl Iterator<Item = (&'r ClientId, &'r Claim)> {
        let claim = self.claims.get_key_value(client);
        let with = claim.and_then(|(_, claim)| claim.with.as_ref());
        let others = with.into_iter().flat_map(move |with| {
            self.claims.iter().filter(move |(id, claim)| *id != client && claim.with.as_ref() == Some(with))
        });
        claim.into_iter().chain(others)
    }

    /// The stamp of the last sign that the app user has a client: of an event that bound it or reported it as active,
    /// or of a later mention, unless the client was reported as inactive since. `None` if the app user never had it.
    pub fn strength<'r>(&'r self, client: &ClientId) -> Option<&'r Arc<Stamp>> {
        let (mut claimed, mut last, mut active) = (None, None, None);
        for (id, claim) in self.claims_on(client) {
            claimed = claimed.max(Some(&claim.stamp));
            let reported = self.smooch.clients.get(id);
            last = last.max(reported.and_then(Mentions::last));
            let set = self.devices.get(id).map(|set| (&set.stamp, set.value.active));
            active = active.max(reported.and_then(Mentions::last_active)).max(set);
        }
        claimed.max(last.filter(|_| claimed.is_some() && active.is_none_or(|(_, is_active)| is_active)))
    }

    /// The clients that other records claim too and that this record may hold by a mere mention. If the mention is
    /// removed, or the client becomes inactive, the newest of the other claims holds the client.
    pub fn unsure_clients(&self) -> impl Iterator<Item = &ClientId> {
        let spoken_of = |id: &ClientId, claim: &Claim| {
            self.smooch.clients.get(id).and_then(Mentions::last).is_some_and(|last| *last > claim.stamp)
        };
        let shared = self.claims.iter().filter(|(_, claim)| claim.shared);
        shared
            .filter(move |(id, _)| self.claims_on(id).any(|(id, claim)| spoken_of(id, claim)))
            .map(|(id, _)| id)
    }

    /// The first, in sort order, of the ids of a client; `None` if the app user never had it.
    pub fn first_client_id<'r>(&'r self, client: &ClientId) -> Option<&'r ClientId> {
        let (id, claim) = self.claims.get_key_value(client)?;
        Some(claim.with.as_ref().unwrap_or(id))
    }

    /// The ids of a client whose holder must be loaded before a new claim: those that other records claim too, or the
    /// id itself if it is new to this record.
    pub fn contended_ids(&self, client: &ClientId) -> Vec<ClientId> {
        if !self.claims.contains_key(client) {
            return vec![client.clone()];
        }
        let shared = self.claims_on(client).filter(|(_, claim)| claim.shared);
        shared.map(|(id, _)| id.clone()).collect()
    }

    /// Every `userId` of the record, Smooch's and ours, as JSON text: the keys for look-ups.
    pub fn user_ids(&self) -> BTreeSet<&JsonText> {
        self.texts_of(&Field::UserId)
    }

    /// The values of a field, Smooch's and ours, as JSON text.
    pub fn texts_of(&self, field: &Field) -> BTreeSet<&JsonText> {
        let smooch = self.smooch.fields.get(field).and_then(|reported| reported.value.as_ref());
        let ours = self.overrides.get(field).and_then(|set| set.value.value.as_ref());
        smooch.into_iter().chain(ours).collect()
    }
}

impl Record {
    /// The brand: our own API's value, else Smooch's.
    pub(super) fn brand(&self) -> Option<Cow<'_, str>> {
        let text = match self.overrides.get(&Field::BrandId) {
            Some(set) => set.value.value.as_ref(),
            None => self.smooch_brand(),
        };
        text.and_then(|text| parse_brand(text))
    }

    /// True if the two have different brands.
    pub(super) fn is_of_another_brand(&self, other: &Self) -> bool {
        self.brand().zip(other.brand()).is_some_and(|(one, other)| one != other)
    }

    /// Smooch's value of the brand, as JSON text.
    pub(super) fn smooch_brand(&self) -> Option<&JsonText> {
        self.smooch.fields.get(&Field::BrandId).and_then(|reported| reported.value.as_ref())
    }

    /// True if `value` differs from Smooch's current value of the brand.
    pub fn is_brand_news(&self, value: Option<&JsonText>) -> bool {
        self.smooch_brand() != value
    }
}
