//! Facts about devices, the clients that our own API creates; and the deletion of personal data, theirs included.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;

use super::decider::{Decided, Decider, Decision};
use crate::domain::client::Client;
use crate::domain::command::{Device, Fields, Name, Refusal};
use crate::domain::fact::Fact;
use crate::domain::field::Field;
use crate::domain::ids::{ClientId, SmoochId};
use crate::domain::merge_group::MergeGroup;
use crate::domain::record::Record;
use crate::domain::value::JsonText;
use crate::domain::view::{View, clients, shown_value};

/// The members of an object, each as written.
type RawMembers = BTreeMap<String, Box<RawValue>>;

impl Decider<'_> {
    pub(super) fn update_device(&self, user: &Name, device: &Device) -> Decided {
        let target = self.resolve_target(user)?;
        let (id, known) = target.client(&device.id).ok_or(Refusal::NoClient)?;
        let mut facts = self.secure(&target);
        if !device.members.is_empty() || !device.info.is_empty() {
            let carrier = self.group(&target.id)?.carrier(id);
            facts.push(client_set_fact(carrier, id, change_client(Some(known), device, known.active)));
        }
        Ok(Decision::of(&target.id, facts))
    }

    /// Deletes personal data on every `_id` of the app user, so that no `_id` shows deleted data after an un-merge or as
    /// a new root.
    pub(super) fn delete_profile(&self, user: &Name) -> Decided {
        let target = self.resolve_target(user)?;
        let group = self.group(&target.id)?;
        let fields =
            group.records().flat_map(|record| record.smooch.fields.keys().chain(record.overrides.keys()));
        let fields: BTreeSet<&Field> = fields.filter(|field| field.is_personal()).collect();
        let alone = || group.ids().zip(group.records()).map(|(id, record)| MergeGroup::alone(id, record));
        let is_known = |field: &&Field| {
            shown_value(&group, field).is_some() || alone().any(|alone| shown_value(&alone, field).is_some())
        };
        let cleared: Fields =
            fields.into_iter().filter(is_known).map(|field| (field.clone(), None)).collect();
        let mut facts = self.set(&target, &cleared)?;
        facts.extend(
            group.ids().zip(group.records()).filter_map(|(id, record)| pending_clients_fact(id, record)),
        );
        facts.extend(anonymize_clients(&group, &target));
        Ok(Decision::of(&target.id, facts))
    }
}

pub(super) fn client_set_fact(user: &SmoochId, client: &ClientId, value: Client) -> Fact {
    Fact::ClientSet { user: user.clone(), client: client.clone(), value }
}

/// The state of a client after a call changed these members.
pub(super) fn change_client(known: Option<&Client>, device: &Device, active: bool) -> Client {
    let mut members: RawMembers = known.map(|client| parse_members(&client.rest)).unwrap_or_default();
    apply_changes(&mut members, &device.members);
    if !device.info.is_empty() {
        let mut info: RawMembers =
            members.get("info").map(|info| parse_members(info.get())).unwrap_or_default();
        apply_changes(&mut info, &device.info);
        insert_json(&mut members, "info", &write_members(&info));
    }
    Client { active, rest: write_members(&members) }
}

/// The state of a client after another app user logged in on it: inactive, and without its push token.
pub(super) fn sign_out_fact(user: &SmoochId, id: &ClientId, client: &Client) -> Fact {
    let mut members = parse_members(&client.rest);
    members.remove("pushNotificationToken");
    client_set_fact(user, id, Client { active: false, rest: write_members(&members) })
}

/// Removes the personal members of every client, on each `_id` that has the client. Each `_id` keeps its other
/// members, with the values shown. A client that is not shown is removed from its `_id`.
fn anonymize_clients(group: &MergeGroup<'_>, target: &View) -> Vec<Fact> {
    let accounts = clients::ids_by_client(group);
    let mut known: BTreeMap<&ClientId, Vec<(&SmoochId, ClientId, RawMembers)>> = BTreeMap::new();
    for (user, record) in group.ids().zip(group.records()) {
        for (id, client) in clients::shown_clients(&MergeGroup::alone(user, record), |_| true) {
            let Some((account, _)) = accounts.iter().find(|(_, ids)| ids.contains(&&id)) else { continue };
            known.entry(account).or_default().push((user, id, parse_members(&client.rest)));
        }
    }
    let mut facts = Vec::new();
    for (account, all) in known {
        if !all.iter().any(|(.., members)| members.keys().any(|key| is_personal_member(key))) {
            continue;
        }
        let shown = target.clients.get(account).map(|client| (client.active, parse_members(&client.rest)));
        facts.extend(all.into_iter().map(|(user, id, mut members)| {
            let Some((active, shown)) = &shown else {
                return Fact::ClientChanged { user: user.clone(), client: id, value: None };
            };
            members.retain(|key, _| !is_personal_member(key));
            for (key, value) in &mut members {
                if let Some(shown) = shown.get(key) {
                    value.clone_from(shown);
                }
            }
            client_set_fact(user, &id, Client { active: *active, rest: write_members(&members) })
        }));
    }
    facts
}

/// A JSON list of clients without their personal members.
fn anonymize_list(list: &str) -> JsonText {
    let mut clients: Vec<RawMembers> = serde_json::from_str::<Vec<&RawValue>>(list)
        .unwrap_or_default()
        .into_iter()
        .filter(|client| client.get().starts_with('{'))
        .map(|client| parse_members(client.get()))
        .collect();
    clients.iter_mut().for_each(|members| members.retain(|key, _| !is_personal_member(key)));
    serde_json::to_string(&clients).unwrap_or_else(|_| "[]".to_owned()).into()
}

fn is_personal_member(member: &str) -> bool {
    ["displayName", "avatarUrl", "info", "raw"].contains(&member)
}

fn apply_changes(members: &mut RawMembers, changes: &BTreeMap<String, Option<JsonText>>) {
    for (key, value) in changes {
        match value {
            Some(value) => insert_json(members, key, value),
            None => _ = members.remove(key),
        }
    }
}

fn insert_json(members: &mut RawMembers, key: &str, value: &str) {
    // Every value here is valid JSON text.
    if let Ok(value) = RawValue::from_string(value.to_owned()) {
        members.insert(key.to_owned(), value);
    }
}

/// Parses an object; other JSON has no members.
fn parse_members(text: &str) -> RawMembers {
    serde_json::from_str(text).unwrap_or_default()
}

fn write_members(members: &RawMembers) -> JsonText {
    serde_json::to_string(members).unwrap_or_else(|_| "{}".to_owned()).into()
}

/// The clients being linked, without personal members, as the `_id` itself reports them.
fn pending_clients_fact(user: &SmoochId, record: &Record) -> Option<Fact> {
    let field = Field::PendingClients;
    let alone = MergeGroup::alone(user, record);
    let shown = shown_value(&alone, &field)?;
    let left = anonymize_list(shown);
    let reported = record.smooch.fields.get(&field).and_then(|reported| reported.value.clone());
    (left != *shown).then(|| Fact::Set { user: user.clone(), fields: vec![(field, Some(left), reported)] })
}
