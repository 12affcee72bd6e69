//! The directory as lines of JSON for the import of another rollcall: see `docs/export.md`.
//!
//! `{"rollcall":1,"app":…,"appUser":…,"records":[…]}`: `appUser` is for readers, an import uses `records` alone.

use super::json::{ObjectWriter, write_array, write_string};
use super::v1;
use crate::domain::{
    AppId, Assertion, Fact, Field, Record, RecordSnapshot, SmoochId, Stamp, View, timestamp,
};
use crate::domain::{StampedAssertions, snapshot_facts};

/// The version of the form.
pub const FORM: u32 = 1;

/// Bytes of a line beyond which further records begin another one.
const LINE: usize = 256 << 10;

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
            line.raw("appUser", &v1::app_user(user));
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
    write_list(object, "apart", known.not_merged_with.iter().map(SmoochId::as_str));
    if !known.stamped.is_empty() {
        object.array("said", &known.stamped, write_assertions);
    }
}

fn write_assertions(stamped: &StampedAssertions, out: &mut String) {
    let mut object = ObjectWriter::begin(out);
    write_stamp(&stamped.stamp, &mut object);
    let fields = [("fields", false, false), ("properties", true, false)];
    for (key, property, set) in
        fields.into_iter().chain([("set", false, true), ("setProperties", true, true)])
    {
        let members = stamped.assertions.iter().filter_map(|assertion| match assertion {
            Assertion::Field(field, value) if !set => Some((field, text(value.as_deref()).to_owned())),
            Assertion::Set(field, value, basis) if set => {
                Some((field, format!("[{},{}]", text(value.as_deref()), text(basis.as_deref()))))
            }
            _ => None,
        });
        let members = members.filter(|(field, _)| matches!(field, Field::Property(_)) == property);
        let name = |field: &Field| match field {
            Field::Property(key) => key.to_string(),
            field => field.to_string(),
        };
        write_members(&mut object, key, members.map(|(field, value)| (name(field), value)));
    }
    let clients = stamped.assertions.iter().filter_map(|assertion| match assertion {
        Assertion::Client(id, Some(said)) => Some((id.to_string(), write_client(said.active, &said.rest))),
        _ => None,
    });
    write_members(&mut object, "clients", clients);
    let removed = stamped.assertions.iter().filter_map(|assertion| match assertion {
        Assertion::Client(id, None) => Some(id.as_str()),
        _ => None,
    });
    write_list(&mut object, "removed", removed);
    let devices = stamped.assertions.iter().filter_map(|assertion| match assertion {
        Assertion::Device(id, set) => Some((id.to_string(), write_client(Some(set.active), &set.rest))),
        _ => None,
    });
    write_members(&mut object, "devices", devices);
    let claims = stamped.assertions.iter().filter_map(|assertion| match assertion {
        Assertion::Claim(id) => Some(id.as_str()),
        _ => None,
    });
    write_list(&mut object, "active", claims);
    let pairs = stamped.assertions.iter().filter_map(|assertion| match assertion {
        Assertion::OneClient(one, other) => Some([one.as_str(), other.as_str()]),
        _ => None,
    });
    let mut pairs = pairs.peekable();
    if pairs.peek().is_some() {
        object.array("oneClient", pairs, |pair, out| write_array(pair, out, write_string));
    }
    let complete = stamped.assertions.iter().filter_map(|assertion| match assertion {
        Assertion::Complete(part) => Some(part.as_str()),
        _ => None,
    });
    write_list(&mut object, "complete", complete);
    object.end();
}

/// A member that is left out where it is false.
fn write_flag(object: &mut ObjectWriter<&mut String>, key: &str, set: bool) {
    if set {
        object.bool(key, true);
    }
}

fn text(value: Option<&str>) -> &str {
    value.unwrap_or("null")
}

fn write_members(
    object: &mut ObjectWriter<&mut String>,
    key: &str,
    members: impl Iterator<Item = (String, String)>,
) {
    let mut members = members.peekable();
    if members.peek().is_some() {
        let mut inner = ObjectWriter::begin(object.key(key));
        members.for_each(|(key, value)| inner.raw(&key, &value));
        inner.end();
    }
}

fn write_list<'t>(object: &mut ObjectWriter<&mut String>, key: &str, texts: impl Iterator<Item = &'t str>) {
    let mut texts = texts.peekable();
    if texts.peek().is_some() {
        object.array(key, texts, write_string);
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
