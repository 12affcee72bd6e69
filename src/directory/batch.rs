//! A batch: what it can touch, and what it writes.

use bytes::Bytes;

use super::job_changes::JobChanges;
use super::tallies::NewCounts;
use crate::domain::{AppId, ClientId, Digest, JsonText, Record, RecordKey, WorkingSet};
use crate::store::tables::SessionChange;
use crate::store::{AuditEntry, Entry, Quarantined, Seq};

/// What a batch can touch: the records that have to be loaded before it is applied.
#[derive(Debug, Default)]
pub struct Keys {
    /// App users that it is about; all that merges connect with them are loaded too.
    pub users: Vec<RecordKey>,
    /// Clients that it gives to an app user, under each of their ids, those of one app user together; their holders are
    /// loaded too.
    pub claims: Vec<(RecordKey, ClientId)>,
    /// App users whose clients it may retract; other claimants of clients that have no other source are loaded too.
    pub takes_back: Vec<RecordKey>,
    /// App users that it may remove. Removal releases their clients, so all other claimants of these are loaded too.
    pub ends: Vec<RecordKey>,
    /// `_id`s that a command may name; each is loaded with all that is needed to show it.
    pub named: Vec<RecordKey>,
    /// Whether a command may remove the app user that it names.
    pub ends_named: bool,
    /// `userId`s, as JSON text, that a command looks up; their carriers are loaded with all that is needed to show them.
    pub user_ids: Vec<(AppId, JsonText)>,
    /// What Smooch reports of the identity of an app user; the other carriers of the `userId` are loaded too.
    pub reported: Vec<Reported>,
    /// Whether a command moves an app user to a brand; the other carriers of the `userId` are loaded too.
    pub gives_brand: bool,
    /// Clients that a command makes active; their holders are loaded with all that is needed to show them.
    pub clients: Vec<(AppId, ClientId)>,
}

/// The identity of an app user as Smooch reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reported {
    /// The app user.
    pub key: RecordKey,
    /// Its `userId`, as JSON text.
    pub user_id: Option<JsonText>,
    /// Its brand, if the report has one; see [`Record::is_brand_news`].
    pub brand: Option<Option<JsonText>>,
}

/// An entry of the journal in the history of one app user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The digest of the event.
    pub digest: Digest,
    /// When it was received, in ms since 1970.
    pub received: i64,
    /// The app user's entry before it.
    pub previous: Option<Seq>,
}

/// The answer to a call of the API with an `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// The app.
    pub app: AppId,
    /// The key.
    pub key: String,
    /// The SHA-256 of the request.
    pub fingerprint: [u8; 32],
    /// When it was given, in ms since 1970.
    pub time: i64,
    /// The answer.
    pub answer: Vec<u8>,
}

/// An app user that an entry of a batch erases.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// The entry.
    pub seq: Seq,
    /// The app user.
    pub key: RecordKey,
    /// The record until then.
    pub known: Record,
}

/// What becomes of bodies in quarantine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdicts {
    /// Those that leave the quarantine.
    pub released: Vec<Seq>,
    /// Those that still cannot be used, each with the reason, and with what is wrong and where.
    pub kept: Vec<(Seq, String, String)>,
}

/// Everything that a batch writes.
#[derive(Debug)]
pub struct Batch {
    /// The records, as they are now.
    pub directory: WorkingSet,
    /// The entries for the journal, numbered from the next number on.
    pub entries: Vec<Entry>,
    /// The bodies of these entries, as received.
    pub bodies: Vec<Bytes>,
    /// The bodies for the quarantine.
    pub quarantined: Vec<Quarantined>,
    /// The app users that its entries erase.
    pub erasures: Vec<Erasure>,
    /// What becomes of bodies in quarantine.
    pub verdicts: Verdicts,
    /// The answers to store. Stored ones that are older than a day may go.
    pub answers: Vec<Answered>,
    /// Changes of the stored sessions of the console, in their order.
    pub sessions: Vec<SessionChange>,
    /// The entries for the audit log.
    pub audit: Vec<AuditEntry>,
    /// Changes of operator jobs and segments.
    pub jobs: JobChanges,
    /// Counts beside those of its entries and changes.
    pub counts: NewCounts,
    /// The clock of the API afterwards, in µs since 1970. It never runs back.
    pub clock: i64,
    /// The time of the batch, in ms since 1970.
    pub now: i64,
}

impl Batch {
    /// A batch that writes only what changes in a directory.
    pub fn of_directory(directory: WorkingSet, clock: i64, now: i64) -> Self {
        let (entries, bodies, quarantined, erasures) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (verdicts, answers) = (Verdicts::default(), Vec::new());
        let (sessions, audit, counts) = (Vec::new(), Vec::new(), NewCounts::default());
        let jobs = JobChanges::default();
        Self {
            directory,
            entries,
            bodies,
            quarantined,
            erasures,
            verdicts,
            answers,
            sessions,
            audit,
            jobs,
            counts,
            clock,
            now,
        }
    }

    /// Whether there is nothing to be written.
    pub fn is_empty(&self) -> bool {
        let nothing_new = self.entries.is_empty() && self.quarantined.is_empty() && self.sessions.is_empty();
        let nothing_told = self.answers.is_empty() && self.audit.is_empty() && self.jobs.is_empty();
        nothing_new && nothing_told && self.verdicts == Verdicts::default()
    }
}

/// The effects of a batch, for the metrics.
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
    /// New carriers of a `userId` that another record carries.
    pub identity_conflicts: u64,
    /// Bodies that left the quarantine because it was full.
    pub quarantine_dropped: u64,
}
