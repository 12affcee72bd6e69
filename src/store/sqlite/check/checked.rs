//! What a check of a database finds in it.

use crate::store::{Counts, Seq};

/// How the checksum is made. Another number as soon as an equal directory would give another one; a test
/// says when.
pub(crate) const FORMAT: i64 = 1;

/// What is in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The last journal entry in it.
    pub seq: Seq,
    /// How many of each there are.
    pub counts: Counts,
    /// A SHA-256, in hex, over every app user of every app as it is shown, in the order of their keys. None
    /// for a schema that this program would have to bring up to date first.
    pub checksum: Option<String>,
    /// The schema.
    pub schema: i64,
    /// Bytes of the file.
    pub bytes: u64,
    /// When it was made, in ms since 1970, if it is a backup.
    pub taken: Option<i64>,
}
