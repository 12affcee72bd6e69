//! Prints journal entries as lines or JSON objects.

use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::listing::ListedItem;
use crate::directory::DirectoryReader;
use crate::domain::{CallMade, SmoochId, timestamp};
use crate::smooch::journal_entry;
use crate::store::rows::RowFilter;
use crate::store::{self, Entry, Seq, Source};

/// Stands for a body that retention removed.
const NOT_KEPT: &str = "the body was removed ([retention] of the settings)";

pub(in crate::cli) fn time(ms: i64) -> String {
    timestamp::format_ms(ms)
}

impl ListedItem for Entry {
    const HEADING: &'static str =
        "     SEQ  RECEIVED                  SOURCE   TRIGGER                         OUTCOME  APP  USERS";
    const NO_MATCH: &'static str = "no entry matches";

    fn read_page(reader: &mut DirectoryReader, wanted: &RowFilter, limit: usize) -> store::Result<Vec<Self>> {
        reader.find_entries(wanted, limit)
    }

    fn seq(&self) -> Seq {
        self.seq
    }

    fn to_line(&self) -> String {
        let users = match users(self) {
            users if users.is_empty() => "-".to_owned(),
            users => users.join(","),
        };
        format!(
            "{:>8}  {}  {:<7}  {:<30}  {:<7}  {}  {users}",
            self.seq,
            time(self.received),
            self.source.as_str(),
            self.trigger,
            self.outcome.as_str(),
            self.app,
        )
    }

    fn to_json(&self) -> Value {
        let mut value = json!({
            "seq": self.seq,
            "app": self.app.as_str(),
            "source": self.source.as_str(),
            "received": time(self.received),
            "trigger": &*self.trigger,
            "outcome": self.outcome.as_str(),
            "users": users(self),
        });
        if let Some(micros) = self.event_time {
            value["time"] = time(micros.div_euclid(1000)).into();
        }
        value
    }
}

fn users(entry: &Entry) -> Vec<&str> {
    entry.users.iter().map(|(id, _)| id.as_str()).filter(|id| *id != SmoochId::APP).collect()
}

pub(in crate::cli) enum EntryContent<'b> {
    Body(&'b [u8]),
    Call(CallMade),
    Nothing(String),
}

pub(in crate::cli) fn original_content<'b>(entry: &Entry, body: &'b [u8]) -> EntryContent<'b> {
    if body.is_empty() {
        return EntryContent::Nothing(NOT_KEPT.to_owned());
    }
    if entry.source == Source::Webhook {
        return EntryContent::Body(body);
    }
    let call = CallMade::of(body).filter(|call| entry.source == Source::Api && !call.erased);
    call.map_or_else(
        || EntryContent::Nothing(journal_entry::note(body, entry.source == Source::Api).to_owned()),
        EntryContent::Call,
    )
}

pub(in crate::cli) fn call(call: &CallMade) -> String {
    format!("{} {}", call.method, call.path.as_deref().unwrap_or_default())
}

pub(in crate::cli) fn key(call: &CallMade) -> String {
    let scope = match &call.user_id {
        Some(user_id) => format!("scope {} of {user_id:?}", call.scope),
        None => format!("scope {}", call.scope),
    };
    match &call.key {
        Some(key) => format!("{key}, {scope}"),
        None if call.scope == "appToken" => format!("none: made with the app token ({scope})"),
        None => format!("none ({scope})"),
    }
}

/// Adds the members of a type to a JSON object.
///
/// # Errors
/// A number that a JSON value cannot hold.
pub(in crate::cli) fn add_members(value: &mut Value, members: &impl Serialize) -> serde_json::Result<()> {
    if let (Value::Object(all), Value::Object(more)) = (value, serde_json::to_value(members)?) {
        all.extend(more);
    }
    Ok(())
}

/// Adds a body to a JSON object: as text if it is UTF-8, else in base64.
pub(in crate::cli) fn put_body(value: &mut Value, body: &[u8]) {
    use base64::Engine as _;
    match std::str::from_utf8(body) {
        Ok(text) => value["body"] = text.into(),
        Err(_) => value["bodyBase64"] = base64::engine::general_purpose::STANDARD.encode(body).into(),
    }
}
