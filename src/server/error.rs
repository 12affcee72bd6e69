//! Errors that end the service.

use std::process::ExitCode;

use crate::config::SettingsProblems;
use crate::exit;
use crate::operators::KeyFileError;
use crate::store;
use crate::store::sqlite::OpenError;

/// An error that ends the service.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database has become unusable.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A listener, a thread or a signal.
    #[error("{what}: {error}")]
    Io {
        /// The operation.
        what: String,
        /// The error of the system.
        error: std::io::Error,
    },
    /// The settings are not those of the database.
    #[error(transparent)]
    Settings(#[from] SettingsProblems),
    /// The key file of the admin listener cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The worker's thread panicked.
    #[error("the worker panicked; this process cannot store any more")]
    Worker,
    /// The worker did not finish in time. Acknowledged jobs are on disk.
    #[error("shutdown timed out after server.drain_within; unacknowledged jobs were dropped")]
    NotDrained,
}

impl ServerError {
    /// 74 for I/O errors and damaged files, 78 for settings, 1 otherwise.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Io { .. } | Self::Store(_) => exit::IO,
            Self::Open(error) => exit::of_open(error),
            Self::Settings(_)
            | Self::Key(KeyFileError::Open { .. } | KeyFileError::Damaged(_) | KeyFileError::NoFile { .. }) => {
                exit::SETTINGS
            }
            Self::Key(_) => exit::IO,
            Self::Worker | Self::NotDrained => exit::FAILED,
        })
    }
}

pub(super) fn io(what: &str) -> impl FnOnce(std::io::Error) -> ServerError {
    let what = what.to_owned();
    |error| ServerError::Io { what, error }
}
