//! Clients: devices and accounts on channels. An event reports some members of a client; a missing member is unknown.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{ClientId, Stamp};
use super::json_members::{JsonMembers, unescape, write_object};
use super::value::{JsonText, Register};

/// The complete state of a client: as shown, or as our own API set it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Client {
    /// True if the client is active for this app user.
    pub active: bool,
    /// The other members: a canonical JSON object without `id` and `active`.
    pub rest: JsonText,
}

impl Client {
    /// The substitute id of a client without one: integration id, colon, external id. Colons and percent signs in the
    /// integration id are percent-encoded, so the first colon ends it.
    pub fn id_without_one(integration_id: &str, external_id: &str) -> String {
        let integration_id = integration_id.replace('%', "%25").replace(':', "%3A");
        format!("{integration_id}:{external_id}")
    }
}

/// The members of a client in one event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mention {
    /// The `active` flag of the client for this app user; `None` if the event does not carry it.
    #[serde(default)]
    pub active: Option<bool>,
    /// The other members: a canonical JSON object without `id` and `active`.
    pub rest: JsonText,
}

impl From<Client> for Mention {
    fn from(Client { active, rest }: Client) -> Self {
        Self { active: Some(active), rest }
    }
}

impl Mention {
    /// True if the event assigns the client to its app user: always, unless it marks the client inactive.
    pub fn is_in_use(&self) -> bool {
        self.active != Some(false)
    }

    /// The other ids of the client in this mention: v1.1's `_id`, the device id of v2, and the substitute id of
    /// integration id and external id.
    pub fn other_ids<'m>(&'m self, id: &'m ClientId) -> impl Iterator<Item = ClientId> + 'm {
        let named = ClientNames::of(&self.rest);
        let by_id = named.own_ids().map(unescape);
        let others = by_id.chain(named.by_integration());
        others.filter(move |other| !other.is_empty() && other != id.as_str()).map(|other| (&*other).into())
    }

    /// Joins two mentions of one event: the members of both; of two values of one member the greater.
    fn join(&mut self, other: &Self) {
        if self != other {
            let own = JsonMembers::of(&self.rest).map(|(key, value)| (key, ((), value)));
            let both = own.chain(JsonMembers::of(&other.rest).map(|(key, value)| (key, ((), value))));
            let (active, rest) = (self.active.max(other.active), write_object(both.collect()));
            *self = Self { active, rest };
        }
    }

    /// Removes the members that a later mention carries too. Returns true if any member remains.
    fn retain_unsuperseded(&mut self, later: &Self) -> bool {
        self.active = self.active.filter(|_| later.active.is_none());
        if self.rest != later.rest {
            let (own, mut hint) = (JsonMembers::of(&self.rest), JsonMembers::of(&later.rest));
            let mut is_left = |key: &str| {
                let mut from_here = hint.clone();
                if from_here.any(|(other, _)| other == key) {
                    // Both lists are sorted, so the next key most likely comes next.
                    hint = from_here;
                    return false;
                }
                !JsonMembers::of(&later.rest).any(|(other, _)| other == key)
            };
            let left: Vec<_> = own.filter(|(key, _)| is_left(key)).collect();
            if left.is_empty() {
                self.rest = "{}".into();
            } else if left.len() < JsonMembers::of(&self.rest).count() {
                self.rest = write_object(left.into_iter().map(|(key, value)| (key, ((), value))).collect());
            }
            return self.active.is_some() || self.rest.len() > 2;
        }
        self.rest = "{}".into();
        self.active.is_some()
    }
}

/// Smooch's statements about a client that are still valid: for each member the last value, stored with the event
/// that carried it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mentions {
    /// The last event that mentioned the client.
    latest: Option<Register<Mention>>,
    /// Members that earlier events carried and no later one, newest event first.
    older: Vec<Register<Mention>>,
    /// The stamp of Smooch's last removal of the client. Earlier mentions are discarded.
    removed: Option<Arc<Stamp>>,
}

impl Mentions {
    /// Builds the mentions from their stored form: mentions, newest first, and stamp of the removal.
    pub fn from_stored(mentions: Vec<Register<Mention>>, removed: Option<Arc<Stamp>>) -> Self {
        let mut mentions = mentions.into_iter();
        Self { latest: mentions.next(), older: mentions.collect(), removed }
    }

    /// The mentions, newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Register<Mention>> {
        self.latest.iter().chain(&self.older)
    }

    /// The mention, if only one event is still valid.
    pub(super) fn only(&self) -> Option<&Mention> {
        self.latest.as_ref().filter(|_| self.older.is_empty()).map(|mention| &mention.value)
    }

    pub(super) fn last(&self) -> Option<&Arc<Stamp>> {
        self.latest.as_ref().map(|mention| &mention.stamp)
    }

    /// The last `active` flag and its stamp.
    pub(super) fn last_active(&self) -> Option<(&Arc<Stamp>, bool)> {
        self.iter().find_map(|mention| Some((&mention.stamp, mention.value.active?)))
    }

    /// The stamp of the last removal, if it is still valid.
    pub fn removed(&self) -> Option<&Arc<Stamp>> {
        self.removed.as_ref()
    }

    /// The approximate size of the mentions in bytes.
    pub fn bytes(&self) -> usize {
        self.iter().map(|mention| mention.value.rest.len() + 32).sum()
    }

    pub(super) fn add(&mut self, stamp: &Arc<Stamp>, mention: &Mention) {
        if self.removed.as_ref().is_some_and(|removed| stamp < removed) {
            return;
        }
        let new = Register { stamp: stamp.clone(), value: mention.clone() };
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

    /// Keeps only the last value of each member.
    fn remove_superseded(&mut self) {
        let Some(latest) = &self.latest else { return };
        let mut retained: usize = 0;
        for n in 0..self.older.len() {
            let (later, rest) = self.older.split_at_mut(n);
            let Some(mention) = rest.first_mut() else { break };
            let later = std::iter::once(latest).chain(&later[..retained]);
            let left = later.map(|later| &later.value).all(|later| mention.value.retain_unsuperseded(later));
            if left {
                self.older.swap(retained, n);
                retained += 1;
            }
        }
        self.older.truncate(retained);
    }

    pub(super) fn remove(&mut self, stamp: &Arc<Stamp>) {
        if self.removed.as_ref().is_none_or(|removed| removed < stamp) {
            self.removed = Some(stamp.clone());
            self.remove_before(stamp);
        }
    }

    /// Applies a complete list of clients. Returns true if anything of this client remains.
    pub(super) fn complete(&mut self, floor: &Arc<Stamp>) -> bool {
        self.remove_before(floor);
        self.removed.take_if(|removed| *removed < *floor);
        self.latest.is_some() || self.removed.is_some()
    }

    fn remove_before(&mut self, stamp: &Arc<Stamp>) {
        self.latest.take_if(|mention| mention.stamp < *stamp);
        self.older.retain(|mention| mention.stamp >= *stamp);
    }

    /// True if both certainly have the same content; stamps are not compared.
    pub(super) fn is_equivalent(&self, other: &Self) -> bool {
        let [one, two] = [self, other].map(|of| of.latest.as_ref().map(|mention| &mention.value));
        // A removal also discards earlier mentions under another id of the client.
        let same_removal = self.removed == other.removed;
        one == two && same_removal && self.older.is_empty() && other.older.is_empty()
    }
}

/// The members that identify a client, besides its v1 id, in their JSON form.
#[derive(Default)]
pub(super) struct ClientNames<'t> {
    /// v1.1's `_id` and v2's `deviceId`.
    own: [Option<&'t str>; 2],
    /// The integration id and the external id.
    there: [Option<&'t str>; 2],
}

impl<'t> ClientNames<'t> {
    pub(super) fn of(rest: &'t str) -> Self {
        let (mut named, mut members) = (Self::default(), JsonMembers::of(rest));
        // An integration id alone identifies no client.
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

    /// The other ids of the client.
    pub(super) fn own_ids(&self) -> impl Iterator<Item = &'t str> + use<'t> {
        self.own.into_iter().flatten().filter(|value| value.starts_with('"'))
    }

    /// The substitute id of a client without an id. Each of the two members is a string, or a number taken as its
    /// digits.
    pub(super) fn by_integration(&self) -> Option<String> {
        let is_name = |first: char| first == '"' || first == '-' || first.is_ascii_digit();
        let [integration, external] = self.there.map(|value| value.filter(|text| text.starts_with(is_name)));
        Some(Client::id_without_one(&unescape(integration?), &unescape(external?)))
    }
}

#[cfg(test)]
mod tests;
