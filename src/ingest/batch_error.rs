//! Errors of a batch.

use crate::domain::TooLarge;
use crate::store::Error;

/// Why a batch was not committed.
pub(super) enum BatchError {
    /// One of its jobs can never be applied.
    Job(String),
    /// One of its jobs would merge too many app users.
    Group(TooLarge),
    /// The store failed.
    Store(Error),
}

impl BatchError {
    /// True if one job may be the cause, so that the others of its batch can be committed without it.
    pub(super) fn may_be_of_one_job(&self) -> bool {
        matches!(self, Self::Job(_) | Self::Group(_) | Self::Store(Error::Unreadable { .. }))
    }

    /// Why the job cannot be applied; any other error comes back as it was.
    pub(super) fn about_the_job(self) -> Result<String, Self> {
        match self {
            Self::Job(detail) => Ok(detail),
            Self::Group(error) => Ok(error.to_string()),
            other => Err(other),
        }
    }
}

impl From<Error> for BatchError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unfit(detail) => Self::Job(detail),
            error => Self::Store(error),
        }
    }
}

impl From<TooLarge> for BatchError {
    fn from(error: TooLarge) -> Self {
        Self::Group(error)
    }
}

/// Makes an encoding error an error of the job.
pub(super) fn encoded<E: std::fmt::Display>(bytes: Result<Vec<u8>, E>) -> Result<Vec<u8>, BatchError> {
    bytes.map_err(|error| BatchError::Job(error.to_string()))
}
