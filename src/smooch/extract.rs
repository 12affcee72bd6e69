//! Events, identifiers, values, times and clients, read alike in every version, and the reason why an event is
//! unusable.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::json::{Json, Malformed, TOO_DEEP, with_buffer, write_object, write_string};
use crate::domain::{
    Client, ClientId, Digest, Event, Fact, Field, JsonText, Mention, Observation, Part, SmoochId, Stamp,
    UnusableReason, timestamp,
};

/// The reason why a body or an event goes to quarantine. It names no value, so it may be logged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{detail}")]
pub struct Unusable {
    /// The kind, a label of the metric.
    pub reason: &'static str,
    /// The error and its place.
    pub detail: String,
}

impl Unusable {
    /// An error of a kind.
    pub fn new(reason: UnusableReason, detail: impl Into<String>) -> Self {
        Self { reason: reason.as_str(), detail: detail.into() }
    }
}

impl From<Malformed> for Unusable {
    fn from(malformed: Malformed) -> Self {
        let reason =
            if malformed.what == TOO_DEEP { UnusableReason::TooDeep } else { UnusableReason::NotJson };
        Self::new(reason, malformed.to_string())
    }
}

/// Builds an event. Without a time of its own it has the latest time in its clients: a lower bound, and a function
/// of the payload alone.
pub(super) fn event_of(
    json: &Json<'_>,
    trigger: &str,
    id: &str,
    told: Option<i64>,
    facts: Vec<Fact>,
    clients: &[&Json<'_>],
) -> Event {
    let seen = || {
        let times = clients.iter().flat_map(|client| [client.get("lastSeen"), client.get("linkedAt")]);
        times.flatten().filter_map(read_time).max()
    };
    let time = told.or_else(seen).unwrap_or(Stamp::NO_TIME);
    let stamp = Arc::new(Stamp { time, event: id.into(), digest: digest(json) });
    Event { trigger: trigger.into(), stamp, facts }
}

pub(super) fn digest(json: &Json<'_>) -> Digest {
    let whole = json.exact(|text| Sha256::digest(text.as_bytes()));
    std::array::from_fn(|n| whole[n])
}

/// An identifier: a string that is not empty, or, in some old payloads, a number. Different strings are different
/// identifiers, even if no database can store them unchanged.
pub(super) fn name(value: &Json<'_>) -> Option<String> {
    match value {
        Json::String(text) if !text.is_empty() => Some(text.to_string()),
        Json::Garbled(garbled) => Some(garbled.name.clone()),
        Json::Number(number) => Some((*number).to_owned()),
        _ => None,
    }
}

/// Unix seconds as a decimal number, or ISO 8601 with an offset. `None` for anything else.
pub(super) fn read_time(value: &Json<'_>) -> Option<i64> {
    match value {
        Json::Number(text) => timestamp::parse_unix_seconds(text),
        Json::String(text) => timestamp::parse_rfc3339_micros(text),
        _ => None,
    }
}

/// The app user named by a member of an object.
pub(super) fn id(object: &Json<'_>, key: &str) -> Option<SmoochId> {
    object.get(key).and_then(name).map(|name| name.as_str().into())
}

/// The canonical text of a value; `None` for an explicit null.
pub(super) fn value(value: &Json<'_>) -> Option<JsonText> {
    (*value != Json::Null).then(|| value.canonical(|text| text.into()))
}

/// Takes a `userId`. A null, an empty string or a value that is no identifier is ignored.
pub(super) fn take_user_id(seen: &mut Observation, given: &Json<'_>) {
    if let Some(text) = name_text(given) {
        seen.fields.push((Field::UserId, Some(text)));
    }
}

/// Takes the name shown beside a message, unless the event carries the profile's own name.
pub(super) fn take_display_name(seen: &mut Observation, given: Option<&Json<'_>>) {
    let is_name =
        |(field, _): &(Field, _)| matches!(field, Field::GivenName | Field::Surname | Field::DisplayName);
    let name = given.filter(|name| name.str().is_some_and(|name| !name.is_empty()));
    if let Some(name) = name.filter(|_| !seen.fields.iter().any(is_name)) {
        seen.fields.push((Field::DisplayName, value(name)));
    }
}

/// An identifier as the JSON text of a string.
pub(super) fn name_text(given: &Json<'_>) -> Option<JsonText> {
    name(given).map(|name| with_buffer(|out| write_string(&name, out), |text| text.into()))
}

/// Takes `properties` or `metadata` as the complete picture that it is. Anything but an object
/// is ignored.
pub(super) fn take_properties(seen: &mut Observation, given: &Json<'_>) {
    if let Json::Object(members) = given {
        seen.complete.push(Part::Properties);
        let properties =
            members.iter().map(|(key, given)| (Field::Property(Arc::from(&**key)), value(given)));
        seen.fields.extend(properties);
    }
}

/// Takes a complete list of clients. Entries without any id are ignored, because they cannot be distinguished.
pub(super) fn take_clients(seen: &mut Observation, given: &Json<'_>) {
    if let Json::Array(items) = given {
        seen.complete.push(Part::Clients);
        seen.clients.extend(items.iter().filter_map(client));
    }
}

/// A client in the form of v1 and v1.1. Without `id` its id is its `_id`, which is its `id` in v2.
pub(super) fn client(given: &Json<'_>) -> Option<(ClientId, Mention)> {
    let Json::Object(members) = given else { return None };
    let id = ["id", "_id"].iter().find_map(|key| given.get(key).and_then(name));
    let id = id.or_else(|| id_without_one(given))?;
    let active = match given.get("active") {
        None | Some(Json::Null) => active_by_status(given),
        Some(active) => Some(*active == Json::Bool(true)),
    };
    let rest =
        members.iter().map(|(key, value)| (&**key, value)).filter(|(key, _)| !["id", "active"].contains(key));
    Some((id.as_str().into(), Mention { active, rest: object(rest) }))
}

/// The substitute id of a client without one: integration id and external id.
pub(super) fn id_without_one(given: &Json<'_>) -> Option<String> {
    let text = |key| given.get(key).and_then(name);
    Some(Client::id_without_one(&text("integrationId")?, &text("externalId")?))
}

/// The `active` of a client without one, by its `status`.
pub(super) fn active_by_status(given: &Json<'_>) -> Option<bool> {
    given.get("status").and_then(Json::str).map(|status| status == "active")
}

/// The members that identify a client.
const IDS: [&str; 6] = ["_id", "deviceId", "id", "guid", "integrationId", "externalId"];

/// The canonical text of a client.
pub(super) fn object<'v, 'a: 'v>(members: impl Iterator<Item = (&'v str, &'v Json<'a>)>) -> JsonText {
    let mut members: Vec<_> = members.collect();
    members.sort_by_key(|(key, _)| *key);
    let name = |(key, value): &(&str, &Json<'a>)| match value {
        Json::Garbled(garbled) if IDS.contains(key) => Some(Json::String(garbled.name.clone().into())),
        _ => None,
    };
    let is_garbled = members.iter().any(|(_, value)| matches!(value, Json::Garbled(_)));
    let names: Vec<_> = members.iter().filter(|_| is_garbled).map(name).collect();
    let named = |n: usize| names.get(n).and_then(Option::as_ref);
    let members = members.into_iter().enumerate().map(|(n, (key, value))| (key, named(n).unwrap_or(value)));
    with_buffer(|out| write_object(members, false, out), |text| text.into())
}

/// A client that `user` used, added or updated.
pub(super) fn client_changed(user: &SmoochId, (client, said): (ClientId, Mention)) -> Fact {
    Fact::ClientChanged { user: user.clone(), client, value: Some(said) }
}

/// A client that `user` used, or that was added and so is its own.
pub(super) fn client_facts(
    user: SmoochId,
    (client, said): (ClientId, Mention),
    is_added: bool,
) -> impl Iterator<Item = Fact> {
    let changed = client_changed(&user, (client.clone(), said));
    let bound = is_added.then_some(Fact::ClientBound { user, client, also: Vec::new() });
    std::iter::once(changed).chain(bound)
}

/// The removal of a client under each of its ids.
pub(super) fn client_removed(
    user: &SmoochId,
    given: &Json<'_>,
    client: ClientId,
) -> impl Iterator<Item = Fact> {
    let other = given.get("_id").and_then(name).map(|other| ClientId::from(other.as_str()));
    let other = other.filter(|other| *other != client);
    let gone = |client| Fact::ClientChanged { user: user.clone(), client, value: None };
    std::iter::once(client).chain(other).map(gone)
}
