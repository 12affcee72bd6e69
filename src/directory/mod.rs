//! The directory above its store: how records are loaded, lists and histories read, and what retention and erasure
//! delete, whatever the database.

pub mod cache;
pub mod export;
pub mod feed;
pub mod history;
pub mod journal;
pub mod lists;
pub mod load;
pub mod reader;
