//! How an entry of the journal is printed: a line for people, or a JSON object for programs.

use serde_json::{Value, json};

use crate::domain::{CallMade, SmoochId};
use crate::smooch::journal_entry;
use crate::store::{Entry, Source};

/// What is said instead of a body that retention has dropped.
const NOT_KEPT: &str = "the body is no longer kept ([retention] of the settings)";

/// A time as everything here prints it.
pub(in crate::cli) fn time(ms: i64) -> String {
    crate::smooch::iso(ms).trim_matches('"').to_owned()
}

/// The heading above [`line`]s.
pub(in crate::cli) const HEADING: &str =
    "     SEQ  RECEIVED                  SOURCE   TRIGGER                         OUTCOME  APP  USERS";

/// `seq received source trigger outcome app users`, in columns as far as they are not longer than usual.
pub(in crate::cli) fn line(entry: &Entry) -> String {
    let users: Vec<&str> =
        entry.users.iter().map(|(id, _)| id.as_str()).filter(|id| *id != SmoochId::APP).collect();
    let users = if users.is_empty() { "-".to_owned() } else { users.join(",") };
    format!(
        "{:>8}  {}  {:<7}  {:<30}  {:<7}  {}  {users}",
        entry.seq,
        time(entry.received),
        entry.source.as_str(),
        entry.trigger,
        entry.outcome.as_str(),
        entry.app,
    )
}

/// The entry without its body.
pub(in crate::cli) fn json(entry: &Entry) -> Value {
    let users: Vec<&str> =
        entry.users.iter().map(|(id, _)| id.as_str()).filter(|id| *id != SmoochId::APP).collect();
    let mut value = json!({
        "seq": entry.seq,
        "app": entry.app.as_str(),
        "source": entry.source.as_str(),
        "received": time(entry.received),
        "trigger": &*entry.trigger,
        "outcome": entry.outcome.as_str(),
        "users": users,
    });
    if let Some(micros) = entry.event_time {
        value["time"] = time(micros.div_euclid(1000)).into();
    }
    value
}

/// What of an entry can be shown as it came.
pub(in crate::cli) enum EntryContent<'b> {
    /// The body of a webhook.
    Body(&'b [u8]),
    /// The call to our own API.
    Call(CallMade),
    /// Nothing, and why.
    Nothing(String),
}

/// What of an entry with this body can be shown as it came.
pub(in crate::cli) fn told<'b>(entry: &Entry, body: &'b [u8]) -> EntryContent<'b> {
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

/// The first line of a call.
pub(in crate::cli) fn call(call: &CallMade) -> String {
    format!("{} {}", call.method, call.path.as_deref().unwrap_or_default())
}

/// By what a call was made.
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

/// A body in a JSON object: as text where it is text, else in base64.
pub(in crate::cli) fn put_body(value: &mut Value, body: &[u8]) {
    use base64::Engine as _;
    match std::str::from_utf8(body) {
        Ok(text) => value["body"] = text.into(),
        Err(_) => value["bodyBase64"] = base64::engine::general_purpose::STANDARD.encode(body).into(),
    }
}
