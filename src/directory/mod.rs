//! The directory above its store: how records are loaded, lists and histories read, what a batch writes, and what retention
//! and erasure delete, whatever the database.
//!
//! Every function may fail because the database cannot be read or written, or a row of it is damaged. Other errors are
//! documented with the function.

pub mod audit;
pub mod batch;
mod body_bytes;
pub mod cache;
pub mod census;
pub mod compacted;
mod compaction;
pub mod entries;
pub mod erasure;
pub mod examination;
pub mod export;
pub mod feed;
pub mod history;
pub mod job_changes;
pub mod journal;
pub mod list_page;
pub mod lists;
pub mod load;
pub mod operator_jobs;
pub mod overlay;
mod reader;
pub mod rebuilt;
mod retention;
mod save;
#[cfg(test)]
mod stored_bytes;
pub mod tallies;
mod transaction;
pub mod users;
pub mod verify;
mod writer;

pub use reader::{DirectoryReader, ReadSnapshot, open_reader};
pub use transaction::{DirectoryTransaction, QuarantineLimits};
pub use writer::DirectoryWriter;
