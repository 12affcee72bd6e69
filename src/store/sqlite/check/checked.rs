//! The result of a check.

use crate::domain::{AppId, SmoochId, View};
use crate::store::rows::{ContentCounts, Rows};
use crate::store::{Result, Seq};

/// Reads an app user as it is shown: a store does not know the meaning of records.
pub type ShowUser = fn(&dyn Rows, &AppId, &SmoochId) -> Result<Option<View>>;

/// Version of the checksum. A change to the checksum of an equal directory needs a new number; a test notices.
pub(crate) const FORMAT: i64 = 1;

/// The content of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The last journal entry.
    pub seq: Seq,
    /// Rows of each kind.
    pub counts: ContentCounts,
    /// SHA-256, in hex, over every app user as it is shown, in key order. `None` for a schema older than this
    /// program's.
    pub checksum: Option<String>,
    /// The schema.
    pub schema: i64,
    /// Bytes of the file.
    pub bytes: u64,
    /// When the backup was made, in ms since 1970; `None` for other databases.
    pub taken: Option<i64>,
}
