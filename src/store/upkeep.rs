//! What a store lets go of: what is kept long enough, and whoever is to be forgotten.

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Seq, Source};
use super::error::{Error, Result};
use crate::domain::{AppId, Event, Record, SmoochId};

/// Reads the event at a place of a body again; nothing if it cannot be read any more.
pub type ReadEvent = fn(Source, &[u8], usize) -> Option<Event>;

/// The event of an entry, read from its body.
///
/// # Errors
/// [`Error::Hole`] if the body does not hold the event of the entry's digest, or it cannot be read any more.
pub fn event(entry: &Entry, body: &[u8], read: ReadEvent) -> Result<Event> {
    let event = read(entry.source, body, entry.place).filter(|event| event.stamp.digest == entry.digest);
    event.ok_or(Error::Hole(entry.seq))
}

/// A body without the events whose text is one that is told of; nothing if it has no others.
pub type WithoutEvents = fn(&[u8], &dyn Fn(&[u8]) -> bool) -> Option<Vec<u8>>;

/// How a store reads bodies, which it does not understand itself.
#[derive(Clone, Copy, Debug)]
pub struct BodyReader {
    /// See [`ReadEvent`].
    pub event: ReadEvent,
    /// See [`WithoutEvents`].
    pub without: WithoutEvents,
}

/// How much is kept, by class. Without a bound it is kept for ever; times are in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Age of journal entries, and with them of the history.
    pub history_age: Option<i64>,
    /// Number of journal entries.
    pub history_entries: Option<u64>,
    /// Age of the bodies of journal entries.
    pub bodies_age: Option<i64>,
    /// Bytes that those bodies take in the file.
    pub bodies_bytes: Option<u64>,
    /// Age of changes in the feed.
    pub feed_age: Option<i64>,
    /// Number of changes in the feed of an app.
    pub feed_changes: Option<u64>,
    /// Age of bodies in quarantine.
    pub quarantine_age: Option<i64>,
}

/// From where on the journal is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactionPoint {
    /// The last entry that is in the base; 0 if nothing is. Entries up to here may have lost their bodies, or
    /// be gone themselves; the directory is the base and every entry after it.
    pub folded: Seq,
    /// When that entry was received, in ms since 1970.
    pub received: i64,
    /// The oldest entry that is there; the next one to be written if there is none.
    pub oldest: Seq,
}

/// Somebody whom an entry of a batch erases.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// The entry.
    pub seq: Seq,
    /// The app.
    pub app: AppId,
    /// The `_id`.
    pub id: SmoochId,
    /// All that was known of it until then.
    pub known: Record,
}

/// What became of an erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The journal entry that it is.
    pub seq: Seq,
    /// When it was asked for, in ms since 1970.
    pub time: i64,
    /// When nothing was left any more, in ms since 1970; absent until then.
    pub done: Option<i64>,
    /// The `_id`s that were erased. They are kept, so that nothing of them comes back.
    pub ids: Vec<SmoochId>,
    /// What was erased where, so far.
    pub counts: ErasureCounts,
}

/// How many rows of each place were erased, or rewritten without the person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureCounts {
    /// Records of app users.
    pub records: u64,
    /// `userId`s and clients by which they could be found.
    pub identifiers: u64,
    /// Journal entries that were about nobody else, with their bodies.
    pub journal_entries: u64,
    /// Journal entries that were reduced to what they say of others.
    pub journal_reduced: u64,
    /// Records of what the journal had been before it was trimmed.
    pub base: u64,
    /// Changes in the feed whose details were taken out.
    pub changes: u64,
    /// Kept answers.
    pub answers: u64,
    /// Bodies in quarantine.
    pub quarantine: u64,
}
