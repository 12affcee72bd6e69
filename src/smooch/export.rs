//! The directory as lines of JSON that another rollcall learns from: see `docs/export.md`.
//!
//! `{"rollcall":1,"app":…,"appUser":…,"records":[…]}`: the app user for whoever reads, the records for
//! whoever imports.

use super::json::write_string;
use super::v1;
use crate::domain::{
    AppId, Assertion, Fact, Field, Record, RecordSnapshot, SmoochId, Stamp, View, timestamp,
};
use crate::domain::{StampedAssertions, snapshot_facts};

/// The version of the form.
pub const FORM: u32 = 1;

/// Bytes of a line beyond which further records go on another one.
const LINE: usize = 256 << 10;

/// A record: its `_id`, what it holds, and who has its `userId` and is known not to be merged with it.
pub type ExportedRecord<'k> = (&'k SmoochId, &'k Record, &'k [SmoochId]);

/// Writes records that belong together, with the app user that they are: on one line, or, if they are many,
/// on several. Each line stands for itself.
pub fn write_lines(app: &AppId, user: Option<&View>, records: &[ExportedRecord<'_>], out: &mut String) {
    let mut left = records;
    let mut user = user;
    while !left.is_empty() {
        let begin = out.len();
        let mut line = Object::begin(out);
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
            record(kept, out);
            left = rest;
            if out.len() - begin > LINE {
                break;
            }
        }
        out.push_str("]}\n");
    }
}

/// An object being written.
struct Object<'o> {
    out: &'o mut String,
    first: bool,
}

impl<'o> Object<'o> {
    fn begin(out: &'o mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    fn key(&mut self, key: &str) -> &mut String {
        if !std::mem::replace(&mut self.first, false) {
            self.out.push(',');
        }
        write_string(key, self.out);
        self.out.push(':');
        self.out
    }

    fn raw(&mut self, key: &str, json: &str) {
        self.key(key).push_str(json);
    }

    fn string(&mut self, key: &str, text: &str) {
        write_string(text, self.key(key));
    }

    fn flag(&mut self, key: &str, set: bool) {
        if set {
            self.raw(key, "true");
        }
    }

    fn end(self) {
        self.out.push('}');
    }
}

fn record((id, record, apart): &ExportedRecord<'_>, out: &mut String) {
    let mut object = Object::begin(out);
    let mut merges = Vec::new();
    for fact in snapshot_facts(id, record, apart.to_vec()) {
        match fact {
            Fact::Known(known) => of_known(&known, &mut object),
            Fact::Linked { surviving, stamp, joined, reason, .. } => {
                merges.push((surviving, stamp, joined, reason));
            }
            _ => {}
        }
    }
    if !merges.is_empty() {
        let out = object.key("merges");
        for (n, (surviving, at, joined, why)) in merges.into_iter().enumerate() {
            out.push(if n == 0 { '[' } else { ',' });
            let mut merge = Object::begin(out);
            merge.string("into", surviving.as_str());
            stamp(&at, &mut merge);
            merge.string("reason", why.as_str());
            merge.flag("undone", !joined);
            merge.end();
        }
        out.push(']');
    }
    object.end();
}

fn of_known(known: &RecordSnapshot, object: &mut Object<'_>) {
    object.string("_id", known.user.as_str());
    object.flag("removed", known.removed);
    object.flag("erased", known.erased);
    object.flag("minted", known.minted);
    object.flag("credentialRequired", known.secured);
    object.flag("conversationStarted", known.started);
    for (key, time) in [("firstSeen", known.first_seen), ("lastSeen", known.last_seen)] {
        if let Some(time) = time {
            object.raw(key, &timestamp::json_from_micros(time));
        }
    }
    list(object, "apart", known.apart.iter().map(SmoochId::as_str));
    if !known.said.is_empty() {
        let out = object.key("said");
        for (n, one) in known.said.iter().enumerate() {
            out.push(if n == 0 { '[' } else { ',' });
            told(one, out);
        }
        out.push(']');
    }
}

fn told(told: &StampedAssertions, out: &mut String) {
    let mut object = Object::begin(out);
    stamp(&told.stamp, &mut object);
    let fields = [("fields", false, false), ("properties", true, false)];
    for (key, property, set) in
        fields.into_iter().chain([("set", false, true), ("setProperties", true, true)])
    {
        let members = told.words.iter().filter_map(|word| match word {
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
        members_of(&mut object, key, members.map(|(field, value)| (name(field), value)));
    }
    let clients = told.words.iter().filter_map(|word| match word {
        Assertion::Client(id, Some(said)) => Some((id.to_string(), client(said.active, &said.rest))),
        _ => None,
    });
    members_of(&mut object, "clients", clients);
    let removed = told.words.iter().filter_map(|word| match word {
        Assertion::Client(id, None) => Some(id.as_str()),
        _ => None,
    });
    list(&mut object, "removed", removed);
    let devices = told.words.iter().filter_map(|word| match word {
        Assertion::Device(id, set) => Some((id.to_string(), client(Some(set.active), &set.rest))),
        _ => None,
    });
    members_of(&mut object, "devices", devices);
    let claims = told.words.iter().filter_map(|word| match word {
        Assertion::Claim(id) => Some(id.as_str()),
        _ => None,
    });
    list(&mut object, "active", claims);
    let pairs = told.words.iter().filter_map(|word| match word {
        Assertion::OneClient(one, other) => Some([one.as_str(), other.as_str()]),
        _ => None,
    });
    let pairs = pairs.map(|pair| {
        let mut text = String::new();
        pair.iter().enumerate().for_each(|(n, id)| {
            text.push(if n == 0 { '[' } else { ',' });
            write_string(id, &mut text);
        });
        text + "]"
    });
    let pairs: Vec<String> = pairs.collect();
    if !pairs.is_empty() {
        object.raw("oneClient", &format!("[{}]", pairs.join(",")));
    }
    let complete = told.words.iter().filter_map(|word| match word {
        Assertion::Complete(part) => Some(part.as_str()),
        _ => None,
    });
    list(&mut object, "complete", complete);
    object.end();
}

fn text(value: Option<&str>) -> &str {
    value.unwrap_or("null")
}

fn members_of(object: &mut Object<'_>, key: &str, members: impl Iterator<Item = (String, String)>) {
    let mut members = members.peekable();
    if members.peek().is_some() {
        let mut inner = Object::begin(object.key(key));
        members.for_each(|(key, value)| inner.raw(&key, &value));
        inner.end();
    }
}

fn list<'t>(object: &mut Object<'_>, key: &str, texts: impl Iterator<Item = &'t str>) {
    let mut texts = texts.enumerate().peekable();
    if texts.peek().is_some() {
        let out = object.key(key);
        for (n, text) in texts {
            out.push(if n == 0 { '[' } else { ',' });
            write_string(text, out);
        }
        out.push(']');
    }
}

/// A client without its id, which is its key.
fn client(active: Option<bool>, rest: &str) -> String {
    let Some(active) = active else { return rest.to_owned() };
    let comma = if rest.len() > 2 { "," } else { "" };
    format!("{{\"active\":{active}{comma}{}", &rest[1..])
}

fn stamp(stamp: &Stamp, object: &mut Object<'_>) {
    if let Some(time) = stamp.known_time() {
        object.raw("time", &timestamp::json_from_micros(time));
    }
    if !stamp.event.is_empty() {
        object.string("event", &stamp.event);
    }
    object.string("digest", &stamp.digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
}
