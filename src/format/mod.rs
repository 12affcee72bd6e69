//! The forms in which a directory is stored, whatever the database: records, bodies and the work of erasures as bytes,
//! and the columns and words that lists and searches read.

pub mod answer_key;
pub mod bodies;
pub mod erasure_work;
pub mod list_columns;
pub mod record;
pub mod search_words;
pub mod tally;
