//! Long work on a file: its progress, and how it is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::file_errors::CopyError;

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Pages are copied.
    Copying,
    /// Every page is looked at; how many steps are left is not known.
    Checking,
    /// Every app user is read.
    Summing,
    /// What is made of records is compared with them; how much that is is not known.
    Comparing,
}

/// Long work: whoever waits is told how far it is, and may stop it.
pub struct Work<'w> {
    /// Told of the stage, how much of it is done, and of how much (0 if that is not known).
    pub told: &'w mut (dyn FnMut(Stage, u64, u64) + Send),
    /// Set to stop it.
    pub stop: Arc<AtomicBool>,
    /// Bytes of log at which the worker waits, by the settings.
    pub wal_limit: u64,
}

impl Work<'_> {
    pub(crate) fn go_on(&self) -> Result<(), CopyError> {
        if self.stop.load(Ordering::Relaxed) { Err(CopyError::Stopped) } else { Ok(()) }
    }
}
