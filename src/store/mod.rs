//! The seam between the directory and whatever keeps it.
//!
//! A store hands out one transaction at a time to the worker, which loads what a batch can touch,
//! lets the domain work on it and saves it; and any number of readers, which never wait for it.

pub mod archive;
#[cfg(test)]
mod conformance;
mod epoch;
mod explain;
pub mod export;
mod list;
pub mod readers;
mod reading;
pub mod sqlite;
mod upkeep;

use std::sync::Arc;

use bytes::Bytes;

use archive::{Row, Verdicts};

use crate::domain::{AppId, ClientId, Digest, Directory, Event, Key, SmoochId, Text, TooLarge};

pub use epoch::{Epoch, FeedEpoch, NotAnEpoch};
pub use explain::explain;
pub use list::{Bounds, ClientFilter, Counted, Filter, Listed, Page, Place, Query, Sort, Span};
pub use reading::{Census, Changed, Changes, Counts, Heads, Piece, Reader};
pub use upkeep::{
    Counts as Erased, Erasure, Horizon, ReadEvent, Reading, Receipt, Retention, WithoutEvents, event,
};

/// How long an answer is kept for whoever asks again, in ms.
pub const ANSWERS_KEPT: i64 = 24 * 60 * 60 * 1000;

/// A journal number. Rises with every entry, in the order of commits.
pub type Seq = u64;

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No room on the disk. Nothing was written; reading goes on.
    #[error("the disk is full: {0}")]
    Full(String),
    /// Not possible now: busy, read-only, an input error. Nothing was written.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// What is to be written is not what can be written, whenever it is tried. Nothing was written.
    #[error("the database does not take this: {0}")]
    Unfit(String),
    /// A write may or may not be on disk, and asking again could be told a lie. Nothing more may
    /// be acknowledged by this process.
    #[error("the database can no longer be trusted by this process: {0}")]
    Unsure(String),
    /// A file of the database was moved, removed or replaced while it was open.
    #[error("the database is not where it was: {0}; put its files back together, or restore a backup")]
    Moved(String),
    /// Too many reads wait already. Nothing was looked at.
    #[error("too many reads are waiting")]
    Busy,
    /// A read was ended at its time limit, or because nobody waits for it any more.
    #[error("the read was ended before it had finished")]
    Interrupted,
    /// The file is damaged.
    #[error("the database is damaged: {0}; restore a backup")]
    Damaged(String),
    /// The body of an entry of the journal, by its number, is missing, cannot be unpacked, or is not the one that it
    /// came in. Everything else is served on.
    #[error("the body of journal entry {0} is missing or damaged; `rollcall verify` names all that is")]
    Hole(Seq),
    /// A table that is made of others is damaged. Nothing was written; [`Store::make_anew`] makes it whole.
    #[error("{name} is damaged ({why}), and can be made anew")]
    Derived {
        /// The table, as [`sqlite::DERIVED`] calls it.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// One record cannot be read. Nothing was written; everybody else is served on.
    #[error("the record in row {row} of {table} cannot be read ({why}); {}", mended_by(table))]
    Unreadable {
        /// Its table.
        table: &'static str,
        /// The number of its row.
        row: i64,
        /// What is wrong with it.
        why: String,
    },
    /// What a read goes by is being made anew.
    #[error("{0} is being made anew")]
    Remaking(&'static str),
}

/// What mends a record of this table.
fn mended_by(table: &str) -> &'static str {
    match table {
        "app_users" => {
            "`rollcall rebuild` learns it again from the journal, as a running service does by itself"
        }
        _ => "restore a backup",
    }
}

impl Error {
    /// Whether the process must end: nothing more may be acknowledged.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Unsure(_) | Self::Moved(_) | Self::Damaged(_))
    }
}

/// What a store answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a batch can touch.
#[derive(Debug, Default)]
pub struct Keys {
    /// App users it speaks of; everybody they are merged with comes along.
    pub users: Vec<Key>,
    /// Clients it gives, and to whom, under each of their ids, those of one app user together; whoever had them comes
    /// along.
    pub claims: Vec<(Key, ClientId)>,
    /// App users of whom it may take back what was said of a client: whoever else claims those of which that was all
    /// comes along.
    pub takes_back: Vec<Key>,
    /// App users it may end, who then let go of their clients; whoever else claims those comes along.
    pub ends: Vec<Key>,
    /// What may be the `_id` of an app user that a command names; it is brought to be shown.
    pub named: Vec<Key>,
    /// Whether a command may end whom it names.
    pub ends_named: bool,
    /// `userId`s, as JSON text, that a command looks for; whoever carries one is brought to be shown.
    pub user_ids: Vec<(AppId, Text)>,
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
    pub key: Key,
    /// The `userId` that it gives, as JSON text.
    pub user_id: Option<Text>,
    /// What it says of the brand, if it says anything; see [`Record::is_brand_news`](crate::domain::Record).
    pub brand: Option<Option<Text>>,
}

/// An event in the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number.
    pub seq: Seq,
    /// The app it came for.
    pub app: AppId,
    /// Who told it, and so what its body holds.
    pub source: Source,
    /// When it was received, in ms since 1970.
    pub received: i64,
    /// The event's own time in µs since 1970, if it has one.
    pub event_time: Option<i64>,
    /// Smooch's word for it.
    pub trigger: Arc<str>,
    /// What was done with it.
    pub outcome: Outcome,
    /// The digest of the event.
    pub digest: Digest,
    /// The app users it touched, each with the number of its previous entry.
    pub users: Vec<(SmoochId, Option<Seq>)>,
    /// Which of its batch's bodies it came in.
    pub body: usize,
    /// Its place among the events of that body.
    pub place: usize,
}

impl Entry {
    /// Lets a directory learn the entry once more, as the worker did when it journalled it. Of an event that
    /// cannot be read any more, it learns only that it was there.
    ///
    /// # Errors
    /// The directory bounds its groups, and this one would be too large.
    pub fn learn_again(&self, directory: &mut Directory, event: Option<&Event>) -> Result<(), TooLarge> {
        if let Some(event) = event {
            directory.learn(&self.app, event)?;
        }
        for (n, (user, _)) in self.users.iter().enumerate() {
            let stamp = event.filter(|_| n == 0).map(|event| &*event.stamp);
            directory.edit(&self.app, user).journalled(self.seq, stamp, self.received);
        }
        Ok(())
    }
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

/// Who told an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Smooch: the body is the webhook's.
    Webhook,
    /// Smooch, and somebody it spoke of is erased: the body is the [`crate::domain::Event`] as JSON, without
    /// what it said of them.
    Reduced,
    /// Our own API: the body is the [`crate::domain::Event`] it was decided into, as JSON.
    Api,
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

/// What was done with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The directory learned it.
    Learned,
    /// It says nothing about app users; it is kept, and that is all.
    Kept,
}

/// A body that could not be used, kept until somebody can.
#[derive(Clone, Debug, PartialEq)]
pub struct Quarantined {
    /// The app whose secret it came with.
    pub app: AppId,
    /// When it was received, in ms since 1970.
    pub received: i64,
    /// The kind of trouble.
    pub reason: String,
    /// What is wrong, and where. Names no value of the body.
    pub detail: String,
    /// The request's headers, one a line, credentials masked.
    pub headers: String,
    /// The body as it came.
    pub body: Bytes,
}

/// Everything a batch writes.
#[derive(Debug)]
pub struct Batch {
    /// The records, as they are now.
    pub directory: Directory,
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
    fn remember(&mut self, committed: Directory);

    /// Called between batches: time for upkeep that must not run beside a transaction.
    fn rest(&mut self) -> Result<()>;

    /// Called at the end, when nothing more comes: all that was committed is brought to where the next start reads it.
    fn finish(&mut self) -> Result<()>;

    /// Takes one small step towards forgetting whoever is erased, and letting go of what is kept long
    /// enough at `now` (ms since 1970): whether there may be more to do at once.
    fn let_go(&mut self, retention: &Retention, now: i64, reading: &Reading) -> Result<bool>;

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

    /// Notes by which version of its rules the directory was learned; see [`crate::domain::RULES`].
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
    fn load(&mut self, keys: &Keys, group_members: usize) -> Result<Directory>;

    /// The app user's journal from the entry `from` backwards: at most `most` entries, and none from
    /// the first one on that was received before `since` (ms since 1970).
    fn journalled(&mut self, key: &Key, from: Seq, since: i64, most: usize) -> Result<Vec<Link>>;

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
