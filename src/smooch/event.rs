//! Events of every version, and the reason why one is unusable.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::extract::read_time;
use super::json::{Json, Malformed, TOO_DEEP};
use crate::domain::{Digest, Event, Fact, Stamp};

/// The reason why a body or an event goes to quarantine. It names no value, so it may be logged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{detail}")]
pub struct Unusable {
    /// The kind, a label of the metric.
    pub reason: &'static str,
    /// The error and its place.
    pub detail: String,
}

impl Unusable {
    /// An error of a kind.
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

/// Builds an event. Without a time of its own it has the latest time in its clients: a lower bound, and a function
/// of the payload alone.
pub(super) fn event_of(
    json: &Json<'_>,
    trigger: &str,
    id: &str,
    told: Option<i64>,
    facts: Vec<Fact>,
    clients: &[&Json<'_>],
) -> Event {
    let seen = || {
        let times = clients.iter().flat_map(|client| [client.get("lastSeen"), client.get("linkedAt")]);
        times.flatten().filter_map(read_time).max()
    };
    let time = told.or_else(seen).unwrap_or(Stamp::NO_TIME);
    let stamp = Arc::new(Stamp { time, event: id.into(), digest: digest(json) });
    Event { trigger: trigger.into(), stamp, facts }
}

pub(super) fn digest(json: &Json<'_>) -> Digest {
    let whole = json.exact(|text| Sha256::digest(text.as_bytes()));
    std::array::from_fn(|n| whole[n])
}
