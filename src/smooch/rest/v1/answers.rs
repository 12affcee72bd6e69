//! Answers of v1 and v1.1 besides app users.

use crate::domain::View;
use crate::smooch::json::{Json, ObjectWriter};
use crate::smooch::rest::client_members::client_members;
use crate::smooch::v1::write_client;

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
pub fn device_text(view: &View, id: &str) -> Option<String> {
    let (id, client) = view.client(&id.into())?;
    let mut answer = ObjectWriter::new();
    write_client(id, client, answer.key("device"));
    Some(answer.end())
}

/// GET `…/channels`: `{"channels":[{"type",…}]}`, one for each client that is no device, in the order
/// of the clients. The client's `externalId` is given along under the word that the channel has for it, and
/// so are the other identifiers in the client itself, its `info` or its `raw`.
pub fn channels(view: &View) -> String {
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
    answer.end()
}
