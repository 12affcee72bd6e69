//! An entry of the journal as operators see it.

use serde::Serialize;

use crate::directory::journal::BodySummary;
use crate::domain::timestamp::format_ms;
use crate::domain::{CallMade, Visibility};
use crate::store::{Entry, Seq};

/// An entry without its body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EntryAnswer<'e> {
    seq: Seq,
    app: &'e str,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<CallerAnswer<'e>>,
    trigger: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    received: String,
    outcome: &'static str,
    users: Vec<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
    has_body: bool,
}

impl<'e> EntryAnswer<'e> {
    /// An entry, and what is known of its body.
    pub(super) fn new(entry: &'e Entry, body: &'e BodySummary, visibility: Visibility) -> Self {
        Self {
            seq: entry.seq,
            app: entry.app.as_str(),
            source: entry.source.as_shown(),
            by: body.call.as_ref().map(|call| CallerAnswer::new(call, visibility)),
            trigger: &entry.trigger,
            time: entry.event_time.map(|micros| format_ms(micros.div_euclid(1000))),
            received: format_ms(entry.received),
            outcome: entry.outcome.as_str(),
            users: entry.user_ids().collect(),
            bytes: body.bytes,
            has_body: body.is_kept,
        }
    }
}

/// Who made a call.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallerAnswer<'e> {
    scope: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'e str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    masked: &'static [&'static str],
}

impl<'e> CallerAnswer<'e> {
    fn new(call: &'e CallMade, visibility: Visibility) -> Self {
        let user_id = call.user_id.as_deref();
        let is_masked = user_id.is_some() && visibility.is_masked();
        Self {
            scope: &call.scope,
            key: call.key.as_deref(),
            operator: call.operator.as_deref(),
            user_id: user_id.filter(|_| !is_masked),
            masked: if is_masked { &["userId"] } else { &[] },
        }
    }
}
