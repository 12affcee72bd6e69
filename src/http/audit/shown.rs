//! An entry of the audit log in answers, in lines of commands, and in tables.

use serde::Serialize;

use crate::domain::{AppId, SmoochId, Visibility, timestamp};
use crate::store::{AuditEntry, Seq};

/// The columns of a table.
pub(super) const AUDIT_COLUMNS: [&str; 14] = [
    "seq",
    "time",
    "who",
    "role",
    "how",
    "app",
    "action",
    "_ids",
    "entries",
    "bodies",
    "count",
    "outcome",
    "detail",
    "requestId",
];

/// An entry with its number, as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownAudit<'a> {
    seq: Seq,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    how: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<&'a str>,
    action: &'static str,
    #[serde(rename = "_ids")]
    ids: Vec<&'a str>,
    #[serde(skip_serializing_if = "<[Seq]>::is_empty")]
    entries: &'a [Seq],
    #[serde(skip_serializing_if = "<[Seq]>::is_empty")]
    bodies: &'a [Seq],
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    masked: &'static [&'static str],
}

impl<'a> ShownAudit<'a> {
    /// The entry with this number.
    pub fn of(seq: Seq, entry: &'a AuditEntry, visibility: Visibility) -> Self {
        let request_id = visibility.request_id(entry.request.as_deref());
        let is_masked = entry.request.is_some() && request_id.is_none();
        Self {
            seq,
            time: timestamp::format_ms(entry.time),
            who: entry.who.as_deref(),
            role: entry.role.as_deref(),
            how: entry.how.as_str(),
            app: entry.app.as_ref().map(AppId::as_str),
            action: entry.action.as_str(),
            ids: entry.ids.iter().map(SmoochId::as_str).collect(),
            entries: &entry.entries,
            bodies: &entry.bodies,
            count: entry.count,
            outcome: entry.outcome.as_str(),
            detail: entry.detail.as_deref(),
            request_id,
            masked: if is_masked { &["requestId"] } else { &[] },
        }
    }

    /// The cells of [`AUDIT_COLUMNS`]; those of several values are JSON.
    pub(super) fn cells(self) -> Vec<String> {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let list = |list: &[Seq]| serde_json::to_string(list).unwrap_or_default();
        vec![
            self.seq.to_string(),
            self.time,
            text(self.who),
            text(self.role),
            self.how.to_owned(),
            text(self.app),
            self.action.to_owned(),
            serde_json::to_string(&self.ids).unwrap_or_default(),
            list(self.entries),
            list(self.bodies),
            self.count.map(|count| count.to_string()).unwrap_or_default(),
            self.outcome.to_owned(),
            text(self.detail),
            text(self.request_id),
        ]
    }
}
