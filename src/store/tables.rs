//! The declarations of all tables whose rows the directory reads and writes.

mod answers;
mod compacted;
mod erasures;
mod quarantine;

pub use answers::{ANSWER_SECRET, ANSWERS, AnswerSecret, AnswerText, AnswerTime, StoredAnswer};
pub use compacted::{COMPACTED, CompactedRecord, CompactedWrite};
pub use erasures::{RECEIPTS, StoredReceipt, TOMBSTONES, Tombstone};
pub use quarantine::{QUARANTINE, QuarantineReason, QuarantinedBody, QuarantinedSize, QuarantinedSummary};

use super::table::Table;

/// Every table.
pub const ALL: [&Table; 6] = [&ANSWER_SECRET, &ANSWERS, &COMPACTED, &QUARANTINE, &RECEIPTS, &TOMBSTONES];
