//! What a process ends with: the exit codes of sysexits that supervisors and scripts know.

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::store;
use crate::store::sqlite::{CopyError, OpenError, OutputError};

/// It failed, or found what should not be.
pub const FAILED: u8 = 1;
/// The command line makes no sense.
pub const USAGE: u8 = 2;
/// The settings are wrong: a supervisor that knows it does not start the program again.
pub const SETTINGS: u8 = 78;
/// What it needs cannot be reached, such as the service.
pub const UNAVAILABLE: u8 = 69;
/// Something could not be read or written, or is too damaged to be.
pub const IO: u8 = 74;

/// Why a command failed, where its exit code says more than that it did.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// What it needs cannot be reached.
    #[error("{0}")]
    Unavailable(String),
    /// A file cannot be read or written.
    #[error("{0}")]
    Io(String),
}

/// Says on stderr why a command failed. Gives what to exit with, as the cause says.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(gone)) {
        // Whoever read the output has seen enough.
        return ExitCode::SUCCESS;
    }
    // Whatever reads or writes a file says which. Whoever closed stderr still gets the exit code.
    _ = match error.downcast_ref::<io::Error>().filter(|_| error.chain().len() == 1) {
        Some(error) => {
            writeln!(io::stderr(), "rollcall: the output cannot be written: {}", store::explain(error))
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

/// What a database that cannot be opened is to whoever started the program.
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
