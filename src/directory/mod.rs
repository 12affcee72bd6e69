//! The directory above its store: how records are loaded, lists and histories read, and what retention and erasure
//! delete, whatever the database.

pub mod cache;
pub mod census;
pub mod compacted;
pub mod erasures;
pub mod export;
pub mod feed;
pub mod history;
pub mod journal;
pub mod list_page;
pub mod lists;
pub mod load;
mod open;
mod reader;
pub mod users;

pub use open::open_reader;
pub use reader::{DirectoryReader, ReadSnapshot};
