//! A means of reaching a user: a device, or an account on a channel. Each event says of it what it carries, and
//! nothing of what it leaves out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{ClientId, Stamp};
use super::json_members::{JsonMembers, object, plain};
use super::value::{JsonText, Register};

/// The whole of a client: as it is shown, or as our own API set it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Client {
    /// Whether it is active for this app user.
    pub active: bool,
    /// The rest of it: a canonical JSON object without `id` and `active`.
    pub rest: JsonText,
}

impl Client {
    /// The id of a client that has none: its integration, and what it is called there. The first colon ends the
    /// integration, so one in that is escaped as in a URL, and so is the escape.
    pub fn id_without_one(integration_id: &str, external_id: &str) -> String {
        let integration_id = integration_id.replace('%', "%25").replace(':', "%3A");
        format!("{integration_id}:{external_id}")
    }
}

/// What one event says of a client.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mention {
    /// Whether Smooch calls it active for this app user; `None` where it says nothing of that.
    #[serde(default)]
    pub active: Option<bool>,
    /// What else was carried: a canonical JSON object without `id` and `active`.
    pub rest: JsonText,
}

impl From<Client> for Mention {
    fn from(Client { active, rest }: Client) -> Self {
        Self { active: Some(active), rest }
    }
}

impl Mention {
    /// Whether it gives the client to the app user of the event: it does unless it calls the client inactive.
    pub fn is_in_use(&self) -> bool {
        self.active != Some(false)
    }

    /// The other ids by which this names the client: v1.1's `_id`, the id that v2 gives it as a device, and its
    /// integration with what it is called there.
    pub fn other_ids<'m>(&'m self, id: &'m ClientId) -> impl Iterator<Item = ClientId> + 'm {
        let named = ClientNames::of(&self.rest);
        let by_id = named.own_ids().map(plain);
        let others = by_id.chain(named.by_integration());
        others.filter(move |other| !other.is_empty() && other != id.as_str()).map(|other| (&*other).into())
    }

    /// Two words of one event: both hold, and of two about one member the greater.
    fn join(&mut self, other: &Self) {
        if self != other {
            let own = JsonMembers::of(&self.rest).map(|(key, value)| (key, ((), value)));
            let both = own.chain(JsonMembers::of(&other.rest).map(|(key, value)| (key, ((), value))));
            let (active, rest) = (self.active.max(other.active), object(both.collect()));
            *self = Self { active, rest };
        }
    }

    /// Takes out what a later word speaks of, too. Whether anything is left.
    fn retain_unsuperseded(&mut self, later: &Self) -> bool {
        self.active = self.active.filter(|_| later.active.is_none());
        if self.rest != later.rest {
            let (own, mut hint) = (JsonMembers::of(&self.rest), JsonMembers::of(&later.rest));
            let mut is_left = |key: &str| {
                let mut from_here = hint.clone();
                if from_here.any(|(other, _)| other == key) {
                    // Both are sorted, so the next one most likely comes next.
                    hint = from_here;
                    return false;
                }
                !JsonMembers::of(&later.rest).any(|(other, _)| other == key)
            };
            let left: Vec<_> = own.filter(|(key, _)| is_left(key)).collect();
            if left.is_empty() {
                self.rest = "{}".into();
            } else if left.len() < JsonMembers::of(&self.rest).count() {
                self.rest = object(left.into_iter().map(|(key, value)| (key, ((), value))).collect());
            }
            return self.active.is_some() || self.rest.len() > 2;
        }
        self.rest = "{}".into();
        self.active.is_some()
    }
}

/// What Smooch said of a client, as far as it still counts: of each member the last word, by the events that
/// said it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mentions {
    /// The last event that spoke of it.
    latest: Option<Register<Mention>>,
    /// What earlier events said and no later one, the newest first.
    older: Vec<Register<Mention>>,
    /// When Smooch last removed it. What was said before is gone.
    removed: Option<Arc<Stamp>>,
}

impl Mentions {
    /// As they were stored: what was said, the newest first, and when it was removed.
    pub fn from_stored(said: Vec<Register<Mention>>, removed: Option<Arc<Stamp>>) -> Self {
        let mut said = said.into_iter();
        Self { latest: said.next(), older: said.collect(), removed }
    }

    /// What was said, the newest first.
    pub fn said(&self) -> impl Iterator<Item = &Register<Mention>> {
        self.latest.iter().chain(&self.older)
    }

    /// What was said, if no more than one event still counts.
    pub(super) fn only(&self) -> Option<&Mention> {
        self.latest.as_ref().filter(|_| self.older.is_empty()).map(|said| &said.value)
    }

    /// When it was spoken of last.
    pub(super) fn last(&self) -> Option<&Arc<Stamp>> {
        self.latest.as_ref().map(|said| &said.stamp)
    }

    /// The last word on whether it is active, and when that was said.
    pub(super) fn last_active(&self) -> Option<(&Arc<Stamp>, bool)> {
        self.said().find_map(|said| Some((&said.stamp, said.value.active?)))
    }

    /// When it was removed last, if that still counts.
    pub fn removed(&self) -> Option<&Arc<Stamp>> {
        self.removed.as_ref()
    }

    /// About the bytes of what was said.
    pub fn bytes(&self) -> usize {
        self.said().map(|said| said.value.rest.len() + 32).sum()
    }

    pub(super) fn say(&mut self, stamp: &Arc<Stamp>, said: &Mention) {
        if self.removed.as_ref().is_some_and(|removed| stamp < removed) {
            return;
        }
        let new = Register { stamp: stamp.clone(), value: said.clone() };
        match &mut self.latest {
            None => return self.latest = Some(new),
            Some(latest) if latest.stamp == new.stamp => latest.value.join(&new.value),
            Some(latest) if latest.stamp < new.stamp => {
                let before = std::mem::replace(latest, new);
                self.older.insert(0, before);
            }
            Some(_) => match self.older.binary_search_by(|older| new.stamp.cmp(&older.stamp)) {
                Ok(same) => self.older[same].value.join(&new.value),
                Err(place) => self.older.insert(place, new),
            },
        }
        self.remove_superseded();
    }

    /// Leaves of each member only the last word.
    fn remove_superseded(&mut self) {
        let Some(latest) = &self.latest else { return };
        let mut kept: usize = 0;
        for n in 0..self.older.len() {
            let (later, rest) = self.older.split_at_mut(n);
            let Some(word) = rest.first_mut() else { break };
            let later = std::iter::once(latest).chain(&later[..kept]);
            let left = later.map(|later| &later.value).all(|later| word.value.retain_unsuperseded(later));
            if left {
                self.older.swap(kept, n);
                kept += 1;
            }
        }
        self.older.truncate(kept);
    }

    pub(super) fn remove(&mut self, stamp: &Arc<Stamp>) {
        if self.removed.as_ref().is_none_or(|removed| removed < stamp) {
            self.removed = Some(stamp.clone());
            self.remove_before(stamp);
        }
    }

    /// Takes in a complete list of clients. Whether anything is left of this one.
    pub(super) fn complete(&mut self, floor: &Arc<Stamp>) -> bool {
        self.remove_before(floor);
        self.removed.take_if(|removed| *removed < *floor);
        self.latest.is_some() || self.removed.is_some()
    }

    fn remove_before(&mut self, stamp: &Arc<Stamp>) {
        self.latest.take_if(|said| said.stamp < *stamp);
        self.older.retain(|said| said.stamp >= *stamp);
    }

    /// Whether two certainly come to the same, whenever it was said.
    pub(super) fn is_equivalent(&self, other: &Self) -> bool {
        let [one, two] = [self, other].map(|of| of.latest.as_ref().map(|said| &said.value));
        // A removal takes away what was said before it under another id of the client as well.
        let gone = self.removed == other.removed;
        one == two && gone && self.older.is_empty() && other.older.is_empty()
    }
}

/// The members by which a client is known beside the id that it goes by in v1, as they are written.
#[derive(Default)]
pub(super) struct ClientNames<'t> {
    /// v1.1's `_id`, and what v2 calls the device.
    own: [Option<&'t str>; 2],
    /// Its integration, and what it is called there.
    there: [Option<&'t str>; 2],
}

impl<'t> ClientNames<'t> {
    pub(super) fn of(rest: &'t str) -> Self {
        let (mut named, mut members) = (Self::default(), JsonMembers::of(rest));
        // An integration alone names nothing.
        let mut last = "\"externalId\"";
        while let Some((key, value)) = members.next_up_to(last) {
            match key {
                "\"_id\"" => named.own[0] = Some(value),
                "\"deviceId\"" => named.own[1] = Some(value),
                "\"externalId\"" => (named.there[1], last) = (Some(value), "\"integrationId\""),
                "\"integrationId\"" => named.there[0] = Some(value),
                _ => {}
            }
        }
        named
    }

    /// Its other ids.
    pub(super) fn own_ids(&self) -> impl Iterator<Item = &'t str> + use<'t> {
        self.own.into_iter().flatten().filter(|value| value.starts_with('"'))
    }

    /// What it is known by if it has no id: of each member a string, or a number as its digits.
    pub(super) fn by_integration(&self) -> Option<String> {
        let is_name = |first: char| first == '"' || first == '-' || first.is_ascii_digit();
        let [integration, external] = self.there.map(|value| value.filter(|text| text.starts_with(is_name)));
        Some(Client::id_without_one(&plain(integration?), &plain(external?)))
    }
}

#[cfg(test)]
mod tests;
