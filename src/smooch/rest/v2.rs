//! v2: users, with `externalId`, `profile` and `metadata`. Its generated clients fail on words outside an enumeration,
//! empty strings in a profile and values of another type, so no answer has these.

use std::collections::BTreeMap;

use super::validate::{self, Member, given, object, required};
use super::{CreateRequest, InvalidInput, client_members};
use crate::domain::command::{Fields, Fixed, Repeated};
use crate::domain::{Client, ClientId, FIELDS, Field, Input, Shape, ShownUser, V2Path, View, timestamp};
use crate::smooch::json::{Json, ObjectWriter};

/// The members of a user that no call changes, but for the `externalId`.
fn read_only_members() -> impl Iterator<Item = Member> {
    let fields = FIELDS.iter().filter(|spec| spec.input == Input::ReadOnly && spec.field != Field::UserId);
    let members = fields.filter_map(|spec| match spec.v2? {
        V2Path::User(name) => Some((name, Fixed::Field(spec.field.clone()))),
        V2Path::Profile(_) => None,
    });
    std::iter::once(("id", Fixed::Id)).chain(members)
}

/// Parses POST `/v2/apps/{appId}/users`. `externalId` is required, as in v2's prose and its clients. It must be
/// unique within the `brandId`; without one, among users without a brand.
/// Errors: as for [`patch`]; `externalId` is missing, not a string, or not 1 to 1,024 characters long; an `id`,
/// `identities`, a `zendeskId` or `authenticated` is given, which Smooch alone sets.
pub fn create(json: &Json<'_>) -> Result<CreateRequest, InvalidInput> {
    let user_id = validate::identifier("externalId", required(json, "externalId")?)?;
    validate::none_given(json, read_only_members())?;
    let mut fields = patch(json)?;
    fields.retain(|(_, value)| value.is_some());
    if !fields.iter().any(|(field, _)| *field == Field::BrandId) {
        fields.push((Field::BrandId, None));
    }
    Ok(CreateRequest { user_id, fields, secured: false })
}

/// PATCH `/v2/apps/{appId}/users/{userIdOrExternalId}`: the members that v2 lists as changeable, see [`patch`], and
/// `id`, `externalId`, `identities`, `zendeskId` and `authenticated`, which v2 has as read-only or does not take: the
/// new values, and the members that the call cannot change.
/// Errors: as for [`patch`].
pub fn change(json: &Json<'_>) -> Result<(Fields, Vec<Repeated>), InvalidInput> {
    let external_id = std::iter::once(("externalId", Fixed::Field(Field::UserId)));
    let repeated = validate::repeated(json, external_id.chain(read_only_members()));
    Ok((patch(json)?, repeated))
}

/// Parses the body of POST or PATCH for a user: present members change, null members are cleared, absent members
/// stay. `profile` and `metadata` follow the same rule for each member; null for all of one is ignored.
/// Errors: a member of `profile` is not a string of the length that v2 allows (`givenName`, `surname` and `email` 1 to
/// 128, `avatarUrl` up to 2,048, `locale` up to 64), `signedUpAt` is not a time in ISO 8601, `metadata` is not a flat
/// object of strings, numbers and booleans, `toBeRetained` is not a boolean, or `brandId` is not a string.
pub fn patch(json: &Json<'_>) -> Result<Fields, InvalidInput> {
    let mut fields = Fields::new();
    if let Some(profile) = given(json, "profile") {
        object(profile, "profile")?;
        for spec in FIELDS {
            if let Some(V2Path::Profile(key)) = spec.v2 {
                validate::take_field(&mut fields, profile, ("profile.", key), spec, 1)?;
            }
        }
    }
    for spec in FIELDS {
        if let Some(V2Path::User(key)) = spec.v2 {
            validate::take_field(&mut fields, json, ("", key), spec, 1)?;
        }
    }
    validate::take_properties(&mut fields, json, ("", "metadata"))?;
    Ok(fields)
}

const CLIENT_TYPES: [&str; 17] = [
    "apple",
    "gbm",
    "googlercs",
    "instagram",
    "kakao",
    "line",
    "mailgun",
    "messagebird",
    "messenger",
    "slackconnect",
    "sdk",
    "telegram",
    "twilio",
    "twitter",
    "viber",
    "wechat",
    "whatsapp",
];

/// The type of a client that is a device.
const SDK: &str = "sdk";

const DEVICE_TYPES: [&str; 3] = ["android", "ios", "web"];

/// The types of values, by the first character of the JSON text.
const STRING: &[char] = &['"'];
const BOOLEAN: &[char] = &['t', 'f'];
const LIST: &[char] = &['['];
const OBJECT: &[char] = &['{'];

/// Writes a user: `id`, `externalId`, `signedUpAt`, `profile`, `metadata`, and its other members in v2. `profile` and
/// `metadata` are always present; no member is null, no string of the profile is empty. Members of v1 alone are left
/// out.
pub fn user(view: &ShownUser<'_>) -> String {
    let [mut user, mut profile, mut metadata] = std::array::from_fn(|_| ObjectWriter::new());
    user.string("id", view.id.as_str());
    for (field, value) in &view.fields {
        let (part, name) = match (field, field.spec().map(|spec| spec.v2)) {
            (_, Some(Some(V2Path::User(name)))) => (&mut user, name),
            (_, Some(Some(V2Path::Profile(name)))) => (&mut profile, name),
            (Field::OtherV2(name), _) => (&mut user, &**name),
            (Field::OtherProfile(name), _) => (&mut profile, &**name),
            (Field::Property(key), _) => (&mut metadata, &**key),
            _ => continue,
        };
        let kind = field.spec().map(|spec| match spec.shape {
            Shape::Text => STRING,
            Shape::Boolean => BOOLEAN,
            Shape::List => LIST,
        });
        let empty = &**value == "\"\"" && !matches!(field, Field::Property(_));
        if !empty && kind.is_none_or(|kind| value.starts_with(kind)) {
            part.raw(name, value);
        }
    }
    user.raw("profile", &profile.end());
    user.raw("metadata", &metadata.end());
    user.end()
}

/// Writes the clients of a user, by id. Clients without a type in v2, such as v1's `frontendEmail`, are left out. One
/// client of v1 can be two things in v2: each of [`devices`] is a client of type `sdk` too, unless Smooch reported
/// that client itself.
pub fn clients(view: &ShownUser<'_>) -> Vec<(String, String)> {
    let mut shown = BTreeMap::new();
    for (id, client) in &view.clients {
        let told = client_members(&client.rest);
        if let Some(kind) = of_type(&told, &CLIENT_TYPES) {
            // v1.1's `_id`, which differs from its `id`.
            let id = string_member(&told, "_id").unwrap_or(id.as_str());
            shown.insert(id.to_owned(), write_client(id, kind, client, &told));
        }
    }
    // Several devices may be of one client, which is active if any of them is.
    let devices = |active: bool| view.clients.iter().filter(move |(_, client)| client.active == active);
    for (guid, client) in devices(true).chain(devices(false)) {
        let told = client_members(&client.rest);
        if of_type(&told, &DEVICE_TYPES).is_some() {
            let id = client_id(guid, &told).to_owned();
            let text = || write_client(&id, &Json::String(SDK.into()), client, &told);
            shown.entry(id.clone()).or_insert_with(text);
        }
    }
    shown.into_iter().collect()
}

fn write_client(id: &str, kind: &Json<'_>, client: &Client, told: &Json<'_>) -> String {
    let mut out = ObjectWriter::new();
    out.string("id", id);
    out.json("type", kind);
    out.string("status", status_name(client, told, &["active", "blocked", "inactive", "pending"]));
    let texts = ["integrationId", "externalId", "lastSeen", "linkedAt", "displayName", "avatarUrl"];
    copy_members(&mut out, told, &texts, STRING);
    copy_members(&mut out, told, &["info", "raw"], OBJECT);
    out.end()
}

/// The id of a device's client: as Smooch reported it, which v1.1 calls `_id`, else the device's own id, else the
/// id that both have in v1.
fn client_id<'a>(guid: &'a ClientId, told: &'a Json<'_>) -> &'a str {
    // An import, or a record of which the journal has no more, may still say `clientId`.
    ["clientId", "_id", "deviceId"]
        .into_iter()
        .find_map(|key| string_member(told, key))
        .unwrap_or(guid.as_str())
}

/// An id of a client beside its key.
fn string_member<'a>(told: &'a Json<'_>, key: &str) -> Option<&'a str> {
    told.get(key).and_then(Json::str).filter(|id| !id.is_empty())
}

/// The devices of a user, in the order of their ids, each with its id. `guid` is the id the device
/// has in v1; `id` is the same, unless Smooch reported another. `clientId` is one of [`clients`]. `lastSeen` is the
/// user's where the device has none.
pub fn devices(view: &ShownUser<'_>) -> Vec<(String, String)> {
    view.clients.iter().filter_map(|(id, client)| write_device(view, id, client)).collect()
}

fn write_device(view: &View, guid: &ClientId, client: &Client) -> Option<(String, String)> {
    let told = client_members(&client.rest);
    let id = string_member(&told, "deviceId")
        .or_else(|| string_member(&told, "_id"))
        .unwrap_or(guid.as_str())
        .to_owned();
    let mut out = ObjectWriter::new();
    out.string("id", &id);
    out.json("type", of_type(&told, &DEVICE_TYPES)?);
    out.string("guid", guid.as_str());
    out.string("clientId", client_id(guid, &told));
    out.string("status", status_name(client, &told, &["active", "inactive"]));
    match told.get("lastSeen") {
        Some(seen @ Json::String(_)) => out.json("lastSeen", seen),
        _ => out.raw("lastSeen", &timestamp::json_from_ms(view.last_seen.unwrap_or_default() / 1000)),
    }
    copy_members(&mut out, &told, &["integrationId", "pushNotificationToken", "appVersion"], STRING);
    copy_members(&mut out, &told, &["info"], OBJECT);
    Some((id, out.end()))
}

/// The platform of a client, if it is one of these.
fn of_type<'j, 'a>(told: &'j Json<'a>, types: &[&str]) -> Option<&'j Json<'a>> {
    told.get("platform").filter(|platform| platform.str().is_some_and(|platform| types.contains(&platform)))
}

/// The status that Smooch reported, if v2 has it and it still holds; else by whether the client is active.
fn status_name(client: &Client, told: &Json<'_>, words: &[&'static str]) -> &'static str {
    let told = told.get("status").and_then(Json::str);
    let own = words.iter().find(|word| Some(**word) == told && (**word != "active" || client.active));
    own.unwrap_or(if client.active { &"active" } else { &"inactive" })
}

/// Copies those of a client's members that are of the expected type.
fn copy_members(out: &mut ObjectWriter, told: &Json<'_>, keys: &[&str], kind: &[char]) {
    for key in keys {
        let value = told.get(key).map(|value| value.canonical(str::to_owned));
        if let Some(value) = value.filter(|value| value.starts_with(kind)) {
            out.raw(key, &value);
        }
    }
}
