//! v1 and v1.1.

use std::collections::BTreeMap;

use super::validate::{self, ANY, SOME, given, object, required, string};
use super::{CreateRequest, InvalidInput, client_members};
use crate::domain::command::{Device, Fields, Name};
use crate::domain::{ClientId, FIELDS, Field, JsonText, ShownUser, SmoochId};
use crate::smooch::json::{Json, ObjectWriter, write_string};
use crate::smooch::v1::write_client;

/// Platforms of a device in `init`; others are refused, as in Smooch's last specification with `init`.
const PLATFORMS: [&str; 4] = ["ios", "android", "web", "other"];

/// The request of [`init`].
pub struct InitRequest {
    /// The device.
    pub device: Device,
    /// The `userId` logged in on it, as JSON text.
    pub user_id: Option<JsonText>,
    /// The brand of that `userId`.
    pub brand: Option<Box<str>>,
}

/// Parses POST `/v1/init`: the device, seen at `now` (ISO 8601 as JSON text), and the `userId` logged in on it as
/// JSON text. A `userId` that is null or `""` counts as absent, because the browser SDK sends that for an anonymous
/// visitor. Every other null member counts as absent too. With a `brandId` the `userId` is looked up in that brand.
/// Errors: `device` is not an object, its `id` is not a string or is empty, its `platform` is not one of the four, its
/// `info` is not flat; or another member is not a string.
pub fn init(json: &Json<'_>, now: &JsonText) -> Result<InitRequest, InvalidInput> {
    let given_device = required(json, "device")?;
    object(given_device, "device")?;
    let id = given_device.get("id").unwrap_or(&Json::Null);
    validate::identifier("device.id", id)?;
    let mut device = read_device(given_device, "device.", id.str().unwrap_or_default())?;
    device.members.retain(|_, value| value.is_some());
    device.info.retain(|_, value| value.is_some());
    let platform = given(given_device, "platform")
        .filter(|platform| platform.str().is_some_and(|platform| PLATFORMS.contains(&platform)));
    let platform = platform
        .ok_or_else(|| InvalidInput("device.platform must be ios, android, web or other".to_owned()))?;
    device.members.insert("platform".to_owned(), Some(string("device.platform", platform, SOME)?));
    device.members.insert("lastSeen".to_owned(), Some(now.clone()));
    let user_id = given(json, "userId").filter(|user_id| user_id.str() != Some(""));
    let user_id = user_id.map(|user_id| validate::identifier("userId", user_id)).transpose()?;
    Ok(InitRequest { device, user_id, brand: brand_in(json, "")?.map(Into::into) })
}

/// Parses POST `…/appusers`. `userId` is required; the default of `credentialRequired` is false. The `userId` must be
/// unique within `brandId`; null is no brand, and without the member it must be unique in all brands.
/// Errors: as for [`update`]; `userId` is missing, not a string, or not 1 to 1,024 characters long;
/// `credentialRequired` is not a boolean, `brandId` not a string or empty.
pub fn create(json: &Json<'_>) -> Result<CreateRequest, InvalidInput> {
    let user_id = validate::identifier("userId", required(json, "userId")?)?;
    let mut fields = app_user(json, "")?;
    fields.retain(|(_, value)| value.is_some());
    validate::take(&mut fields, json, ("", "brandId"), Field::BrandId, |name, value| {
        validate::name(name, value, SOME)
    })?;
    let secured = given(json, "credentialRequired");
    let secured = secured.map(|secured| validate::boolean("credentialRequired", secured)).transpose()?;
    Ok(CreateRequest { user_id, fields, secured: secured.is_some_and(|secured| *secured == *"true") })
}

/// Parses PUT `…/appusers/{id}`: present members change, null members are cleared, absent members stay. `properties`
/// follows the same rule key by key, and `properties: null` is ignored. A `userId` is ignored: no version of Smooch's
/// can change it.
/// Errors: `givenName`, `surname` or `email` is not a string of at most 128 characters, `signedUpAt` is not a time in
/// ISO 8601, `properties` is not a flat object of strings, numbers and booleans.
pub fn update(json: &Json<'_>) -> Result<Fields, InvalidInput> {
    app_user(json, "")
}

/// Parses POST `…/appusers/{id}/events`: the name of the event, as JSON text, and the values that smooch-core sends
/// with it as `appUser`.
/// Errors: `name` is not a string or is empty; `appUser` is not an object, or as for [`update`].
pub fn track(json: &Json<'_>) -> Result<(JsonText, Fields), InvalidInput> {
    let name = string("name", required(json, "name")?, SOME)?;
    let Some(along) = given(json, "appUser") else { return Ok((name, Vec::new())) };
    object(along, "appUser")?;
    Ok((name, app_user(along, "appUser.")?))
}

/// PUT `…/devices/{deviceId}`: `pushNotificationToken`, `appVersion` and `info`. Null takes a member
/// away, or a key of `info`.
/// Errors: a member is no string, `info` no flat object.
pub fn device(json: &Json<'_>, id: &str) -> Result<Device, InvalidInput> {
    read_device(json, "", id)
}

/// POST `…/appusers/merge`: `surviving._id` and `discarded._id`, each a `userId` as well, and then with the
/// `brandId` beside it in that brand. `discarded` may be a list of one, as webhooks write it.
/// Errors: one of the two is missing, no string, or empty.
pub fn merge(json: &Json<'_>) -> Result<(Name, Name), InvalidInput> {
    let discarded = match json.get("discarded") {
        Some(Json::Array(list)) if list.len() == 1 => list.first(),
        other => other,
    };
    Ok((id_of(json.get("surviving"), "surviving")?, id_of(discarded, "discarded")?))
}

/// POST `…/appusers/{id}/unmerge`, a call of our own: `discarded._id`.
/// Errors: it is missing, no string, or empty.
pub fn unmerge(json: &Json<'_>) -> Result<SmoochId, InvalidInput> {
    Ok((&*id_of(json.get("discarded"), "discarded")?.text).into())
}

fn id_of(user: Option<&Json<'_>>, name: &str) -> Result<Name, InvalidInput> {
    let id = user.and_then(|user| user.get("_id")).unwrap_or(&Json::Null);
    validate::name(&format!("{name}._id"), id, SOME)?;
    let brand = user.map(|user| brand_in(user, &format!("{name}."))).transpose()?.flatten();
    Ok(Name::from(id.str().unwrap_or_default()).in_brand(brand))
}

/// The `brandId` beside a name; `at` is the prefix of its name in errors.
fn brand_in<'j>(json: &'j Json<'_>, at: &str) -> Result<Option<&'j str>, InvalidInput> {
    let brand = given(json, "brandId");
    brand.map(|brand| validate::name(&format!("{at}brandId"), brand, SOME)).transpose()?;
    Ok(brand.and_then(Json::str))
}

/// The members of an app user that a caller may set. `at` is the prefix of their names in errors.
fn app_user(json: &Json<'_>, at: &str) -> Result<Fields, InvalidInput> {
    let mut fields = Fields::new();
    for (spec, key) in FIELDS.iter().filter_map(|spec| Some((spec, spec.v1?))) {
        validate::take_field(&mut fields, json, (at, key), spec, 0)?;
    }
    validate::take_properties(&mut fields, json, (at, "properties"))?;
    Ok(fields)
}

/// The members of a device, nulls included. `at` is the prefix of their names in errors.
fn read_device(json: &Json<'_>, at: &str, id: &str) -> Result<Device, InvalidInput> {
    let mut device = Device { id: ClientId::from(id), members: BTreeMap::new(), info: BTreeMap::new() };
    let checked = |value: &Json<'_>, check: &dyn Fn() -> Result<JsonText, InvalidInput>| match value {
        Json::Null => Ok(None),
        _ => check().map(Some),
    };
    for key in ["appVersion", "pushNotificationToken"] {
        if let Some(value) = json.get(key) {
            let value = checked(value, &|| string(&format!("{at}{key}"), value, ANY))?;
            device.members.insert(key.to_owned(), value);
        }
    }
    match json.get("info") {
        None => {}
        Some(Json::Null) => _ = device.members.insert("info".to_owned(), None),
        Some(Json::Object(info)) => {
            for (key, value) in info {
                let value = checked(value, &|| validate::scalar(&format!("{at}info.{key}"), value))?;
                device.info.insert(key.to_string(), value);
            }
        }
        Some(other) => object(other, &format!("{at}info"))?,
    }
    Ok(device)
}

/// Clients of these platforms are devices; every other platform is a channel.
const DEVICES: [&str; 5] = ["ios", "android", "web", "other", "sdk"];

/// Identifiers of a person on a channel, as Smooch's pages name them.
const ENTITIES: [&str; 6] = ["phoneNumber", "userId", "address", "username", "chatId", "integrationId"];

/// The channels where the entity, which is the client's `externalId`, has another word than `userId`. Smooch's
/// clients know `phoneNumber`, `userId`, `address`, `username` and `chatId`.
const WORDS: [(&str, &str); 8] = [
    ("twilio", "phoneNumber"),
    ("messagebird", "phoneNumber"),
    ("whatsapp", "phoneNumber"),
    ("googlercs", "phoneNumber"),
    ("mailgun", "address"),
    ("frontendEmail", "address"),
    ("email", "address"),
    ("telegram", "chatId"),
];

fn entity_member(platform: &str) -> &'static str {
    WORDS.iter().find(|(known, _)| *known == platform).map_or("userId", |(_, word)| word)
}

/// PUT `…/devices/{deviceId}`: `{"device":{…}}`, written like a client of the app user; `None` if it
/// has no such client.
pub fn device_text(view: &ShownUser<'_>, id: &str) -> Option<String> {
    let (id, client) = view.client(&id.into())?;
    let mut answer = ObjectWriter::new();
    write_client(view.client_id(id), client, answer.key("device"));
    Some(answer.end())
}

/// GET `…/channels`: `{"channels":[{"type",…}]}`, one for each client that is no device, in the order
/// of the clients. The client's `externalId` is given along under the word that the channel has for it, and
/// so are the other identifiers in the client itself, its `info` or its `raw`.
pub fn channels(view: &ShownUser<'_>) -> String {
    let channels = view.clients.values().filter_map(|client| {
        let client = client_members(&client.rest);
        let platform = client.get("platform").filter(|platform| {
            platform.str().is_some_and(|platform| !platform.is_empty() && !DEVICES.contains(&platform))
        })?;
        let mut channel = ObjectWriter::new();
        channel.json("type", platform);
        let word = platform.str().map(entity_member);
        let places = [Some(&client), client.get("info"), client.get("raw")];
        for key in ENTITIES {
            let is_told = |id: &&Json<'_>| word == Some(key) && id.str() != Some("");
            let entity = client.get("externalId").filter(is_told);
            let told = places.iter().flatten().filter_map(|place| place.get(key));
            let told = entity.into_iter().chain(told);
            let mut told = told.filter(|told| matches!(told, Json::String(_) | Json::Number(_)));
            if let Some(told) = told.next() {
                channel.json(key, told);
            }
        }
        Some(channel.end())
    });
    let mut answer = ObjectWriter::new();
    answer.array("channels", channels, |channel, out| out.push_str(&channel));
    if view.hides_clients() {
        answer.array("masked", ["channels"], write_string);
    }
    answer.end()
}
