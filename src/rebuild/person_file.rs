//! All data of one person (subject access).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::event;
use super::history_entry::{EventRef, HistoryEntry};
use super::history_replay::HistoryReplay;
use super::sources::Sources;
use crate::clock::now_ms;
use crate::directory::DirectoryReader;
use crate::domain::{AppId, SmoochId, View, Visibility, WorkingSet, timestamp};
use crate::smooch::v1;
use crate::store::{Entry, Result};

const PIECE: usize = 500;

/// The most of a file.
#[derive(Clone, Copy, Debug)]
pub struct FileLimits {
    /// Events, those of others whose merges concern the person included.
    pub events: usize,
    /// Bytes of all bodies.
    pub bytes: usize,
}

/// All stored data of a person: the app user, the record of each `_id`, every event with its body, the event that each value
/// comes from, and the bodies in quarantine. `None` if it would be larger than the limits.
///
/// # Errors
/// The database cannot be read, or the journal has lost one of the bodies.
pub fn person_file(
    reader: &mut DirectoryReader,
    app: &AppId,
    view: &View,
    limits: FileLimits,
) -> Result<Option<Value>> {
    let ids: BTreeSet<SmoochId> = view.aliases.iter().chain([&view.id]).cloned().collect();
    let Some(entries) = journal(reader, app, view, limits)? else { return Ok(None) };
    // Read last: every entry after this point was read before retention could remove it.
    let named = entries.values().flat_map(|(entry, _)| entry.users.iter().map(|(id, _)| id.clone()));
    let (horizon, base) = reader.read_compacted_of(app, &named.chain(ids.iter().cloned()).collect())?;
    let mut fold = HistoryReplay::new(app, base);
    let mut sources = Sources::of(&view.id);
    for (entry, body) in entries.values().filter(|(entry, _)| entry.seq > horizon.folded) {
        sources.apply(&mut fold, entry, &event(entry, body)?, &json!(EventRef::of(entry)));
    }
    let own = |entry: &Entry| entry.users.iter().any(|(id, _)| ids.contains(id));
    let history =
        entries.values().filter(|(entry, _)| own(entry)).map(|(entry, body)| with_body(entry, body));
    let quarantine = reader.find_quarantined_of(app, &ids)?.into_iter().map(|(seq, kept)| {
        json!({ "seq": seq, "received": timestamp::format_ms(kept.received), "reason": kept.reason, "detail": kept.detail,
                "headers": kept.headers, "body": String::from_utf8_lossy(&kept.body) })
    });
    Ok(Some(json!({
        "app": app.as_str(),
        "exported": timestamp::format_ms(now_ms()),
        "appUser": parsed(&v1::app_user(&Visibility::Whole.show(view))),
        "provenance": sources.shown(&fold).into_iter().collect::<Map<_, _>>(),
        "ids": records(reader, app, &ids)?,
        "history": history.collect::<Vec<_>>(),
        "quarantine": quarantine.collect::<Vec<_>>(),
        "journal": { "oldest": horizon.oldest, "oldestBody": horizon.folded + 1 },
    })))
}

type Entries = BTreeMap<u64, (Entry, bytes::Bytes)>;

/// The journal of all app users connected with the person by merges, if it is within the limits.
fn journal(
    reader: &mut DirectoryReader,
    app: &AppId,
    view: &View,
    limits: FileLimits,
) -> Result<Option<Entries>> {
    let connected = reader.find_connected(app, std::slice::from_ref(&view.id))?;
    let of: BTreeSet<SmoochId> = connected.keys().cloned().collect();
    let mut from = connected.into_values().flatten().collect::<BTreeSet<_>>();
    let (mut entries, mut bytes) = (Entries::new(), 0);
    while !from.is_empty() {
        let (piece, next) = reader.walk_back(app, &of, from, PIECE)?;
        let piece = reader.read_with_bodies(app, &piece.iter().map(|entry| entry.seq).collect())?;
        bytes += piece.iter().map(|(_, body)| body.len()).sum::<usize>();
        entries.extend(piece.into_iter().map(|(entry, body)| (entry.seq, (entry, body))));
        if entries.len() > limits.events || bytes > limits.bytes {
            return Ok(None);
        }
        from = next;
    }
    Ok(Some(entries))
}

/// The record of each `_id` alone.
fn records(reader: &mut DirectoryReader, app: &AppId, ids: &BTreeSet<SmoochId>) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for (key, mut record) in reader.read_records(app, ids)? {
        record.into.clear();
        record.from.clear();
        let id = key.1.clone();
        let mut alone = WorkingSet::new(1);
        alone.insert_loaded(key, record);
        found.extend(alone.view(app, &id).map(|view| parsed(&v1::app_user(&Visibility::Whole.show(&view)))));
    }
    Ok(found)
}

/// The entry as the history over HTTP shows it with `include=body`, without what it changed.
fn with_body(entry: &Entry, body: &[u8]) -> Value {
    let shown = HistoryEntry::of(entry);
    let shown = if body.is_empty() { shown } else { shown.with_body(entry, body, true, Visibility::Whole) };
    // Member by member: one that a `Value` cannot hold is null.
    let text = serde_json::to_string(&shown).unwrap_or_default();
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(&text).unwrap_or_default();
    members.into_iter().map(|(name, member)| (name, parsed(member.get()))).collect()
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or(Value::Null)
}
