//! The forms in which a directory is stored, whatever the database: records and bodies as bytes, and the columns and
//! words that lists and searches read.

pub mod bodies;
pub mod list_columns;
pub mod record;
pub mod search_words;
