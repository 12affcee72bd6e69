//! Journal entries that are no webhook as received, in the words of the API: the call to our own API, and the facts
//! that it was decided into.

use std::collections::BTreeMap;

use super::json::write_string;
use super::v1::write_mention;
use crate::domain::{Assertion, CallMade, ClientId, Event, Fact, Field, JsonText, RecordSnapshot, SmoochId};

/// The note of a call that an earlier version journalled.
const BEFORE_CALLS: &str = "An earlier version of rollcall journalled this call without its original: `trigger` is the \
                            call, `decided` its resulting facts";
/// The note of a reduced entry.
const REDUCED: &str = "An app user of this entry was erased, so the original is not stored: `decided` has the facts \
                       about others";

/// The members that are always shown, as JSON text: `call` without its body, and `note` where the body is not stored
/// as received. `is_call` for a call to our own API.
pub fn about(body: &[u8], is_call: bool) -> Vec<(&'static str, String)> {
    let call = CallMade::of(body).filter(|_| is_call);
    let is_whole = call.as_ref().is_some_and(|call| !call.erased);
    let call = call.map(|call| CallMade { body: None, ..call });
    let call = call.map(|call| ("call", serde_json::to_string(&call).unwrap_or_default()));
    let note = (!is_whole).then(|| ("note", quote_text(note(body, is_call))));
    call.into_iter().chain(note).collect()
}

/// The member that is shown on demand: `body` of the call, empty if it had none; or, where that is not stored,
/// the facts that the entry was `decided` into.
pub fn content(body: &[u8], is_call: bool) -> (&'static str, String) {
    match CallMade::of(body).filter(|call| is_call && !call.erased) {
        Some(call) => ("body", quote_text(&call.body.unwrap_or_default())),
        None => ("decided", decided(body)),
    }
}

/// The reason why a body is not stored as received.
pub fn note(body: &[u8], is_call: bool) -> &'static str {
    if is_call && CallMade::of(body).is_none() { BEFORE_CALLS } else { REDUCED }
}

/// The facts in the body of an entry that is no webhook: `{"facts":[…]}`.
pub fn decided(body: &[u8]) -> String {
    let facts = serde_json::from_slice::<Event>(body).map(|event| event.facts).unwrap_or_default();
    format!("{{\"facts\":[{}]}}", facts.iter().map(write_fact).collect::<Vec<_>>().join(","))
}

type Members = Vec<(&'static str, String)>;

/// An object of members, each with its JSON text.
fn write_object<'m>(members: impl IntoIterator<Item = (&'m str, &'m str)>) -> String {
    let mut out = String::from("{");
    for (name, text) in members {
        if out.len() > 1 {
            out.push(',');
        }
        write_string(name, &mut out);
        out.push(':');
        out.push_str(text);
    }
    out.push('}');
    out
}

fn quote_text(text: &str) -> String {
    let mut out = String::new();
    write_string(text, &mut out);
    out
}

fn or_null(text: Option<&JsonText>) -> String {
    text.map_or_else(|| "null".to_owned(), ToString::to_string)
}

fn write_values<'f>(fields: impl Iterator<Item = (&'f Field, Option<&'f JsonText>)>) -> String {
    // The last value of a field counts.
    let members: BTreeMap<String, String> =
        fields.map(|(field, value)| (field.to_string(), or_null(value))).collect();
    write_object(members.iter().map(|(name, text)| (name.as_str(), text.as_str())))
}

fn write_client(id: &ClientId, active: Option<bool>, rest: &str) -> String {
    let mut out = String::new();
    write_mention(id, active, rest, &mut out);
    out
}

fn user_member(user: &SmoochId) -> (&'static str, String) {
    ("_id", quote_text(user.as_str()))
}

fn merge_members(surviving: &SmoochId, discarded: &SmoochId) -> Members {
    vec![("surviving", quote_text(surviving.as_str())), ("discarded", quote_text(discarded.as_str()))]
}

/// A fact as an object; its member `fact` is the kind.
fn write_fact(fact: &Fact) -> String {
    let (word, members) = match fact {
        Fact::Seen(seen) => {
            let mut members = vec![user_member(&seen.user)];
            let fields = seen.fields.iter().map(|(field, value)| (field, value.as_ref()));
            members.push(("fields", write_values(fields)));
            let clients: Vec<String> =
                seen.clients.iter().map(|(id, said)| write_client(id, said.active, &said.rest)).collect();
            members.push(("clients", format!("[{}]", clients.join(","))));
            members.push(("conversationStarted", seen.started.to_string()));
            ("seen", members)
        }
        Fact::Minted { user } => ("made", vec![user_member(user)]),
        Fact::Secured { user } => ("secured", vec![user_member(user)]),
        Fact::Tracked { user, name } => ("event", vec![user_member(user), ("name", name.to_string())]),
        Fact::ClientSet { user, client: id, value } => {
            ("client", vec![user_member(user), ("client", write_client(id, Some(value.active), &value.rest))])
        }
        Fact::Set { user, fields } => {
            let fields = fields.iter().map(|(field, value, _)| (field, value.as_ref()));
            ("set", vec![user_member(user), ("fields", write_values(fields))])
        }
        Fact::Merged { surviving, discarded, reason } => {
            let mut members = merge_members(surviving, discarded);
            members.push(("reason", quote_text(reason.as_str())));
            ("merged", members)
        }
        Fact::Unmerged { surviving, discarded } => ("unmerged", merge_members(surviving, discarded)),
        Fact::ClientChanged { user, client: id, value: Some(said) } => {
            ("client", vec![user_member(user), ("client", write_client(id, said.active, &said.rest))])
        }
        Fact::ClientChanged { user, client: id, value: None } => {
            ("clientRemoved", vec![user_member(user), ("clientId", quote_text(id.as_str()))])
        }
        Fact::ClientBound { user, client: id, .. } => {
            ("clientActive", vec![user_member(user), ("clientId", quote_text(id.as_str()))])
        }
        Fact::Removed { user } => ("removed", vec![user_member(user)]),
        Fact::Erased { user } => ("erased", vec![user_member(user)]),
        Fact::Known(known) => ("known", vec![user_member(&known.user), ("fields", last_values(known))]),
        Fact::Linked { surviving, discarded, joined, reason, .. } => {
            let mut members = merge_members(surviving, discarded);
            members.push(("reason", quote_text(reason.as_str())));
            (if *joined { "merged" } else { "unmerged" }, members)
        }
    };
    let members = [vec![("fact", quote_text(word))], members].concat();
    write_object(members.iter().map(|(name, text)| (*name, text.as_str())))
}

/// The fields of a snapshot, each with its last value.
fn last_values(known: &RecordSnapshot) -> String {
    let said = known.assertions().filter_map(|(_, word)| match word {
        Assertion::Field(field, value) | Assertion::Set(field, value, _) => Some((field, value.as_ref())),
        _ => None,
    });
    write_values(said)
}
