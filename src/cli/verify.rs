//! `rollcall verify`: whether a database or a backup is whole, and what it shows.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use super::backup::print;
use super::task_progress::watched;
use crate::config::{Settings, StoreUrl};
use crate::ingest::maintenance::READING;
use crate::store::sqlite::{self, CopyError, OpenError};

const AFTER_HELP: &str = "\
Every page is looked at, every app user is read, the journal is looked through for entries, bodies and app users \
that it has lost, and every table that is made of others (identifiers, \
columns and indexes of lists and searches, counters) is compared with what it is made of, while the service goes on \
if there is one. Two databases with one seq and one checksum show the same directory. A backup must still show what it did when it was made.

The last line is the verdict: whole, damaged, or unknown if it could not be checked. What `rollcall rebuild` can make \
anew is named. The exit code is 0 if it is whole, 1 if it is damaged, is no backup of rollcall, or is not what it \
was, 74 if it cannot be read.

Examples:
  rollcall verify
  rollcall verify /backups/rollcall-monday.db";

/// The arguments of `rollcall verify`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct VerifyArgs {
    /// The database or backup; if left out, the database of the settings (store.url)
    path: Option<PathBuf>,
    /// Print what is in it as JSON
    #[arg(long)]
    json: bool,
}

/// Checks a database and prints what is in it.
///
/// # Errors
/// As [`sqlite::check`]; or stdout cannot be written.
pub fn run(args: &VerifyArgs, settings: &Settings) -> anyhow::Result<()> {
    let StoreUrl::Sqlite(database) = &settings.store.url;
    let path = args.path.as_ref().unwrap_or(database);
    let checked = watched(settings, |work| {
        sqlite::check_replaced(path)?;
        sqlite::verify(path, READING.event, work)
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
