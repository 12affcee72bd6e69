//! Why the service does not start, or ends.

use std::process::ExitCode;

use crate::config::SettingsProblems;
use crate::exit;
use crate::store;
use crate::store::sqlite::OpenError;

/// Why the service did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database cannot be used any more.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A listener, a thread or a signal.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The settings are not those of the database.
    #[error(transparent)]
    Settings(#[from] SettingsProblems),
    /// The worker's thread ended without a word.
    #[error("the worker panicked; nothing more can be stored by this process")]
    Worker,
    /// The worker did not finish in time. What was acknowledged is on disk.
    #[error("stopped before the worker had finished: drain_within is over")]
    NotDrained,
}

impl ServerError {
    /// 74 for input, output and a damaged file, 78 for settings, 1 for everything else.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Io { .. } | Self::Store(_) => exit::IO,
            Self::Open(error) => exit::of_open(error),
            Self::Settings(_) => exit::SETTINGS,
            Self::Worker | Self::NotDrained => exit::FAILED,
        })
    }
}

pub(super) fn io(what: &str) -> impl FnOnce(std::io::Error) -> ServerError {
    let what = what.to_owned();
    |error| ServerError::Io { what, error }
}
