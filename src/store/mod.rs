//! The seam between the directory and whatever keeps it.
//!
//! A store hands out one transaction at a time to the worker, which loads what a batch can touch,
//! lets the domain work on it and saves it; and any number of readers, which never wait for it.

mod audit;
pub mod cell;
mod entry;
mod epoch;
mod error;
mod operator_jobs;
pub mod readers;
pub mod rows;
pub mod select;
pub mod sqlite;
pub mod table;
pub mod tables;
mod transaction;
mod upkeep;

pub use audit::{Actor, AuditAction, AuditEntry, AuditOutcome, How};
pub use entry::{Entry, Hole, Lost, Outcome, Quarantined, Seq, Source};
pub use epoch::{Epoch, FeedEpoch, NotAnEpoch};
pub use error::{Error, Result, explain};
pub use operator_jobs::{JobCounts, JobFailure, JobKind, JobState, OperatorJob, Segment};
pub use select::ReadRow;
pub use table::{RowCells, WriteRow};
pub use transaction::{Committed, JournalState, Maintained, Scrubbed, Store, Transaction, UserWrite, Write};
pub use upkeep::{
    BodyReader, CompactionPoint, ErasureCounts, ReadEvent, Receipt, Retention, WithoutEvents, event,
};

/// How long an answer is kept for repeated calls, in ms.
pub const ANSWERS_KEPT: i64 = 24 * 60 * 60 * 1000;
