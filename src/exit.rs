//! Exit codes, as in sysexits.h.

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::store;
use crate::store::sqlite::{CopyError, OpenError, OutputError};

/// The command failed, or found a fault.
pub const FAILED: u8 = 1;
/// The command line is invalid.
pub const USAGE: u8 = 2;
/// The settings are wrong: a restart would not help.
pub const SETTINGS: u8 = 78;
/// A dependency is unavailable, such as the service.
pub const UNAVAILABLE: u8 = 69;
/// An input or output error, or a file too damaged to read.
pub const IO: u8 = 74;

/// The failure of a command that has an exit code of its own.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The command line is invalid.
    #[error("{0}")]
    Usage(String),
    /// A dependency is unavailable.
    #[error("{0}")]
    Unavailable(String),
    /// A file cannot be read or written.
    #[error("{0}")]
    Io(String),
}

/// Prints the failure of a command on stderr. Returns the exit code of its cause.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(gone)) {
        // The reader of the output closed the pipe.
        return ExitCode::SUCCESS;
    }
    // An I/O error without context is one of stdout: all others name their file. A closed stderr is ignored.
    _ = match error.downcast_ref::<io::Error>().filter(|_| error.chain().len() == 1) {
        Some(error) => {
            writeln!(io::stderr(), "rollcall: cannot write to stdout: {}", store::explain(error))
        }
        None => writeln!(io::stderr(), "rollcall: {error:#}"),
    };
    let of = |cause: &(dyn std::error::Error + 'static)| {
        if cause.is::<io::Error>() || cause.is::<store::Error>() {
            return Some(IO);
        }
        let failure = cause.downcast_ref().map(|failure| match failure {
            CommandError::Usage(_) => USAGE,
            CommandError::Unavailable(_) => UNAVAILABLE,
            CommandError::Io(_) => IO,
        });
        let open = || cause.downcast_ref().map(of_open);
        let refused = || {
            cause
                .downcast_ref()
                .map(|refusal| if matches!(refusal, OutputError::Io { .. }) { IO } else { FAILED })
        };
        failure.or_else(|| cause.downcast_ref().map(of_copy)).or_else(open).or_else(refused)
    };
    ExitCode::from(error.chain().find_map(of).unwrap_or(FAILED))
}

fn of_copy(error: &CopyError) -> u8 {
    match error {
        CopyError::Io { .. } | CopyError::Store { .. } | CopyError::NoRoom { .. } => IO,
        CopyError::Refused(OutputError::Io { .. }) => IO,
        CopyError::Open(error) => of_open(error),
        CopyError::Refused(_)
        | CopyError::Exists(_)
        | CopyError::Same(_)
        | CopyError::Damaged { .. }
        | CopyError::Derived { .. }
        | CopyError::Journal { .. }
        | CopyError::WalLimitReached(_)
        | CopyError::Stopped => FAILED,
    }
}

/// The exit code of a database that cannot be opened.
pub fn of_open(error: &OpenError) -> u8 {
    match error {
        OpenError::Io { .. }
        | OpenError::Store { .. }
        | OpenError::LogAlone { .. }
        | OpenError::LogOfAnother { .. }
        | OpenError::LogGone { .. }
        | OpenError::NoFolder(_)
        | OpenError::Missing(_)
        | OpenError::NotWritable { .. } => IO,
        OpenError::Upgrade(error) => of_copy(error),
        OpenError::InUse(_)
        | OpenError::SecondName(_)
        | OpenError::Newer { .. }
        | OpenError::Older { .. }
        | OpenError::Foreign(_)
        | OpenError::Library(_) => FAILED,
    }
}
