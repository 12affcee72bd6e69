//! Smooch's JSON, read into facts and written from views. Pure; one file for each version.

pub mod apart;
pub mod csv;
pub mod export;
pub mod feed;
pub mod history;
pub mod import;
pub mod json;
pub mod kept;
pub mod rest;
mod time;
mod user;
pub mod v1;
mod v2;

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::domain::{Digest, Event, Fact, Stamp};
use json::{Json, Malformed, TOO_DEEP};
pub use time::{iso, micros};

/// What a body may hold.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Nested arrays and objects.
    pub depth: usize,
    /// Events in one v2 body.
    pub events: usize,
    /// The latest believable event time, in µs since 1970.
    pub latest: i64,
}

/// Which shape a body has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// `trigger` alone.
    V1,
    /// `trigger` and `version`.
    V1_1,
    /// An envelope with `events`.
    V2,
}

impl Version {
    /// As Smooch writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1_1 => "v1.1",
            Self::V2 => "v2",
        }
    }
}

/// A webhook body, read.
#[derive(Debug)]
pub struct Delivery {
    /// The app it names, if it names one.
    pub app: Option<String>,
    /// Its shape.
    pub version: Version,
    /// What it tells, or why a part of it cannot be used.
    pub events: Vec<Result<Event, Unusable>>,
    /// How many keys were given more than once in one object; the last one counts.
    pub repeated_keys: usize,
}

/// Why a body, or an event in it, goes to quarantine. Names no value, so that it may be logged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{detail}")]
pub struct Unusable {
    /// The kind of trouble, as a metric's label.
    pub reason: &'static str,
    /// What is wrong, and where.
    pub detail: String,
}

impl Unusable {
    /// Trouble of a kind, and where it is.
    pub fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl From<Malformed> for Unusable {
    fn from(malformed: Malformed) -> Self {
        let reason = if malformed.what == TOO_DEEP { "too_deep" } else { "not_json" };
        Self::new(reason, malformed.to_string())
    }
}

/// Reads a webhook body of any version, told apart by shape.
pub fn read(body: &[u8], bounds: &Bounds) -> Result<Delivery, Unusable> {
    let document = Json::parse(body, bounds.depth)?;
    let value = &document.value;
    if !matches!(value, Json::Object(_)) {
        return Err(Unusable::new("wrong_shape", "the body is not an object"));
    }
    let app = value.get("app").and_then(|app| app.get("_id").or_else(|| app.get("id"))).and_then(user::name);
    let (version, events) = match value.get("events") {
        Some(Json::Array(events)) if events.len() > bounds.events => {
            let detail = format!("{} events in one body, {} are allowed", events.len(), bounds.events);
            return Err(Unusable::new("too_many_events", detail));
        }
        Some(Json::Array(events)) => (Version::V2, events.iter().enumerate().map(v2::event).collect()),
        _ => {
            let version = if value.get("version").is_some() { Version::V1_1 } else { Version::V1 };
            (version, vec![v1::event(value)])
        }
    };
    let believable = |event: Event| match event.stamp.known_time() {
        Some(time) if time > bounds.latest => {
            Err(Unusable::new("future_dated", "an event is dated too far ahead of the clock"))
        }
        _ => Ok(event),
    };
    let events: Vec<Result<Event, Unusable>> = events;
    let events = events.into_iter().map(|event| event.and_then(believable)).collect();
    Ok(Delivery { app, version, events, repeated_keys: document.repeated_keys })
}

/// Puts an event together. `told` is the event's own time; without one the latest time that Smooch
/// wrote into its clients serves, which is a lower bound, and a function of the payload alone.
fn event_of(
    json: &Json<'_>,
    trigger: &str,
    id: &str,
    told: Option<i64>,
    facts: Vec<Fact>,
    clients: &[&Json<'_>],
) -> Event {
    let seen = || {
        let times = clients.iter().flat_map(|client| [client.get("lastSeen"), client.get("linkedAt")]);
        times.flatten().filter_map(micros).max()
    };
    let time = told.or_else(seen).unwrap_or(Stamp::NO_TIME);
    let stamp = Arc::new(Stamp { time, event: id.into(), digest: digest(json) });
    Event { trigger: trigger.into(), stamp, facts }
}

fn digest(json: &Json<'_>) -> Digest {
    let whole = json.exact(|text| Sha256::digest(text.as_bytes()));
    std::array::from_fn(|n| whole[n])
}
