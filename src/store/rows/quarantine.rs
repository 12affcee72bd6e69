//! Quarantined bodies.

use super::filter::RowFilter;
use crate::domain::AppId;
use crate::store::entry::{Quarantined, Seq};
use crate::store::error::Result;

/// A quarantined body, without the body itself.
#[derive(Clone, Debug, PartialEq)]
pub struct QuarantinedSummary {
    /// Its number.
    pub seq: Seq,
    /// The app whose secret it came with.
    pub app: AppId,
    /// When it was received, in ms since 1970.
    pub received: i64,
    /// The kind of trouble.
    pub reason: String,
    /// What is wrong, and where. Names no value of the body.
    pub detail: String,
    /// The size of the body.
    pub bytes: u64,
}

/// Reads of the quarantine.
pub trait QuarantineRows {
    /// At most `limit` matching rows, without their bodies.
    fn quarantined_matching(&self, filter: &RowFilter, limit: usize) -> Result<Vec<QuarantinedSummary>>;

    /// The row with this number.
    fn quarantined(&self, seq: Seq) -> Result<Option<Quarantined>>;

    /// At most `limit` rows after this number, of one app or of all, each with its number, in their order.
    fn quarantined_after(
        &self,
        app: Option<&AppId>,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<(Seq, Quarantined)>>;

    /// The number of rows.
    fn count_quarantined(&self) -> Result<u64>;

    /// The bytes of all bodies.
    fn count_quarantined_bytes(&self) -> Result<u64>;
}
