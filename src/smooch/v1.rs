//! v1 and v1.1: one trigger a body. `properties`, `clients`, `userId`.

use std::borrow::Cow;

use super::extract::{
    self, Unusable, client, event_of, id, read_time, take_clients, take_properties, take_user_id,
};
use super::json::{Json, ObjectWriter, write_array, write_string};
use super::triggers::{Meaning, Trigger};
use crate::domain::{
    Client, ClientId, Event, Fact, Field, Observation, Reason, ShownUser, SmoochId, UnusableReason, View,
};

pub(super) fn event(body: &Json<'_>) -> Result<Event, Unusable> {
    let trigger = body.get("trigger").or_else(|| body.get("event")).and_then(Json::str);
    let Some(name) = trigger else {
        return Err(Unusable::new(UnusableReason::WrongShape, "has neither `trigger` nor `events`"));
    };
    let trigger = Trigger::in_v1(name);
    let facts = match trigger.meaning {
        Meaning::UsersMerged => merge_facts(body)?,
        _ => of_a_user(body, name, trigger)?,
    };
    let received = body
        .get("messages")
        .map_or(&[][..], Json::items)
        .iter()
        .filter_map(|message| message.get("received"));
    let received = || received.filter_map(read_time).max();
    let timestamp = || body.get("timestamp").and_then(read_time);
    // A message's delivery is later than the message.
    let time = match trigger.meaning {
        Meaning::Message | Meaning::UserMessage | Meaning::OtherMessage => received().or_else(timestamp),
        _ => timestamp(),
    };
    Ok(event_of(body, name, "", time, facts, &clients_in(body)))
}

fn of_a_user(body: &Json<'_>, name: &str, trigger: &Trigger) -> Result<Vec<Fact>, Unusable> {
    let app_user = body.get("appUser");
    let messages = body.get("messages").map_or(&[][..], Json::items);
    let by_user = |message: &&Json<'_>| message.get("role").and_then(Json::str) == Some("appUser");
    // An author is an app user only in that role; an app maker's id is no `_id`.
    let author = || messages.iter().find(by_user).and_then(|message| id(message, "authorId"));
    let Some(user) = app_user.and_then(|app_user| id(app_user, "_id")).or_else(author) else {
        if !trigger.needs_app_user {
            return Ok(Vec::new());
        }
        return Err(Unusable::new(UnusableReason::NoAppUser, format!("{name} without appUser._id")));
    };
    let started = match trigger.meaning {
        Meaning::UserRemoved => return Ok(vec![Fact::Removed { user }]),
        Meaning::ConversationStarted | Meaning::UserMessage => true,
        Meaning::Message => messages.iter().any(|message| by_user(&message)),
        _ => false,
    };
    let mut seen = app_user_seen(app_user.unwrap_or(&Json::Null), user.clone(), started);
    let own =
        messages.iter().filter(by_user).filter(|message| id(message, "authorId").is_none_or(|id| id == user));
    extract::take_display_name(&mut seen, own.filter_map(|message| message.get("name")).next_back());
    let mut facts = vec![Fact::Seen(seen)];
    let given = body.get("client").unwrap_or(&Json::Null);
    let Some((client, said)) = client(given) else { return Ok(facts) };
    if trigger.meaning == Meaning::ClientRemoved {
        facts.extend(extract::client_removed(&user, given, client));
        return Ok(facts);
    }
    facts.extend(extract::client_facts(user, (client, said), trigger.meaning == Meaning::ClientAdded));
    Ok(facts)
}

/// `surviving`, and one or more `discarded`: a list in webhooks, one object in the merge API.
fn merge_facts(body: &Json<'_>) -> Result<Vec<Fact>, Unusable> {
    let missing =
        |what: &str| Unusable::new(UnusableReason::NoAppUser, format!("merge:appUser without {what}._id"));
    let seen = |app_user: &Json<'_>| id(app_user, "_id").map(|user| app_user_seen(app_user, user, false));
    let surviving = body.get("surviving").and_then(seen).ok_or_else(|| missing("surviving"))?;
    let discarded: Option<Vec<Observation>> = match body.get("discarded") {
        Some(Json::Array(list)) if !list.is_empty() => list.iter().map(seen).collect(),
        Some(one) => seen(one).map(|one| vec![one]),
        None => None,
    };
    Ok(merged(surviving, discarded.ok_or_else(|| missing("discarded"))?))
}

/// The facts of a merge: each app user in it is observed, and merged into the survivor.
pub(super) fn merged(surviving: Observation, discarded: Vec<Observation>) -> Vec<Fact> {
    let user = surviving.user.clone();
    let mut facts = vec![Fact::Seen(surviving)];
    for seen in discarded {
        let into =
            Fact::Merged { surviving: user.clone(), discarded: seen.user.clone(), reason: Reason::Webhook };
        facts.extend([Fact::Seen(seen), into]);
    }
    facts
}

fn app_user_seen(given: &Json<'_>, user: SmoochId, started: bool) -> Observation {
    let mut seen = Observation { started, ..Observation::bare(user) };
    let Json::Object(members) = given else { return seen };
    for (key, given) in members {
        let field = match &**key {
            "_id" | "clients" | "devices" | "properties" | "metadata" | "credentialRequired" => continue,
            "userId" => {
                take_user_id(&mut seen, given);
                continue;
            }
            "conversationStarted" => {
                seen.started |= *given == Json::Bool(true);
                continue;
            }
            other => Field::from_name(other),
        };
        seen.fields.push((field, extract::value(given)));
    }
    let either = |now: &str, once: &str| given.get(now).or_else(|| given.get(once));
    if let Some(given) = either("properties", "metadata") {
        take_properties(&mut seen, given);
    }
    if let Some(given) = either("clients", "devices") {
        take_clients(&mut seen, given);
    }
    seen
}

/// Every client in a body, for the times in them.
fn clients_in<'j, 'a>(body: &'j Json<'a>) -> Vec<&'j Json<'a>> {
    let discarded = body.get("discarded");
    let users = [body.get("appUser"), body.get("surviving"), discarded].into_iter().flatten();
    let users = users.chain(discarded.map_or(&[][..], Json::items));
    let lists = users.flat_map(|user| [user.get("clients"), user.get("devices")]).flatten();
    lists.flat_map(Json::items).chain(body.get("client")).collect()
}

/// An app user as the answers of v1 and v1.1 show it: nothing null, keys of `properties` sorted,
/// clients ordered by id. Members that only v2 has are left out. `masked` names the members of which something is left
/// out because it is private.
pub fn app_user(view: &ShownUser<'_>) -> String {
    write_app_user(view).end()
}

fn write_app_user(view: &ShownUser<'_>) -> ObjectWriter {
    let mut user = ObjectWriter::begin(String::with_capacity(512));
    user.string("_id", view.id.as_str());
    let mut properties = ObjectWriter::new();
    for (field, value) in &view.fields {
        let (object, name) = match field {
            Field::Property(key) => (&mut properties, Cow::Borrowed(&**key)),
            field if !field.is_in_v1() => continue,
            field => (&mut user, field.name()),
        };
        let pending = (*field == Field::PendingClients).then(|| still_pending(value, view));
        object.raw(&name, pending.as_deref().unwrap_or(value));
    }
    if view.secured {
        user.bool("credentialRequired", true);
    }
    user.bool("conversationStarted", view.started);
    user.raw("properties", &properties.end());
    write_clients(view, user.key("clients"));
    let mut masked = view.masked_names().filter(|name| Field::is_name_in_v1(name)).peekable();
    if masked.peek().is_some() {
        user.array("masked", masked, write_string);
    }
    user
}

/// Writes an app user as a line of a list: as [`app_user`] does, with its `brandId`, if any, which v1 never had. A
/// `userId` alone does not identify an app user, and an import takes both.
pub fn line(view: &ShownUser<'_>) -> String {
    let mut user = write_app_user(view);
    if let Some(brand) = view.get(&Field::BrandId) {
        user.raw("brandId", brand);
    }
    user.end()
}

/// A list of clients that are being linked, without those that are linked meanwhile, and without nulls.
fn still_pending(list: &str, view: &View) -> String {
    let parsed = Json::parse(list.as_bytes(), usize::MAX).map(|document| document.value);
    let Ok(Json::Array(mut list)) = parsed else { return list.to_owned() };
    let is_linked = |pending: &Json<'_>| {
        let id = pending.get("id").and_then(Json::str);
        id.is_some_and(|id| view.clients.contains_key(&ClientId::from(id)))
    };
    list.retain(|pending| *pending != Json::Null && !is_linked(pending));
    for pending in &mut list {
        if let Json::Object(members) = pending {
            members.retain(|(_, value)| *value != Json::Null);
        }
    }
    Json::Array(list).canonical(str::to_owned)
}

/// The clients of an app user, as an array.
pub(super) fn write_clients(view: &ShownUser<'_>, out: &mut String) {
    write_array(&view.clients, out, |(id, client), out| write_client(view.client_id(id), client, out));
}

/// A client: its id, unless that is private, whether it is active, and its other members.
pub(super) fn write_client(id: Option<&ClientId>, client: &Client, out: &mut String) {
    write_members(id, Some(client.active), &client.rest, out);
}

pub(super) fn write_mention(id: &ClientId, active: Option<bool>, rest: &str, out: &mut String) {
    write_members(Some(id), active, rest, out);
}

fn write_members(id: Option<&ClientId>, active: Option<bool>, rest: &str, out: &mut String) {
    let mut client = ObjectWriter::begin(out);
    if let Some(id) = id {
        client.string("id", id.as_str());
    }
    if let Some(active) = active {
        client.bool("active", active);
    }
    client.members(rest);
    client.end();
}
