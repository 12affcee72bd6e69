//! The seam between the directory and whatever keeps it.
//!
//! A store hands out one transaction at a time to the worker, which loads what a batch can touch,
//! lets the domain work on it and saves it; and any number of readers, which never wait for it.

pub mod archive;
#[cfg(test)]
mod conformance;
mod entry;
mod epoch;
mod error;
mod explain;
pub mod reader;
pub mod readers;
pub mod rows;
pub mod sqlite;
#[cfg(test)]
mod stored_bytes;
mod upkeep;

use bytes::Bytes;

use archive::{Row, Verdicts};

use crate::domain::{AppId, ClientId, Digest, JsonText, RecordKey, SmoochId, WorkingSet};

pub use entry::{Entry, Outcome, Quarantined, Seq, Source};
pub use epoch::{Epoch, FeedEpoch, NotAnEpoch};
pub use error::{Error, Result};
pub use explain::explain;
pub use upkeep::{
    BodyReader, CompactionPoint, Erasure, ErasureCounts, ReadEvent, Receipt, Retention, WithoutEvents, event,
};

/// How long an answer is kept for whoever asks again, in ms.
pub const ANSWERS_KEPT: i64 = 24 * 60 * 60 * 1000;

/// What a batch can touch.
#[derive(Debug, Default)]
pub struct Keys {
    /// App users it speaks of; everybody they are merged with comes along.
    pub users: Vec<RecordKey>,
    /// Clients it gives, and to whom, under each of their ids, those of one app user together; whoever had them comes
    /// along.
    pub claims: Vec<(RecordKey, ClientId)>,
    /// App users of whom it may take back what was said of a client: whoever else claims those of which that was all
    /// comes along.
    pub takes_back: Vec<RecordKey>,
    /// App users it may end, who then let go of their clients; whoever else claims those comes along.
    pub ends: Vec<RecordKey>,
    /// What may be the `_id` of an app user that a command names; it is brought to be shown.
    pub named: Vec<RecordKey>,
    /// Whether a command may end whom it names.
    pub ends_named: bool,
    /// `userId`s, as JSON text, that a command looks for; whoever carries one is brought to be shown.
    pub user_ids: Vec<(AppId, JsonText)>,
    /// What Smooch says of who an app user is; the other carriers of the `userId` come along.
    pub reported: Vec<Reported>,
    /// Whether a command moves an app user to a brand; the other carriers of the `userId` come along.
    pub gives_brand: bool,
    /// Clients that a command makes active; whoever holds one is brought to be shown.
    pub clients: Vec<(AppId, ClientId)>,
}

/// Who an app user is, as Smooch says.
#[derive(Clone, Debug, PartialEq)]
pub struct Reported {
    /// The app user.
    pub key: RecordKey,
    /// The `userId` that it gives, as JSON text.
    pub user_id: Option<JsonText>,
    /// What it says of the brand, if it says anything; see [`Record::is_brand_news`](crate::domain::Record).
    pub brand: Option<Option<JsonText>>,
}

/// An entry of the journal as one app user's history has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The digest of the event.
    pub digest: Digest,
    /// When it was received, in ms since 1970.
    pub received: i64,
    /// The app user's entry before it.
    pub previous: Option<Seq>,
}

/// What a call to our API was answered, kept for whoever sends it again.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// The app it was about.
    pub app: AppId,
    /// How it is recognised.
    pub key: String,
    /// The SHA-256 of what was asked.
    pub fingerprint: [u8; 32],
    /// When, in ms since 1970.
    pub time: i64,
    /// The answer, in bytes of whoever asks the store.
    pub answer: Vec<u8>,
}

/// Everything a batch writes.
#[derive(Debug)]
pub struct Batch {
    /// The records, as they are now.
    pub directory: WorkingSet,
    /// What goes into the journal, numbered from [`Txn::next_seq`] on.
    pub entries: Vec<Entry>,
    /// The bodies of those entries, as received.
    pub bodies: Vec<Bytes>,
    /// What goes into quarantine.
    pub quarantined: Vec<Quarantined>,
    /// Whoever its entries erase.
    pub erasures: Vec<Erasure>,
    /// What becomes of bodies that are there.
    pub verdicts: Verdicts,
    /// Answers to be kept; those kept for longer than a day may go.
    pub answers: Vec<Answered>,
    /// The clock of our own API afterwards, in µs since 1970. It never runs back.
    pub clock: i64,
    /// The time of the batch, in ms since 1970.
    pub now: i64,
}

impl Batch {
    /// Whether there is nothing to be written.
    pub fn is_empty(&self) -> bool {
        let nothing_new = self.entries.is_empty() && self.quarantined.is_empty();
        nothing_new && self.answers.is_empty() && self.verdicts.is_empty()
    }
}

/// What a batch came to, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// App users that were not listed before.
    pub created: u64,
    /// App users that became part of another.
    pub merged: u64,
    /// App users that were removed.
    pub removed: u64,
    /// `_id`s that were erased.
    pub erased: u64,
    /// A `userId` that another record carries already.
    pub identity_conflicts: u64,
    /// Old bodies given up to keep the quarantine within its bounds.
    pub quarantine_dropped: u64,
}

/// Where the worker keeps the directory.
pub trait Store: Send {
    /// A transaction of this store.
    type Txn<'a>: Txn
    where
        Self: 'a;

    /// Begins the only transaction.
    fn begin(&mut self) -> Result<Self::Txn<'_>>;

    /// Told of what was just committed, so that the next batch need not load it again.
    fn remember(&mut self, committed: WorkingSet);

    /// Called between batches: time for upkeep that must not run beside a transaction.
    fn rest(&mut self) -> Result<()>;

    /// Called at the end, when nothing more comes: all that was committed is brought to where the next start reads it.
    fn finish(&mut self) -> Result<()>;

    /// Takes one small step towards forgetting whoever is erased, and letting go of what is kept long
    /// enough at `now` (ms since 1970): whether there may be more to do at once.
    fn let_go(&mut self, retention: &Retention, now: i64, reading: &BodyReader) -> Result<bool>;

    /// Makes a table anew that is made of others, at once or in the steps of [`Store::let_go`]; until then nothing
    /// fails for it. By its name in [`sqlite::DERIVED`].
    ///
    /// # Errors
    /// There is no such table, or the database cannot be written.
    fn make_anew(&mut self, derived: &str) -> Result<()> {
        Err(Error::Unavailable(format!("this store does not make {derived} anew")))
    }

    /// Told of an error of a transaction: what is damaged may be put in order later.
    fn note(&mut self, _error: &Error) {}

    /// Notes by which version of its rules the directory was learned; see [`crate::domain::RULES_VERSION`].
    ///
    /// # Errors
    /// The database cannot be written.
    fn learned(&mut self, _rules: i64) -> Result<()> {
        Ok(())
    }

    /// Lets go without another write, and leaves word that the data must be verified before it is
    /// used again: after a failed sync, less may be on disk than is read back from memory.
    fn abandon(self);
}

/// A transaction. Sees its own writes; dropped without `commit`, it leaves no trace.
pub trait Txn {
    /// Every record the keys can reach, as the domain needs it. Locked until the end.
    fn load(&mut self, keys: &Keys, group_members: usize) -> Result<WorkingSet>;

    /// The app user's journal from the entry `from` backwards: at most `most` entries, and none from
    /// the first one on that was received before `since` (ms since 1970).
    fn journalled(&mut self, key: &RecordKey, from: Seq, since: i64, most: usize) -> Result<Vec<Link>>;

    /// The answer kept under a key.
    fn answered(&mut self, app: &AppId, key: &str) -> Result<Option<Answered>>;

    /// Whether a text names the `_id` of somebody who is erased, in any spelling.
    fn names_erased(&self, app: &AppId, text: &[u8]) -> bool;

    /// Whether an `_id` is that of somebody who is erased, in any spelling. One that has it as a part is another.
    fn means_erased(&self, app: &AppId, id: &SmoochId) -> bool;

    /// Whether a body is in quarantine.
    fn holds(&mut self, quarantined: Seq) -> Result<bool>;

    /// Replaces rows of the directory as they are, and tells the feed what that makes different; `now` in
    /// ms since 1970. Nothing that was loaded before is valid afterwards.
    fn replace(&mut self, rows: &[Row], now: i64) -> Result<()>;

    /// The clock of our own API, in µs since 1970.
    fn clock(&self) -> i64;

    /// The number of the next journal entry.
    fn next_seq(&self) -> Seq;

    /// Writes everything that is different, in any order of calls but once.
    fn save(&mut self, batch: &Batch) -> Result<Saved>;

    /// Durable once this returns.
    fn commit(self) -> Result<()>;
}
