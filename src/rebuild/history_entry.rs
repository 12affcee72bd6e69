//! A journal entry as the history of an app user shows it.

use serde::Serialize;
use serde_json::value::RawValue;

use super::history_replay::EventDiff;
use crate::domain::timestamp;
use crate::smooch::journal_entry;
use crate::smooch::json::raw;
use crate::store::{Entry, Seq, Source};

/// The event of an entry.
#[derive(Serialize)]
pub struct EventRef<'e> {
    seq: Seq,
    trigger: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Box<RawValue>>,
}

impl<'e> EventRef<'e> {
    /// The event of this entry.
    pub fn of(entry: &'e Entry) -> Self {
        let time = entry.event_time.map(|time| raw(&*timestamp::json_from_ms(time.div_euclid(1000))));
        Self { seq: entry.seq, trigger: &entry.trigger, time }
    }
}

/// An entry.
#[derive(Serialize)]
pub struct HistoryEntry<'e> {
    #[serde(flatten)]
    event: EventRef<'e>,
    source: &'static str,
    received: Box<RawValue>,
    users: Vec<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<Vec<Box<RawValue>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    merges: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<Box<RawValue>>,
}

impl<'e> HistoryEntry<'e> {
    /// An entry without its body and without its effect.
    pub fn of(entry: &'e Entry) -> Self {
        Self {
            event: EventRef::of(entry),
            source: entry.source.as_shown(),
            received: raw(&*timestamp::json_from_ms(entry.received)),
            users: entry.users.iter().map(|(id, _)| id.as_str()).collect(),
            changed: None,
            merges: Vec::new(),
            call: None,
            note: None,
            body: None,
            decided: None,
        }
    }

    /// Adds what the event changed, and its merges, each as JSON text.
    pub fn with_diff(mut self, diff: &EventDiff, merges: Vec<String>) -> Self {
        self.changed = Some(diff.changed.iter().map(|difference| raw(difference.text())).collect());
        self.merges = merges.into_iter().map(raw).collect();
        self
    }

    /// Adds the body of the entry as the journal holds it: of a call its description, and the body that was sent
    /// only with `content`.
    pub fn with_body(mut self, entry: &Entry, body: &[u8], content: bool) -> Self {
        if entry.source == Source::Webhook {
            self.body = serde_json::value::to_raw_value(&String::from_utf8_lossy(body)).ok();
            return self;
        }
        let is_call = entry.source == Source::Api;
        let content = content.then(|| journal_entry::content(body, is_call));
        for (name, text) in journal_entry::about(body, is_call).into_iter().chain(content) {
            let member = match name {
                "call" => &mut self.call,
                "note" => &mut self.note,
                "body" => &mut self.body,
                _ => &mut self.decided,
            };
            *member = Some(raw(text));
        }
        self
    }
}
