//! Types of retention and erasure.

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Seq, Source};
use super::error::{Error, Result};
use super::select::{ReadRow as _, TableRows};
use super::tables::{EntryTime, Horizon};
use crate::domain::{Event, SmoochId};

/// Reads the event at an index of a body again; `None` if it is unreadable.
pub type ReadEvent = fn(Source, &[u8], usize) -> Option<Event>;

/// The event of an entry, read from its body.
///
/// # Errors
/// [`Error::Hole`] if the body does not hold the event with the entry's digest, or is unreadable.
pub fn event(entry: &Entry, body: &[u8], read: ReadEvent) -> Result<Event> {
    let event = read(entry.source, body, entry.place).filter(|event| event.stamp.digest == entry.digest);
    event.ok_or(Error::Hole(entry.seq))
}

/// Removes the events whose text matches from a body; `None` if no others are left.
pub type WithoutEvents = fn(&[u8], &dyn Fn(&[u8]) -> bool) -> Option<Vec<u8>>;

/// Functions that read bodies, which a store does not understand itself.
#[derive(Clone, Copy, Debug)]
pub struct BodyReader {
    /// See [`ReadEvent`].
    pub event: ReadEvent,
    /// See [`WithoutEvents`].
    pub without: WithoutEvents,
}

/// Limits by class. `None` is no limit. Times are in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Age of journal entries, and so of the history.
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
    /// Age of quarantined bodies.
    pub quarantine_age: Option<i64>,
    /// Age of entries of the audit log.
    pub audit_age: Option<i64>,
}

/// How far the journal is compacted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactionPoint {
    /// The last entry in the compacted records; 0 if there are none. Entries up to here may have lost their bodies
    /// or be removed. The directory is the compacted records plus every later entry.
    pub folded: Seq,
    /// When that entry was received, in ms since 1970.
    pub received: i64,
    /// The oldest existing entry; the next one to be written if there is none.
    pub oldest: Seq,
}

impl CompactionPoint {
    /// Reads it.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn read(rows: &dyn TableRows) -> Result<Self> {
        let Horizon { seq: folded, received } = Horizon::only(rows)?;
        let oldest = EntryTime::select().first(rows)?.map_or(folded + 1, |entry| entry.seq);
        Ok(Self { folded, received, oldest })
    }
}

/// The state of an erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its journal entry.
    pub seq: Seq,
    /// When it was requested, in ms since 1970.
    pub time: i64,
    /// When it was complete, in ms since 1970; `None` until then.
    pub done: Option<i64>,
    /// The erased `_id`s. They stay stored, to recognise later data about them.
    pub ids: Vec<SmoochId>,
    /// What was erased so far.
    pub counts: ErasureCounts,
}

/// Rows that were erased, or rewritten without the person, by table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureCounts {
    /// Records of app users.
    pub records: u64,
    /// `userId`s and clients.
    pub identifiers: u64,
    /// Journal entries about no other app user, with their bodies.
    pub journal_entries: u64,
    /// Journal entries that were reduced to their facts about others.
    pub journal_reduced: u64,
    /// Compacted records.
    pub base: u64,
    /// Changes in the feed whose details were removed.
    pub changes: u64,
    /// Stored answers.
    pub answers: u64,
    /// Quarantined bodies.
    pub quarantine: u64,
}
