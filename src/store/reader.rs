//! A connection that reads.

use super::error::{Error, Result};
use super::readers::StopSignal;
use super::rows::Rows;

/// A connection that reads, one snapshot after another. Reads fail with [`Error::Interrupted`] soon after its stop signal
/// is raised.
pub trait StoreReader: Send + 'static {
    /// The rows of the open snapshot.
    fn rows(&self) -> &dyn Rows;

    /// Opens a snapshot, unless one is open. Returns whether it opened one; then [`StoreReader::end`] must follow.
    fn begin(&self) -> Result<bool>;

    /// Ends the snapshot.
    fn end(&self);

    /// Sets the stop signal.
    fn obey(&mut self, stop: StopSignal);

    /// Whether no damage of a derived table was reported since it was last remade.
    fn is_intact(&self, table: &str) -> bool;

    /// Reports an error of a read, so that a damaged table is remade.
    fn note_error(&self, error: &Error);
}
