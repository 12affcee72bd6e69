//! How an entry of the journal is printed: a line for people, or a JSON object for programs.

use serde_json::{Value, json};

use crate::domain::SmoochId;
use crate::store::{Entry, Outcome, Source};

/// A time as everything here prints it.
pub(in crate::command) fn time(ms: i64) -> String {
    crate::wire::iso(ms).trim_matches('"').to_owned()
}

/// The heading above [`line`]s.
pub(in crate::command) const HEADING: &str =
    "     SEQ  RECEIVED                  SOURCE   TRIGGER                         OUTCOME  APP  USERS";

/// `seq received source trigger outcome app users`, in columns as far as they are not longer than usual.
pub(in crate::command) fn line(entry: &Entry) -> String {
    let users: Vec<&str> =
        entry.users.iter().map(|(id, _)| id.as_str()).filter(|id| *id != SmoochId::APP).collect();
    let users = if users.is_empty() { "-".to_owned() } else { users.join(",") };
    format!(
        "{:>8}  {}  {:<7}  {:<30}  {:<7}  {}  {users}",
        entry.seq,
        time(entry.received),
        source(entry.source),
        entry.trigger,
        outcome(entry.outcome),
        entry.app,
    )
}

/// The entry without its body.
pub(in crate::command) fn json(entry: &Entry) -> Value {
    let users: Vec<&str> =
        entry.users.iter().map(|(id, _)| id.as_str()).filter(|id| *id != SmoochId::APP).collect();
    let mut value = json!({
        "seq": entry.seq,
        "app": entry.app.as_str(),
        "source": source(entry.source),
        "received": time(entry.received),
        "trigger": &*entry.trigger,
        "outcome": outcome(entry.outcome),
        "users": users,
    });
    if let Some(micros) = entry.event_time {
        value["time"] = time(micros.div_euclid(1000)).into();
    }
    value
}

pub(in crate::command) fn source(source: Source) -> &'static str {
    match source {
        Source::Webhook => "webhook",
        Source::Reduced => "reduced",
        Source::Api => "api",
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Learned => "learned",
        Outcome::Kept => "kept",
    }
}

/// A body in a JSON object: as text where it is text, else in base64.
pub(in crate::command) fn put_body(value: &mut Value, body: &[u8]) {
    use base64::Engine as _;
    match std::str::from_utf8(body) {
        Ok(text) => value["body"] = text.into(),
        Err(_) => value["bodyBase64"] = base64::engine::general_purpose::STANDARD.encode(body).into(),
    }
}
