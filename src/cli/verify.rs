//! `rollcall verify`: verifies a database or a backup.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use super::backup::print;
use super::progress::watched;
use crate::config::{Settings, StoreUrl};
use crate::directory::verify::verify;
use crate::ingest::maintenance::READING;
use crate::store::sqlite::{self, CopyError, OpenError};

const AFTER_HELP: &str = "\
Checks every page and every app user, checks the journal for missing entries, bodies and users, and compares every \
derived table (identifiers, columns and indexes of lists and searches, counters) with its source. A service may keep \
running. Two databases with the same seq and checksum show the same directory. A backup must be unchanged since it \
was made.

The last line is the verdict: whole, damaged, or unknown if it could not be checked. Damage that `rollcall rebuild` \
can repair is named. Exit codes: 0 whole, 1 damaged, changed or no backup of rollcall, 74 it cannot be read.

Examples:
  rollcall verify
  rollcall verify /backups/rollcall-monday.db";

/// The arguments of `rollcall verify`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct VerifyArgs {
    /// The database or backup; by default store.url of the settings
    path: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Verifies a database and prints its contents in numbers.
///
/// # Errors
/// As [`verify()`]; or stdout cannot be written.
pub fn run(args: &VerifyArgs, settings: &Settings) -> anyhow::Result<()> {
    let StoreUrl::Sqlite(database) = &settings.store.url;
    let path = args.path.as_ref().unwrap_or(database);
    let checked = watched(settings, |work| {
        sqlite::check_replaced(path)?;
        verify(path, READING.event, work)
    })?;
    match checked {
        Ok(checked) => print(&checked, args.json, Some("whole")),
        Err(error) => {
            let is_damaged = matches!(
                error,
                CopyError::Damaged { .. }
                    | CopyError::Derived { .. }
                    | CopyError::Journal { .. }
                    | CopyError::Open(OpenError::Foreign(_))
            );
            let verdict = if is_damaged { "damaged" } else { "unknown" };
            let line = if args.json {
                json!({ "verdict": verdict }).to_string()
            } else {
                format!("verdict {verdict}")
            };
            writeln!(std::io::stdout(), "{line}").context("the verdict could not be printed")?;
            Err(error.into())
        }
    }
}
