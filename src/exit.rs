//! What a process ends with: the exit codes of sysexits that supervisors and scripts know.

use std::process::ExitCode;

use crate::store::sqlite::{CopyError, OpenError};

/// It failed, or found what should not be.
pub const FAILED: u8 = 1;
/// The settings are wrong: a supervisor that knows it does not start the program again.
pub const SETTINGS: u8 = 78;
/// What it needs cannot be reached, such as the service.
pub const UNAVAILABLE: u8 = 69;
/// Something could not be read or written, or is too damaged to be.
pub const IO: u8 = 74;

/// Something that a command needs cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// What to exit with after an error: as its cause says.
pub fn code(error: &anyhow::Error) -> ExitCode {
    let of = |cause: &(dyn std::error::Error + 'static)| {
        if cause.is::<Unavailable>() {
            return Some(UNAVAILABLE);
        }
        if cause.is::<std::io::Error>() {
            return Some(IO);
        }
        cause.downcast_ref::<CopyError>().map(of_copy).or_else(|| cause.downcast_ref().map(of_open))
    };
    ExitCode::from(error.chain().find_map(of).unwrap_or(FAILED))
}

fn of_copy(error: &CopyError) -> u8 {
    match error {
        CopyError::Io { .. } | CopyError::Store { .. } | CopyError::NoRoom { .. } => IO,
        CopyError::Open(error) => of_open(error),
        CopyError::Exists(_) | CopyError::Damaged { .. } | CopyError::Crowded(_) | CopyError::Stopped => {
            FAILED
        }
    }
}

/// What a database that cannot be opened is to whoever started the program.
pub fn of_open(error: &OpenError) -> u8 {
    match error {
        OpenError::Io { .. } | OpenError::Store { .. } => IO,
        OpenError::Upgrade(error) => of_copy(error),
        OpenError::InUse(_) | OpenError::Newer { .. } | OpenError::Foreign(_) | OpenError::Library(_) => {
            FAILED
        }
    }
}
