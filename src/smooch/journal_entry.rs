//! The stored original of a journal entry as the API shows it: the body of a webhook, or the call to rollcall's own API
//! and the facts it was decided into. Events parsed again, and the members that they change.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::json::{ObjectWriter, raw};
use super::v1::{write_clients, write_mention};
use super::{ParseLimits, parse_webhook};
use crate::domain::{
    Assertion, CallMade, Event, Fact, Field, JsonText, RecordSnapshot, SmoochId, View, Visibility,
};

/// The note of a call that an earlier version journalled.
const BEFORE_CALLS: &str = "An earlier version of rollcall journalled this call without its original: `trigger` is the \
                            call, `decided` its resulting facts";
/// The note of a reduced entry.
const REDUCED: &str = "An app user of this entry was erased, so the original is not stored: `decided` has the facts \
                       about others";

/// The stored original of a journal entry.
#[derive(Default, Serialize)]
pub struct EntryOriginal {
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<CallMade>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<Box<RawValue>>,
    /// What is left out.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    masked: &'static [&'static str],
}

impl EntryOriginal {
    /// The original of a webhook: its body.
    pub fn of_webhook(body: &[u8]) -> Self {
        Self { body: Some(String::from_utf8_lossy(body).into_owned()), ..Self::default() }
    }

    /// The original of any other entry: `call` without its body, if `is_call`, and `note` if the entry is not stored
    /// as received.
    pub fn of_decided(body: &[u8], is_call: bool) -> Self {
        let call = CallMade::of(body).filter(|_| is_call);
        let is_whole = call.as_ref().is_some_and(|call| !call.erased);
        let call = call.map(|call| CallMade { body: None, ..call });
        Self { call, note: (!is_whole).then(|| note(body, is_call)), ..Self::default() }
    }

    /// The original of any entry without the data of people: of `call` its method and who made it.
    pub fn of_masked(body: &[u8], is_call: bool) -> Self {
        let Self { call, note, .. } = Self::of_decided(body, is_call);
        let call = call.map(|call| CallMade { path: None, user_id: None, ..call });
        let masked = call.as_ref().map_or(&[][..], |_| &["call.path", "call.userId"]);
        Self { call, note, masked, ..Self::default() }
    }

    /// Adds the `body` of the call, empty if it had none; if that is not stored, the `decided` facts.
    pub fn with_content(self, body: &[u8], is_call: bool) -> Self {
        match CallMade::of(body).filter(|call| is_call && !call.erased) {
            Some(call) => Self { body: Some(call.body.unwrap_or_default()), ..self },
            None => self.with_facts(body),
        }
    }

    /// Adds the `decided` facts.
    pub fn with_facts(self, body: &[u8]) -> Self {
        Self { decided: Some(raw(decided(body))), ..self }
    }
}

/// The reason why a body is not stored as received.
pub fn note(body: &[u8], is_call: bool) -> &'static str {
    if is_call && CallMade::of(body).is_none() { BEFORE_CALLS } else { REDUCED }
}

/// The facts in the body of an entry that is no webhook: `{"facts":[…]}`.
pub fn decided(body: &[u8]) -> String {
    let facts = serde_json::from_slice::<Event>(body).map(|event| event.facts).unwrap_or_default();
    let mut entry = ObjectWriter::new();
    entry.array("facts", &facts, write_fact);
    entry.end()
}

/// Writes a fact as an object; its member `fact` is the kind.
fn write_fact(fact: &Fact, out: &mut String) {
    let mut object = ObjectWriter::begin(out);
    object.string("fact", kind(fact));
    match fact.users() {
        [Some(surviving), Some(discarded)] => {
            object.string("surviving", surviving.as_str());
            object.string("discarded", discarded.as_str());
        }
        [user, _] => object.string("_id", user.map_or("", SmoochId::as_str)),
    }
    match fact {
        Fact::Seen(seen) => {
            write_fields(seen.fields.iter().map(|(field, value)| (field, value.as_ref())), &mut object);
            object.array("clients", &seen.clients, |(id, said), out| {
                write_mention(id, said.active, &said.rest, out);
            });
            object.bool("conversationStarted", seen.started);
        }
        Fact::Tracked { name, .. } => object.raw("name", name),
        Fact::ClientSet { client, value, .. } => {
            write_mention(client, Some(value.active), &value.rest, object.key("client"));
        }
        Fact::Set { fields, .. } => {
            write_fields(fields.iter().map(|(field, value, _)| (field, value.as_ref())), &mut object);
        }
        Fact::Merged { reason, .. } | Fact::Linked { reason, .. } => object.string("reason", reason.as_str()),
        Fact::ClientChanged { client, value: Some(said), .. } => {
            write_mention(client, said.active, &said.rest, object.key("client"));
        }
        Fact::ClientChanged { client, value: None, .. } | Fact::ClientBound { client, .. } => {
            object.string("clientId", client.as_str());
        }
        Fact::Known(known) => write_fields(snapshot_fields(known), &mut object),
        Fact::Minted { .. }
        | Fact::Secured { .. }
        | Fact::Unmerged { .. }
        | Fact::Removed { .. }
        | Fact::Erased { .. } => {}
    }
    object.end();
}

fn kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::Seen(_) => "seen",
        Fact::Minted { .. } => "made",
        Fact::Secured { .. } => "secured",
        Fact::Tracked { .. } => "event",
        Fact::Set { .. } => "set",
        Fact::Merged { .. } | Fact::Linked { joined: true, .. } => "merged",
        Fact::Unmerged { .. } | Fact::Linked { joined: false, .. } => "unmerged",
        Fact::ClientSet { .. } | Fact::ClientChanged { value: Some(_), .. } => "client",
        Fact::ClientChanged { value: None, .. } => "clientRemoved",
        Fact::ClientBound { .. } => "clientActive",
        Fact::Removed { .. } => "removed",
        Fact::Erased { .. } => "erased",
        Fact::Known(_) => "known",
    }
}

/// Writes the member `fields`: each field with its last value.
fn write_fields<'f>(
    fields: impl Iterator<Item = (&'f Field, Option<&'f JsonText>)>,
    object: &mut ObjectWriter<&mut String>,
) {
    let last: BTreeMap<String, Option<&JsonText>> =
        fields.map(|(field, value)| (field.to_string(), value)).collect();
    let mut members = ObjectWriter::begin(object.key("fields"));
    for (name, value) in last {
        members.raw(&name, value.map_or("null", |text| text));
    }
    members.end();
}

fn snapshot_fields(known: &RecordSnapshot) -> impl Iterator<Item = (&Field, Option<&JsonText>)> {
    known.assertions().filter_map(|(_, assertion)| match assertion {
        Assertion::Field(field, value) | Assertion::Set(field, value, _) => Some((field, value.as_ref())),
        _ => None,
    })
}

/// A body that was accepted once is accepted again under any limits.
const ANYTHING: ParseLimits =
    ParseLimits { depth: 512, events: usize::MAX, latest: i64::MAX, name_bytes: usize::MAX };

/// The event at a place of a webhook's body; `None` if it is unusable now.
pub fn event_at(body: &[u8], place: usize) -> Option<Event> {
    parse_webhook(body, &ANYTHING).ok()?.events.into_iter().nth(place)?.ok()
}

/// The members that an answer shows, by name, as JSON text. `false` and an empty list of clients are left out.
pub fn shown_members(view: &View) -> BTreeMap<String, String> {
    let fields = view.fields.iter().map(|(field, value)| (field.to_string(), value.to_string()));
    let mut members: BTreeMap<String, String> = fields.collect();
    if !view.clients.is_empty() {
        let mut clients = String::new();
        write_clients(&Visibility::Whole.show(view), &mut clients);
        members.insert("clients".to_owned(), clients);
    }
    for (name, set) in [("conversationStarted", view.started), ("credentialRequired", view.secured)] {
        if set {
            members.insert(name.to_owned(), "true".to_owned());
        }
    }
    members
}
