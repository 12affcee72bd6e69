//! The state of the database itself.

use crate::store::error::Result;

/// The progress of a derived table that is being remade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemakingProgress {
    /// The table.
    pub table: &'static str,
    /// Rows done.
    pub done: u64,
    /// Rows in total.
    pub total: u64,
}

/// Reads of the state.
pub trait StatusRows {
    /// A number that changes with every commit of another connection.
    fn data_version(&self) -> Result<i64>;

    /// The derived tables that are being remade.
    fn remaking(&self) -> Result<Vec<RemakingProgress>>;
}
