//! A long task on a file: its progress, and how it is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::file_errors::CopyError;

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStage {
    /// Copying pages.
    Copying,
    /// Checking pages; the total is unknown.
    Checking,
    /// Reading every app user.
    Summing,
    /// Comparing derived tables with their source; the total is unknown.
    Comparing,
}

/// A long task, which reports its progress and can be stopped.
pub struct FileTask<'t> {
    /// Called with the stage, how much of it is done, and of how much (0 if unknown).
    pub progress: &'t mut (dyn FnMut(TaskStage, u64, u64) + Send),
    /// Set to stop it.
    pub stop: Arc<AtomicBool>,
    /// `store.wal_limit`: bytes of WAL at which the worker waits.
    pub wal_limit: u64,
}

impl FileTask<'_> {
    pub(crate) fn check_stopped(&self) -> Result<(), CopyError> {
        if self.stop.load(Ordering::Relaxed) { Err(CopyError::Stopped) } else { Ok(()) }
    }
}
