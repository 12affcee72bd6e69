//! v2: an envelope with a list of events. `metadata`, `externalId`, clients apart from users.

use std::collections::BTreeMap;

use super::extract::{
    self, Unusable, active_by_status, client_changed, event_of, id, id_without_one, name, name_text, object,
    read_time, take_properties, take_user_id,
};
use super::json::Json;
use super::triggers::{Carries, Meaning, Trigger};
use super::v1::merged;
use crate::domain::{ClientId, Event, Fact, Field, Mention, Observation, SmoochId, UnusableReason};

/// Reads one element of `events`; `n` is its place in the body.
pub(super) fn event((n, event): (usize, &Json<'_>)) -> Result<Event, Unusable> {
    let Some(kind) = event.get("type").and_then(Json::str) else {
        return Err(Unusable::new(UnusableReason::WrongShape, format!("events[{n}] has no type")));
    };
    let payload = event.get("payload").unwrap_or(&Json::Null);
    let facts = read_facts(kind, payload).ok_or_else(|| {
        Unusable::new(
            UnusableReason::NoAppUser,
            format!("events[{n}]: {kind} without the app user it is about"),
        )
    })?;
    let id = event.get("id").and_then(name).unwrap_or_default();
    let told = event.get("createdAt").and_then(read_time);
    Ok(event_of(event, kind, &id, told, facts, &clients_in(payload)))
}

/// The facts of an event; `None` if it is about an app user and does not name it.
fn read_facts(kind: &str, payload: &Json<'_>) -> Option<Vec<Fact>> {
    let trigger = Trigger::in_v2(kind);
    match (trigger.meaning, trigger.carries) {
        (Meaning::UsersMerged, _) => merge_facts(payload),
        (Meaning::UserRemoved, _) => Some(vec![Fact::Removed { user: user_in(payload)?.0 }]),
        (meaning @ (Meaning::ClientAdded | Meaning::ClientUpdated | Meaning::ClientRemoved), _) => {
            of_a_client(payload, meaning)
        }
        (meaning, Carries::Author(member)) => author_facts(payload, member, meaning == Meaning::Message),
        (meaning, Carries::User) => of_a_user(payload, meaning),
        (_, Carries::Anything) => Some(of_any(payload)),
    }
}

/// The user that a payload carries, by its id.
fn user_in<'j, 'a>(payload: &'j Json<'a>) -> Option<(SmoochId, &'j Json<'a>)> {
    payload.get("user").and_then(|given| Some((id(given, "id")?, given)))
}

fn of_a_user(payload: &Json<'_>, meaning: Meaning) -> Option<Vec<Fact>> {
    let (id, given) = user_in(payload)?;
    let mut seen = user_seen(given, id, false);
    if meaning == Meaning::UserUpdated {
        // In other triggers a null may only mean that their form lacks the member.
        let is_cleared = |key: &str| given.get(key) == Some(&Json::Null);
        seen.fields.extend(is_cleared("externalId").then_some((Field::UserId, None)));
        seen.fields.extend(is_cleared("brandId").then_some((Field::BrandId, None)));
    }
    Some(with_source(seen, payload.get("source")))
}

fn of_a_client(payload: &Json<'_>, meaning: Meaning) -> Option<Vec<Fact>> {
    let (user, given) = user_in(payload)?;
    let mut facts = vec![Fact::Seen(user_seen(given, user.clone(), false))];
    let Some((client, said)) = payload.get("client").and_then(read_client) else { return Some(facts) };
    if meaning == Meaning::ClientRemoved {
        facts.push(Fact::ClientChanged { user, client, value: None });
        return Some(facts);
    }
    facts.extend(extract::client_facts(user, (client, said), meaning == Meaning::ClientAdded));
    Some(facts)
}

/// The facts of a trigger that is unknown or need not be about an app user: it mentions those that it carries.
fn of_any(payload: &Json<'_>) -> Vec<Fact> {
    let author =
        ["message", "activity"].into_iter().find_map(|member| by_user(payload.get(member)?, payload, false));
    let mut facts = author.unwrap_or_default();
    facts.extend(user_facts(payload));
    if let (Some((user, _)), Some(used)) = (user_in(payload), payload.get("client").and_then(read_client)) {
        facts.push(client_changed(&user, used));
    }
    facts
}

/// The author of a message or an activity, and the user beside it.
fn author_facts(payload: &Json<'_>, act: &str, started: bool) -> Option<Vec<Fact>> {
    let act = payload.get(act).filter(|act| is_by_user(act));
    let mut facts = act.map_or_else(|| Some(Vec::new()), |act| by_user(act, payload, started))?;
    facts.extend(user_facts(payload));
    Some(facts)
}

/// Only an author of type `user` is an app user.
fn is_by_user(act: &Json<'_>) -> bool {
    let kind = act.get("author").and_then(|author| author.get("type"));
    kind.and_then(Json::str) == Some("user")
}

/// The author of a message or an activity, and the client it came through; `None` if that is no app user, or
/// has no id.
fn by_user(act: &Json<'_>, payload: &Json<'_>, started: bool) -> Option<Vec<Fact>> {
    let author = act.get("author").filter(|_| is_by_user(act))?;
    let given = author.get("user").unwrap_or(&Json::Null);
    let beside = || payload.get("user").and_then(|user| id(user, "id"));
    let user = id(given, "id").or_else(|| id(author, "userId")).or_else(beside)?;
    let mut seen = user_seen(given, user, started);
    extract::take_display_name(&mut seen, author.get("displayName"));
    Some(with_source(seen, act.get("source")))
}

/// The user of a payload beside the event, and the client that the event came through.
fn user_facts(payload: &Json<'_>) -> Vec<Fact> {
    let user = payload.get("user").and_then(|given| Some(user_seen(given, id(given, "id")?, false)));
    user.map_or_else(Vec::new, |user| with_source(user, payload.get("source")))
}

/// A sighting, and the client and the device it came through.
fn with_source(seen: Observation, source: Option<&Json<'_>>) -> Vec<Fact> {
    let [of_client, of_device] = ["client", "device"].map(|key| source.and_then(|source| source.get(key)));
    let one = of_client.zip(of_device).and_then(|(of_client, of_device)| with_device(of_client, of_device));
    let through = match one {
        Some(one) => [Some(one), None],
        None => [of_client.and_then(read_client), of_device.and_then(read_device)],
    };
    let user = seen.user.clone();
    let through = through.into_iter().flatten().map(|used| client_changed(&user, used));
    let through: Vec<Fact> = through.collect();
    std::iter::once(Fact::Seen(seen)).chain(through).collect()
}

fn merge_facts(payload: &Json<'_>) -> Option<Vec<Fact>> {
    let seen = |given: &Json<'_>| id(given, "id").map(|user| user_seen(given, user, false));
    let users = payload.get("mergedUsers")?;
    let surviving = users.get("surviving").and_then(seen)?;
    let discarded: Vec<Observation> = match users.get("discarded")? {
        Json::Array(list) if !list.is_empty() => list.iter().map(seen).collect::<Option<_>>()?,
        one => vec![seen(one)?],
    };
    let everybody: Vec<SmoochId> =
        std::iter::once(&surviving).chain(&discarded).map(|seen| seen.user.clone()).collect();
    let mut facts = merged(surviving, discarded);
    let clients = |which: &str| -> Vec<(ClientId, Mention)> {
        let given = payload.get("mergedClients").and_then(|clients| clients.get(which));
        let list = given
            .map(|given| if given.items().is_empty() { vec![given] } else { given.items().iter().collect() });
        list.unwrap_or_default().into_iter().filter_map(read_client).collect()
    };
    facts.extend(clients("surviving").into_iter().map(|kept| client_changed(&everybody[0], kept)));
    for (client, _) in clients("discarded") {
        let removed =
            |user: &SmoochId| Fact::ClientChanged { user: user.clone(), client: client.clone(), value: None };
        facts.extend(everybody.iter().map(removed));
    }
    Some(facts)
}

fn user_seen(given: &Json<'_>, user: SmoochId, started: bool) -> Observation {
    let mut seen = Observation { started, ..Observation::bare(user) };
    let Json::Object(members) = given else { return seen };
    for (key, given) in members {
        match &**key {
            "id" => {}
            "externalId" => take_user_id(&mut seen, given),
            // The externalId is unique within it, so a null is ignored like that one's.
            "brandId" => {
                seen.fields.extend(name_text(given).map(|brand| (Field::BrandId, Some(brand))));
            }
            "metadata" => take_properties(&mut seen, given),
            "profile" => {
                let Json::Object(profile) = given else { continue };
                seen.fields.extend(
                    profile.iter().map(|(key, given)| (Field::from_v2_profile(key), extract::value(given))),
                );
            }
            other => seen.fields.push((Field::from_v2(other), extract::value(given))),
        }
    }
    seen
}

/// A client with the names of v1: `type` is its platform; `active` follows from `status`.
fn read_client(given: &Json<'_>) -> Option<(ClientId, Mention)> {
    let id = given.get("id").and_then(name).or_else(|| id_without_one(given))?;
    let rest = in_words_of_v1(given, "id", &[("type", "platform")])?;
    Some((id.as_str().into(), Mention { active: active_by_status(given), rest: object(rest.into_iter()) }))
}

/// A device with the names of v1.
fn read_device(given: &Json<'_>) -> Option<(ClientId, Mention)> {
    let (id, rest) = device_in_words_of_v1(given)?;
    Some((id, Mention { active: active_by_status(given), rest: object(rest.into_iter()) }))
}

/// A client and its device in v2 are one client in v1. Of a member that both have the device's counts, as v1 has it;
/// `info` is that of both. It is active if neither is inactive. `None` if the device names another client, or none.
fn with_device(client: &Json<'_>, device: &Json<'_>) -> Option<(ClientId, Mention)> {
    let same = client.get("id").and_then(name)? == device.get("clientId").and_then(name)?;
    let (id, of_device) = device_in_words_of_v1(device).filter(|_| same)?;
    let mut rest: BTreeMap<&str, &Json<'_>> =
        in_words_of_v1(client, "id", &[("type", "platform")])?.into_iter().collect();
    let info = match [client, device].map(|given| given.get("info")) {
        [Some(Json::Object(one)), Some(Json::Object(two))] => {
            let both: BTreeMap<_, _> = one.iter().chain(two).map(|(key, value)| (key, value)).collect();
            Some(Json::Object(both.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect()))
        }
        _ => None,
    };
    rest.extend(of_device.into_iter().filter(|(_, value)| **value != Json::Null));
    rest.extend(info.as_ref().map(|info| ("info", info)));
    let [of_client, of_device] = [client, device].map(active_by_status);
    let inactive = (of_client == Some(false)).then(|| client.get("status")).flatten();
    rest.extend(inactive.map(|status| ("status", status)));
    let active = of_client.filter(|active| !active).or(of_device).or(of_client);
    Some((id, Mention { active, rest: object(rest.into_iter()) }))
}

/// A device's id in v1, and its other members. That id is its `guid`; its `clientId`, the `id` of a client in v2,
/// is what v1.1 calls `_id`, and its own `id` is stored as `deviceId`.
fn device_in_words_of_v1<'j, 'a>(given: &'j Json<'a>) -> Option<(ClientId, V1Members<'j, 'a>)> {
    let [guid, of_client] = ["guid", "clientId"].map(|key| given.get(key).and_then(name));
    let (id, key) = match (guid, &of_client) {
        (Some(guid), _) => (guid, "guid"),
        (None, Some(client)) => (client.clone(), "clientId"),
        (None, None) => (given.get("id").and_then(name).or_else(|| id_without_one(given))?, "id"),
    };
    let words = [("type", "platform"), ("id", "deviceId"), ("clientId", "_id")];
    // A null `clientId` is left out: it clears nothing.
    let words = if of_client.is_some() { &words[..] } else { &words[..2] };
    let mut rest = in_words_of_v1(given, key, words)?;
    rest.retain(|(name, _)| *name != "clientId");
    Some((id.as_str().into(), rest))
}

/// The members of a client with the names of v1.
type V1Members<'j, 'a> = Vec<(&'j str, &'j Json<'a>)>;

/// The members of a client without its id, with their names in v1. A member that has such a name already is left out,
/// so that no name comes twice in an answer.
fn in_words_of_v1<'j, 'a>(
    given: &'j Json<'a>,
    key: &str,
    words: &[(&str, &'static str)],
) -> Option<V1Members<'j, 'a>> {
    let Json::Object(members) = given else { return None };
    let taken = |name: &str| words.iter().any(|(from, to)| *to == name && given.get(from).is_some());
    let kept = members.iter().map(|(name, value)| (&**name, value));
    let kept = kept.filter(|(name, _)| *name != key && *name != "active" && !taken(name));
    let rest = kept.map(|(name, value)| {
        let word = words.iter().find(|(from, _)| *from == name);
        (word.map_or(name, |(_, to)| *to), value)
    });
    Some(rest.collect())
}

/// Every client in a payload, for the times in them.
fn clients_in<'j, 'a>(payload: &'j Json<'a>) -> Vec<&'j Json<'a>> {
    let acts = [Some(payload), payload.get("message"), payload.get("activity")].into_iter().flatten();
    let sources = acts.filter_map(|act| act.get("source"));
    let through = sources.flat_map(|source| [source.get("client"), source.get("device")]).flatten();
    through.chain(payload.get("client")).collect()
}
