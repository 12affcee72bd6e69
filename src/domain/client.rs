//! A means of reaching a user: a device, or an account on a channel. Each event says of it what it carries, and
//! nothing of what it leaves out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::app_user::{Register, Text};
use super::ids::{ClientId, Stamp};

/// The whole of a client: as it is shown, or as our own API set it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Client {
    /// Whether it is active for this app user.
    pub active: bool,
    /// The rest of it: a canonical JSON object without `id` and `active`.
    pub rest: Text,
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
    pub rest: Text,
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
        let named = Named::of(&self.rest);
        let by_id = named.own_ids().map(plain);
        let others = by_id.chain(named.by_integration());
        others.filter(move |other| !other.is_empty() && other != id.as_str()).map(|other| (&*other).into())
    }

    /// Two words of one event: both hold, and of two about one member the greater.
    fn join(&mut self, other: &Self) {
        if self != other {
            let own = Members::of(&self.rest).map(|(key, value)| (key, ((), value)));
            let both = own.chain(Members::of(&other.rest).map(|(key, value)| (key, ((), value))));
            let (active, rest) = (self.active.max(other.active), object(both.collect()));
            *self = Self { active, rest };
        }
    }

    /// Takes out what a later word speaks of, too. Whether anything is left.
    fn keep_beside(&mut self, later: &Self) -> bool {
        self.active = self.active.filter(|_| later.active.is_none());
        if self.rest != later.rest {
            // Most words differ in a member or two.
            let [own, mut hint] = Members::behind_common(&self.rest, &later.rest);
            let mut is_left = |key: &str| {
                let mut from_here = hint.clone();
                if from_here.any(|(other, _)| other == key) {
                    // Both are sorted, so the next one most likely comes next.
                    hint = from_here;
                    return false;
                }
                !Members::of(&later.rest).any(|(other, _)| other == key)
            };
            let left: Vec<_> = own.filter(|(key, _)| is_left(key)).collect();
            if left.is_empty() {
                self.rest = "{}".into();
            } else if left.len() < Members::of(&self.rest).count() {
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
    pub fn stored(said: Vec<Register<Mention>>, removed: Option<Arc<Stamp>>) -> Self {
        let mut said = said.into_iter();
        Self { latest: said.next(), older: said.collect(), removed }
    }

    /// What was said, the newest first.
    pub fn said(&self) -> impl Iterator<Item = &Register<Mention>> {
        self.latest.iter().chain(&self.older)
    }

    /// When it was spoken of last.
    pub(super) fn last(&self) -> Option<&Arc<Stamp>> {
        self.latest.as_ref().map(|said| &said.stamp)
    }

    /// The last word on whether it is active, and when that was said.
    pub(super) fn told_active(&self) -> Option<(&Arc<Stamp>, bool)> {
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
        self.tidy();
    }

    /// Leaves of each member only the last word.
    fn tidy(&mut self) {
        let Some(latest) = &self.latest else { return };
        let mut kept: usize = 0;
        for n in 0..self.older.len() {
            let (later, rest) = self.older.split_at_mut(n);
            let Some(word) = rest.first_mut() else { break };
            let later = std::iter::once(latest).chain(&later[..kept]);
            let left = later.map(|later| &later.value).all(|later| word.value.keep_beside(later));
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
            self.forget_before(stamp);
        }
    }

    /// Takes in a complete list of clients. Whether anything is left of this one.
    pub(super) fn complete(&mut self, floor: &Arc<Stamp>) -> bool {
        self.forget_before(floor);
        self.removed.take_if(|removed| *removed < *floor);
        self.latest.is_some() || self.removed.is_some()
    }

    fn forget_before(&mut self, stamp: &Arc<Stamp>) {
        self.latest.take_if(|said| said.stamp < *stamp);
        self.older.retain(|said| said.stamp >= *stamp);
    }

    /// Whether two certainly come to the same, whenever it was said.
    pub(super) fn say_the_same(&self, other: &Self) -> bool {
        let [one, two] = [self, other].map(|of| of.latest.as_ref().map(|said| &said.value));
        // A removal takes away what was said before it under another id of the client as well.
        let gone = self.removed == other.removed;
        one == two && gone && self.older.is_empty() && other.older.is_empty()
    }
}

/// The members by which a client is known beside the id that it goes by in v1, as they are written.
#[derive(Default)]
pub(super) struct Named<'t> {
    /// v1.1's `_id`, and what v2 calls the device.
    own: [Option<&'t str>; 2],
    /// Its integration, and what it is called there.
    there: [Option<&'t str>; 2],
}

impl<'t> Named<'t> {
    pub(super) fn of(rest: &'t str) -> Self {
        let mut named = Self::default();
        // They are in the order of their keys, and this is the last that counts.
        for (key, value) in Members::of(rest).take_while(|(key, _)| *key <= "\"integrationId\"") {
            match key {
                "\"_id\"" => named.own[0] = Some(value),
                "\"deviceId\"" => named.own[1] = Some(value),
                "\"integrationId\"" => named.there[0] = Some(value),
                "\"externalId\"" => named.there[1] = Some(value),
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

/// A member with its key as it is written, and what ranks it among others with that key.
pub(super) type Ranked<'t, R> = (&'t str, (R, &'t str));

/// An object's canonical text; of several members with one key the greatest.
pub(super) fn object<'t, R: Ord>(mut members: Vec<Ranked<'t, R>>) -> Text {
    members.sort_by(|(one, of_one), (two, of_two)| {
        let escaped = one.contains('\\') || two.contains('\\');
        let keys = if escaped { plain(one).cmp(&plain(two)) } else { one.cmp(two) };
        keys.then_with(|| of_two.cmp(of_one))
    });
    members.dedup_by(|(later, _), (first, _)| later == first);
    let mut out =
        String::with_capacity(members.iter().map(|(key, (_, value))| key.len() + value.len() + 2).sum());
    for (n, (key, (_, value))) in members.iter().enumerate() {
        out.push(if n == 0 { '{' } else { ',' });
        out.push_str(key);
        out.push(':');
        out.push_str(value);
    }
    out.push_str(if members.is_empty() { "{}" } else { "}" });
    out.into()
}

/// A JSON string as it is meant; what is none as it is written.
pub(super) fn plain(quoted: &str) -> String {
    serde_json::from_str(quoted).unwrap_or_else(|_| quoted.to_owned())
}

/// The members of a JSON object without white space, each key and value as it is written.
#[derive(Clone)]
pub(super) struct Members<'t>(&'t str);

impl<'t> Members<'t> {
    pub(super) fn of(object: &'t str) -> Self {
        Self(object.strip_prefix('{').unwrap_or_default())
    }

    /// The members of two objects but for those at the beginning that are the same in both. The last of these may
    /// be there.
    pub(super) fn behind_common(one: &'t str, two: &'t str) -> [Self; 2] {
        if !one.starts_with('{') || !two.starts_with('{') {
            return [one, two].map(Self::of);
        }
        let same = one.bytes().zip(two.bytes()).take_while(|(one, two)| one == two).count();
        let mut rest = Self::of(one);
        loop {
            let here = rest.clone();
            if rest.next().is_none() || one.len() - rest.0.len() > same {
                let behind = two.get(one.len() - here.0.len()..).unwrap_or_default();
                return [here, Self(behind)];
            }
        }
    }

    /// The value of a member that is a string, as it is written.
    pub(super) fn string(object: &'t str, key: &str) -> Option<&'t str> {
        Self::value(object, key).filter(|value| value.starts_with('"'))
    }

    /// The value of a member. Members are in the order of their keys, so most are not looked at.
    fn value(object: &'t str, key: &str) -> Option<&'t str> {
        let mut before = Self::of(object).skip_while(|(known, _)| *known < key);
        before.next().filter(|(known, _)| *known == key).map(|(_, value)| value)
    }
}

impl<'t> Iterator for Members<'t> {
    type Item = (&'t str, &'t str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.0.as_bytes();
        let key_end = string_end(bytes, 0)?;
        let end = value_end(bytes, key_end + 1)?;
        let (key, value) = (self.0.get(..key_end)?, self.0.get(key_end + 1..end)?);
        self.0 = self.0.get(end + 1..).unwrap_or_default();
        Some((key, value))
    }
}

/// Where a JSON string ends that begins at a place.
fn string_end(text: &[u8], from: usize) -> Option<usize> {
    if *text.get(from)? != b'"' {
        return None;
    }
    let mut at = from + 1;
    loop {
        at += next_quote_or_escape(text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Where the next quote or backslash is. It looks at eight bytes at a time: members are searched for with each
/// event, and most strings are short.
fn next_quote_or_escape(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // Has the top bit of each byte that is zero, and, of those behind the first such byte, perhaps of others.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let (words, rest) = text.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return Some(n * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let in_rest = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some(words.len() * 8 + in_rest)
}

/// Where a JSON value ends that begins at a place.
fn value_end(text: &[u8], from: usize) -> Option<usize> {
    let (mut at, mut depth) = (from, 0_usize);
    loop {
        match text.get(at)? {
            b'"' => at = string_end(text, at)?,
            b'{' | b'[' => (at, depth) = (at + 1, depth + 1),
            b'}' | b']' if depth > 0 => (at, depth) = (at + 1, depth - 1),
            b',' | b'}' | b']' if depth == 0 => return Some(at),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests;
