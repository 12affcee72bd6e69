//! The declarations of all tables whose rows the directory reads and writes.

mod answers;
mod audit;
mod feed;
mod journal;
mod maintenance;
mod operator_jobs;
mod quarantine;
mod sessions;
mod tallies;
mod users;

pub use answers::{ANSWER_SECRET, ANSWERS, AnswerSecret, AnswerText, AnswerTime, StoredAnswer};
pub use audit::{AUDIT, AuditRequest, AuditTime, AuditedUsers};
pub use feed::{CHANGES, ChangeFields, ChangeTime, FEEDS, Feed, NewChange, StoredChange};
pub use journal::{
    BODIES, BodySize, DamagedEntry, EntrySource, EntryTime, EntryUsers, GAPS, Gap, JOURNAL, PackedBodies,
    ReducedEntry, UsersOfEntry,
};
pub use maintenance::{
    CLOCK, COMPACTED, Clock, CompactedRecord, CompactedWrite, HORIZON, Horizon, RECEIPTS, Rules,
    StoredReceipt, TOMBSTONES, Tombstone, UPKEEP, decode_record,
};
pub use operator_jobs::{ForgottenJob, JOB_FAILURES, JOBS, JobSpec, SEGMENTS};
pub use quarantine::{
    QUARANTINE, QuarantineReason, QuarantinedApp, QuarantinedBody, QuarantinedShare, QuarantinedSize,
    QuarantinedSummary,
};
pub use sessions::{SESSIONS, SessionChange, StoredSession};
pub use tallies::{StoredTally, TALLIES, TallyTime};
pub use users::{
    APP_USERS, IDENTIFIERS, IdentifierKind, IdentifierRow, ListRow, MOVES, Move, StoredIdentifier, UserKey,
    UserRecord, UserRow,
};

use super::table::Table;

/// Every table.
pub const ALL: [&Table; 23] = [
    &ANSWER_SECRET,
    &ANSWERS,
    &AUDIT,
    &APP_USERS,
    &IDENTIFIERS,
    &MOVES,
    &BODIES,
    &CHANGES,
    &CLOCK,
    &COMPACTED,
    &FEEDS,
    &GAPS,
    &HORIZON,
    &JOB_FAILURES,
    &JOBS,
    &JOURNAL,
    &QUARANTINE,
    &RECEIPTS,
    &SEGMENTS,
    &SESSIONS,
    &TALLIES,
    &TOMBSTONES,
    &UPKEEP,
];
