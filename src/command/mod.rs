//! One file for each subcommand but `serve`, and what several of them share.

pub mod check_config;
mod database;
pub mod export;
pub mod import;
pub mod journal;
mod progress;
pub mod quarantine;
pub mod rebuild;
pub mod replay;
mod service;
pub mod tail;
pub mod token;

use std::io;
use std::process::ExitCode;

use crate::store;

/// Why a command failed, where its exit code says more than that it did.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line makes no sense: exit code 2, as for every other mistake on it.
    #[error("{0}")]
    Usage(String),
    /// What it needs cannot be reached: exit code 69 (`EX_UNAVAILABLE` of sysexits).
    #[error("{0}")]
    Unavailable(String),
    /// A file cannot be read or written: exit code 74 (`EX_IOERR` of sysexits).
    #[error("{0}")]
    Io(String),
}

/// Says on stderr why a command failed. Returns what to exit with.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(gone)) {
        // Whoever read the output has seen enough.
        return ExitCode::SUCCESS;
    }
    eprintln!("rollcall: {error:#}");
    match error.downcast_ref() {
        Some(Failure::Usage(_)) => ExitCode::from(2),
        Some(Failure::Unavailable(_)) => ExitCode::from(69),
        Some(Failure::Io(_)) => ExitCode::from(74),
        None if error.is::<store::Error>() => ExitCode::from(74),
        None => ExitCode::FAILURE,
    }
}
