//! What every version makes of an event, and why one cannot be used.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::extract::read_time;
use super::json::{Json, Malformed, TOO_DEEP};
use crate::domain::{Digest, Event, Fact, Stamp};

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

/// Puts an event together. `told` is the event's own time; without one the latest time that Smooch
/// wrote into its clients serves, which is a lower bound, and a function of the payload alone.
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
