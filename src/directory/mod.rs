//! The directory above its store: how records are loaded, lists and histories read, what a batch writes, and what retention
//! and erasure delete, whatever the database.

pub mod batch;
mod body_bytes;
pub mod cache;
pub mod census;
pub mod compacted;
mod compaction;
pub mod erasure;
pub mod examination;
pub mod export;
pub mod feed;
pub mod history;
pub mod journal;
pub mod list_page;
pub mod lists;
pub mod load;
mod new_changes;
mod open;
pub mod overlay;
mod reader;
pub mod rebuilt;
mod repair;
mod retention;
mod save;
#[cfg(test)]
mod stored_bytes;
mod transaction;
pub mod users;
pub mod verify;
mod writer;
mod writer_state;

pub use open::open_reader;
pub use reader::{DirectoryReader, ReadSnapshot};
pub use transaction::DirectoryTransaction;
pub use writer::DirectoryWriter;
pub use writer_state::QuarantineLimits;
