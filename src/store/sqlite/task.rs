//! A long task on a file: its progress, and how it is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::file_errors::CopyError;

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStage {
    /// Pages are copied.
    Copying,
    /// Every page is looked at; how many steps are left is not known.
    Checking,
    /// Every app user is read.
    Summing,
    /// What is made of records is compared with them; how much that is is not known.
    Comparing,
}

/// A long task, which reports its progress and can be stopped.
pub struct Task<'t> {
    /// Called with the stage, how much of it is done, and of how much (0 if unknown).
    pub progress: &'t mut (dyn FnMut(TaskStage, u64, u64) + Send),
    /// Set to stop it.
    pub stop: Arc<AtomicBool>,
    /// Bytes of log at which the worker waits, by the settings.
    pub wal_limit: u64,
}

impl Task<'_> {
    pub(crate) fn check_stopped(&self) -> Result<(), CopyError> {
        if self.stop.load(Ordering::Relaxed) { Err(CopyError::Stopped) } else { Ok(()) }
    }
}
