//! A journal entry as the history of an app user shows it.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::value::RawValue;

use super::history_replay::EventDiff;
use crate::domain::{Field, Visibility, timestamp};
use crate::smooch::journal_entry::EntryOriginal;
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
    #[serde(flatten)]
    original: EntryOriginal,
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
            original: EntryOriginal::default(),
        }
    }

    /// Adds what the event changed of what v1 shows, and its merges, each as JSON text.
    pub fn with_diff(mut self, diff: &EventDiff, merges: Vec<String>, visibility: Visibility) -> Self {
        let shown = diff.changed.iter().filter(|difference| Field::is_name_in_v1(&difference.member));
        let mut texts: Vec<String> = shown.map(|difference| difference.text(visibility)).collect();
        // Without their keys, those of several properties are one.
        let mut told = BTreeSet::new();
        texts.retain(|text| told.insert(text.clone()));
        self.changed = Some(texts.into_iter().map(raw).collect());
        self.merges = merges.into_iter().map(raw).collect();
        self
    }

    /// Adds the body of the entry as the journal holds it: of a call its description, and the body that was sent
    /// only with `content`. If it is not visible who the people are, only who made the call is added.
    pub fn with_body(mut self, entry: &Entry, body: &[u8], content: bool, visibility: Visibility) -> Self {
        let is_call = entry.source == Source::Api;
        self.original = match entry.source {
            _ if visibility.is_masked() => EntryOriginal::of_masked(body, is_call),
            Source::Webhook => EntryOriginal::of_webhook(body),
            _ if content => EntryOriginal::of_decided(body, is_call).with_content(body, is_call),
            _ => EntryOriginal::of_decided(body, is_call),
        };
        self
    }
}
