//! One entry of the journal with what it changed.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::entry_answer::EntryAnswer;
use crate::directory::DirectoryReader;
use crate::directory::journal::EntryContent;
use crate::domain::Visibility;
use crate::http::answers::{raw, to_json};
use crate::http::error::ApiError;
use crate::http::history::{EntryEffect, effect_of};
use crate::ingest::maintenance::reparse_event;
use crate::smooch::journal_entry::note;
use crate::store::{Entry, Seq, Source};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EntryDetail<'e> {
    entry: EntryAnswer<'e>,
    place: usize,
    events: Vec<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<CallAnswer<'e>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<Vec<Box<RawValue>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_unknown: Option<String>,
    merges: Vec<Box<RawValue>>,
    previous: BTreeMap<&'e str, Seq>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    masked: &'static [&'static str],
}

/// A call to our own API, in its words.
#[derive(Serialize)]
struct CallAnswer<'e> {
    method: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'e str>,
}

/// The answer. What the entry changed is told if its app users have at most `most` events.
pub(super) fn show(
    reader: &mut DirectoryReader,
    entry: &Entry,
    visibility: Visibility,
    most: usize,
) -> Result<Box<RawValue>, ApiError> {
    let one = std::slice::from_ref(entry);
    let summary = reader.describe_bodies(one)?.swap_remove(0);
    let events = reader.find_entries_of_body(entry)?;
    let note = rewritten(reader, entry);
    let effect = effect_of(reader, entry, most, visibility);
    let (changed, changed_unknown, merges) = match effect {
        Ok(EntryEffect { changed, merges }) => (Some(changed), None, merges),
        Err(why) => (None, Some(why.description.into_owned()), Vec::new()),
    };
    let texts = |texts: Vec<String>| -> Vec<Box<RawValue>> { texts.into_iter().map(raw).collect() };
    let call = summary.call.as_ref().map(|call| CallAnswer {
        method: &call.method,
        path: call.path.as_deref().filter(|_| !visibility.is_masked()),
    });
    let previous = entry.users.iter().filter(|(id, _)| !id.is_app());
    let detail = EntryDetail {
        entry: EntryAnswer::new(entry, &summary, visibility),
        place: entry.place,
        events,
        call,
        note,
        changed: changed.map(texts),
        changed_unknown,
        merges: texts(merges),
        previous: previous.filter_map(|(id, before)| Some((id.as_str(), (*before)?))).collect(),
        masked: if summary.call.is_some() && visibility.is_masked() { &["call.path"] } else { &[] },
    };
    Ok(raw(to_json(&detail)))
}

/// Why the entry is not stored as received.
fn rewritten(reader: &DirectoryReader, entry: &Entry) -> Option<&'static str> {
    let body = reader.read_bodies(std::slice::from_ref(entry), reparse_event).ok()?.swap_remove(0).1;
    let is_facts = EntryContent::of(entry, &body) == EntryContent::FactsOnly;
    is_facts.then(|| note(&body, entry.source == Source::Api))
}
