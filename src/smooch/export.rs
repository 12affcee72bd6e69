//! The directory as lines of JSON for the import of another rollcall: see `docs/export.md`.
//!
//! `{"rollcall":1,"app":…,"appUser":…,"records":[…]}`: `appUser` is for readers, an import uses `records` alone.

use std::collections::BTreeMap;

use super::json::{ObjectWriter, write_string};
use super::v1;
use crate::domain::{
    AppId, Assertion, Fact, Field, JsonText, Record, RecordSnapshot, SmoochId, Stamp, StampedAssertions,
    View, Visibility, json_text, snapshot_facts, timestamp,
};

/// The version of the form.
pub const FORM: u32 = 1;

/// Bytes of a line beyond which further records begin another one.
const LINE: usize = 256 << 10;

/// The members of a stamp's assertions in their order, and their brackets.
const MEMBERS: [(&[&str], [&str; 2]); 4] = [
    (&["fields", "properties", "set", "setProperties", "clients"], ["{", "}"]),
    (&["removed"], ["[", "]"]),
    (&["devices"], ["{", "}"]),
    (&["active", "oneClient", "complete"], ["[", "]"]),
];

/// A record: its `_id`, its content, and the app users with its `userId` that are known not to be merged with it.
pub type ExportedRecord<'k> = (&'k SmoochId, &'k Record, &'k [SmoochId]);

/// Writes the records of one app user on one line, or on several if they are large. Each line is complete.
pub fn write_lines(app: &AppId, user: Option<&View>, records: &[ExportedRecord<'_>], out: &mut String) {
    let mut left = records;
    let mut user = user;
    while !left.is_empty() {
        let begin = out.len();
        let mut line = ObjectWriter::begin(&mut *out);
        line.raw("rollcall", &FORM.to_string());
        line.string("app", app.as_str());
        if let Some(user) = user.take() {
            line.raw("appUser", &v1::app_user(&Visibility::Whole.show(user)));
        }
        let out = line.key("records");
        out.push('[');
        let mut first = true;
        while let Some((kept, rest)) = left.split_first() {
            if !std::mem::replace(&mut first, false) {
                out.push(',');
            }
            write_record(kept, out);
            left = rest;
            if out.len() - begin > LINE {
                break;
            }
        }
        out.push_str("]}\n");
    }
}

fn write_record((id, record, apart): &ExportedRecord<'_>, out: &mut String) {
    let mut object = ObjectWriter::begin(out);
    let mut merges = Vec::new();
    for fact in snapshot_facts(id, record, apart.to_vec()) {
        match fact {
            Fact::Known(known) => write_snapshot(&known, &mut object),
            Fact::Linked { surviving, stamp, joined, reason, .. } => {
                merges.push((surviving, stamp, joined, reason));
            }
            _ => {}
        }
    }
    if !merges.is_empty() {
        object.array("merges", merges, |(surviving, at, joined, why), out| {
            let mut merge = ObjectWriter::begin(out);
            merge.string("into", surviving.as_str());
            write_stamp(&at, &mut merge);
            merge.string("reason", why.as_str());
            write_flag(&mut merge, "undone", !joined);
            merge.end();
        });
    }
    object.end();
}

fn write_snapshot(known: &RecordSnapshot, object: &mut ObjectWriter<&mut String>) {
    object.string("_id", known.user.as_str());
    write_flag(object, "removed", known.removed);
    write_flag(object, "erased", known.erased);
    write_flag(object, "minted", known.minted);
    write_flag(object, "credentialRequired", known.secured);
    write_flag(object, "conversationStarted", known.started);
    for (key, time) in [("firstSeen", known.first_seen), ("lastSeen", known.last_seen)] {
        if let Some(time) = time {
            object.raw(key, &timestamp::json_from_micros(time));
        }
    }
    if !known.not_merged_with.is_empty() {
        object.array("apart", &known.not_merged_with, |id, out| write_string(id.as_str(), out));
    }
    if !known.stamped.is_empty() {
        object.array("said", &known.stamped, write_assertions);
    }
}

fn write_assertions(stamped: &StampedAssertions, out: &mut String) {
    let text = |value: &Option<JsonText>| value.clone().unwrap_or_else(|| "null".into());
    let entry = |key: &str, value: &str| format!("{}:{value}", json_text(key));
    let quoted = |text: &str| json_text(text).to_string();
    let mut members: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for assertion in &stamped.assertions {
        let (member, item) = match assertion {
            Assertion::Field(Field::Property(key), value) => ("properties", entry(key, &text(value))),
            Assertion::Field(field, value) => ("fields", entry(&field.to_string(), &text(value))),
            Assertion::Set(field, value, basis) => {
                let pair = format!("[{},{}]", text(value), text(basis));
                match field {
                    Field::Property(key) => ("setProperties", entry(key, &pair)),
                    field => ("set", entry(&field.to_string(), &pair)),
                }
            }
            Assertion::Client(id, Some(said)) => {
                ("clients", entry(id.as_str(), &write_client(said.active, &said.rest)))
            }
            Assertion::Client(id, None) => ("removed", quoted(id.as_str())),
            Assertion::Device(id, set) => {
                ("devices", entry(id.as_str(), &write_client(Some(set.active), &set.rest)))
            }
            Assertion::Claim(id) => ("active", quoted(id.as_str())),
            Assertion::OneClient(one, other) => {
                ("oneClient", format!("[{},{}]", quoted(one.as_str()), quoted(other.as_str())))
            }
            Assertion::Complete(part) => ("complete", quoted(part.as_str())),
        };
        members.entry(member).or_default().push(item);
    }
    let mut object = ObjectWriter::begin(out);
    write_stamp(&stamped.stamp, &mut object);
    for (names, [open, close]) in MEMBERS {
        for name in names {
            if let Some(items) = members.get(name) {
                object.raw(name, &format!("{open}{}{close}", items.join(",")));
            }
        }
    }
    object.end();
}

/// A member that is left out where it is false.
fn write_flag(object: &mut ObjectWriter<&mut String>, key: &str, set: bool) {
    if set {
        object.bool(key, true);
    }
}

/// A client without its id, which is its key.
fn write_client(active: Option<bool>, rest: &str) -> String {
    let mut client = ObjectWriter::new();
    if let Some(active) = active {
        client.bool("active", active);
    }
    client.members(rest);
    client.end()
}

fn write_stamp(stamp: &Stamp, object: &mut ObjectWriter<&mut String>) {
    if let Some(time) = stamp.known_time() {
        object.raw("time", &timestamp::json_from_micros(time));
    }
    if !stamp.event.is_empty() {
        object.string("event", &stamp.event);
    }
    object.string("digest", &stamp.digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
}
