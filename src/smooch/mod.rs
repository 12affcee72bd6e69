//! Smooch's JSON: parsed into facts, written from views. Pure; one file for each version.

pub mod csv;
pub mod export;
mod extract;
pub mod import;
pub mod journal_entry;
pub mod json;
pub mod rest;
pub mod split_body;
mod triggers;
pub mod v1;
mod v2;

#[cfg(test)]
mod tests;

use crate::domain::{Event, UnusableReason};
pub use extract::Unusable;
use json::Json;

/// Limits of a body.
#[derive(Clone, Copy, Debug)]
pub struct ParseLimits {
    /// Nested arrays and objects.
    pub depth: usize,
    /// Events in one v2 body.
    pub events: usize,
    /// The latest believable event time, in µs since 1970.
    pub latest: i64,
    /// Bytes of an `_id`, a `userId` or the id of a client.
    pub name_bytes: usize,
}

/// A parsed webhook body.
#[derive(Debug)]
pub struct Delivery {
    /// The app it names, if it names one.
    pub app: Option<String>,
    /// Its events, each usable or not.
    pub events: Vec<Result<Event, Unusable>>,
    /// The number of keys that occur more than once in one object; the last value counts.
    pub repeated_keys: usize,
}

/// Parses a webhook body. An array `events` makes it one of v2.
pub fn parse_webhook(body: &[u8], bounds: &ParseLimits) -> Result<Delivery, Unusable> {
    let document = Json::parse(body, bounds.depth)?;
    let value = &document.value;
    if !matches!(value, Json::Object(_)) {
        return Err(Unusable::new(UnusableReason::WrongShape, "the body is not an object"));
    }
    let app =
        value.get("app").and_then(|app| app.get("_id").or_else(|| app.get("id"))).and_then(extract::name);
    let events: Vec<Result<Event, Unusable>> = match value.get("events") {
        Some(Json::Array(events)) if events.len() > bounds.events => {
            let detail = format!("{} events in one body, {} are allowed", events.len(), bounds.events);
            return Err(Unusable::new(UnusableReason::TooManyEvents, detail));
        }
        Some(Json::Array(events)) => events.iter().enumerate().map(v2::event).collect(),
        _ => vec![v1::event(value)],
    };
    let believable = |event: Event| match event.stamp.known_time() {
        Some(time) if time > bounds.latest => {
            Err(Unusable::new(UnusableReason::FutureDated, "an event is dated too far ahead of the clock"))
        }
        _ if event.has_name_over(bounds.name_bytes) => {
            let detail = format!("an _id, a userId or a client's id has over {} bytes", bounds.name_bytes);
            Err(Unusable::new(UnusableReason::NameTooLong, detail))
        }
        _ => Ok(event),
    };
    let events = events.into_iter().map(|event| event.and_then(believable)).collect();
    Ok(Delivery { app, events, repeated_keys: document.repeated_keys })
}
