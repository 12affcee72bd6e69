//! Erased `_id`s and the receipts of their erasures.

use crate::domain::{AppId, SmoochId};
use crate::store::entry::Seq;
use crate::store::error::Result;
use crate::store::upkeep::ErasureCounts;

/// The state of an erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptState {
    /// The journal entry of the erasure.
    pub seq: Seq,
    /// When it was requested, in ms since 1970.
    pub time: i64,
    /// When it was complete, in ms since 1970.
    pub done: Option<i64>,
    /// The rows that were erased so far.
    pub counts: ErasureCounts,
}

/// Reads of erasures.
pub trait ErasureRows {
    /// The receipt of the erasure of an `_id`.
    fn erasure_receipt(&self, app: &AppId, id: &SmoochId) -> Result<Option<ReceiptState>>;

    /// The `_id`s of a receipt, in their order.
    fn ids_of_receipt(&self, app: &AppId, receipt: Seq) -> Result<Vec<SmoochId>>;
}
