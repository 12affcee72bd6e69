//! Clients of our own making: devices.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{Decided, Decision, Scene};
use crate::domain::app_user::Text;
use crate::domain::client::Client;
use crate::domain::command::{Device, Name, Refusal};
use crate::domain::fact::Fact;
use crate::domain::ids::{ClientId, SmoochId};

/// An object's members, each as it is written.
type Members = BTreeMap<String, Box<RawValue>>;

impl Scene<'_> {
    pub(super) fn update_device(&self, user: &Name, device: &Device) -> Decided {
        let target = self.target(user)?;
        let (id, known) = target.client(&device.id).ok_or(Refusal::NoClient)?;
        let mut facts = self.secure(&target);
        if !device.members.is_empty() || !device.info.is_empty() {
            let carrier = self.group(&target.id)?.carrier(id);
            facts.push(set(carrier, id, changed(Some(known), device, known.active)));
        }
        Ok(Decision::of(&target.id, facts))
    }
}

/// A client with this state.
pub(super) fn set(user: &SmoochId, client: &ClientId, value: Client) -> Fact {
    Fact::ClientSet { user: user.clone(), client: client.clone(), value }
}

/// What is known of a client once a call has said this of it.
pub(super) fn changed(known: Option<&Client>, device: &Device, active: bool) -> Client {
    let mut members: Members = known.map(|client| read(&client.rest)).unwrap_or_default();
    overlay(&mut members, &device.members);
    if !device.info.is_empty() {
        let mut info: Members = members.get("info").map(|info| read(info.get())).unwrap_or_default();
        overlay(&mut info, &device.info);
        put(&mut members, "info", &write(&info));
    }
    Client { active, rest: write(&members) }
}

/// A client after somebody else has logged in on it: nothing is pushed to it any more.
pub(super) fn left(user: &SmoochId, id: &ClientId, client: &Client) -> Fact {
    let mut members = read(&client.rest);
    members.remove("pushNotificationToken");
    set(user, id, Client { active: false, rest: write(&members) })
}

/// A client without what it tells of the person; nothing if it tells nothing.
pub(super) fn anonymous(user: &SmoochId, id: &ClientId, client: &Client) -> Option<Fact> {
    let mut members = read(&client.rest);
    let before = members.len();
    members.retain(|key, _| !["displayName", "avatarUrl", "info", "raw"].contains(&key.as_str()));
    let rest = write(&members);
    (members.len() < before).then(|| set(user, id, Client { active: client.active, rest }))
}

fn overlay(members: &mut Members, changes: &BTreeMap<String, Option<Text>>) {
    for (key, value) in changes {
        match value {
            Some(value) => put(members, key, value),
            None => _ = members.remove(key),
        }
    }
}

fn put(members: &mut Members, key: &str, value: &str) {
    // Every value here was written as JSON.
    if let Ok(value) = RawValue::from_string(value.to_owned()) {
        members.insert(key.to_owned(), value);
    }
}

/// Reads an object; what is none has no members.
fn read(text: &str) -> Members {
    serde_json::from_str(text).unwrap_or_default()
}

fn write(members: &Members) -> Text {
    serde_json::to_string(members).unwrap_or_else(|_| "{}".to_owned()).into()
}
