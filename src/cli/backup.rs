//! `rollcall backup`, `restore` and `verify`: complete, verified copies of the database.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use super::database::with_remedy;
use super::progress::watched;
use crate::config::{Settings, StoreUrl};
use crate::directory::users::show_by_id;
use crate::directory::verify;
use crate::ingest::maintenance::READING;
use crate::store::sqlite::{self, Checked, CopyError, Note, OpenError, PARTIAL, RESTORING};

const BACKUP_HELP: &str = "\
The copy is a consistent snapshot. It is written to PATH.partial, verified (every page, the number of rows, every \
app user), synced and renamed to PATH. The service keeps running and never waits for it. The file is a database of \
its own: `rollcall restore` puts it in place, `rollcall verify` checks that it is unchanged.

Only an earlier backup is ever replaced, never a database or any other file.

If interrupted, it leaves PATH.partial, which the next backup overwrites. Exit codes: 0 the backup is complete and \
on disk, 1 PATH must not be written or the copy is damaged, 74 a file cannot be read or written.

Examples:
  rollcall backup /backups/rollcall-monday.db
  rollcall backup --overwrite --json /backups/latest.db";

const RESTORE_HELP: &str = "\
Stop the service first: an open database is refused. The backup is verified, copied beside the target, verified \
again, synced and renamed: after an interruption, either the old database or the new one is in place. --replace \
replaces an existing database, even a damaged one or one of a newer program, which is the way back from an upgrade. \
The old database, or a log without its database, is moved aside to a name that is printed; delete it later.

Exit codes: 0 the database is in place and on disk, 1 there is one already or the backup is damaged, 74 a file cannot \
be read or written.

Examples:
  rollcall restore /backups/rollcall-monday.db
  rollcall restore --replace /backups/rollcall-monday.db
  rollcall restore --to /tmp/drill.db /backups/rollcall-monday.db";

const VERIFY_HELP: &str = "\
Checks every page and every app user, checks the journal for missing entries, bodies and users, and compares every \
derived table (identifiers, columns and indexes of lists and searches, counters) with its source. A service may keep \
running. Two databases with the same seq and checksum show the same directory. A backup must be unchanged since it \
was made.

The last line is the verdict: whole, damaged, or unknown if it could not be checked. Damage that `rollcall rebuild` \
can repair is named. Exit codes: 0 whole, 1 damaged, changed or no backup of rollcall, 74 it cannot be read.

Examples:
  rollcall verify
  rollcall verify /backups/rollcall-monday.db";

/// The arguments of `rollcall backup`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = BACKUP_HELP)]
pub struct BackupArgs {
    /// The file to write
    path: PathBuf,
    /// Replace the backup at PATH once the new one is complete
    #[arg(long)]
    overwrite: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Writes a backup and prints its contents in numbers.
///
/// # Errors
/// As [`sqlite::backup`]; or stdout cannot be written.
pub fn back_up(args: &BackupArgs, settings: &Settings) -> anyhow::Result<()> {
    let StoreUrl::Sqlite(source) = &settings.store.url;
    let _note = Note::leave(source, &args.path, PARTIAL);
    sqlite::check_replaced(source)?;
    let made =
        watched(settings, |work| sqlite::backup(source, &args.path, args.overwrite, show_by_id, work))??;
    print(&made, args.json, None)
}

/// Prints the last event, the app users, the checksum and the size of a database, then a verdict.
fn print(checked: &Checked, as_json: bool, verdict: Option<&str>) -> anyhow::Result<()> {
    let Checked { seq, counts, checksum, schema, bytes, taken } = checked;
    let taken = taken.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).map(|at| at.to_string());
    let text = if as_json {
        let mut value = json!({
            "seq": seq, "users": counts.users, "events": counts.events, "quarantined": counts.quarantined,
            "checksum": checksum, "schema": schema, "bytes": bytes, "taken": taken,
        });
        verdict.iter().for_each(|verdict| value["verdict"] = (*verdict).into());
        value.to_string()
    } else {
        let (users, events, quarantined) = (counts.users, counts.events, counts.quarantined);
        let shows = match checksum {
            Some(checksum) => {
                format!("users {users}\nevents {events}\nquarantined {quarantined}\nchecksum {checksum}\n")
            }
            None => format!(
                "schema {schema}, older than this program: its app users were not read; the service brings it up to \
                 date when it starts with it\n"
            ),
        };
        let taken = taken.map(|at| format!("\ntaken {at}")).unwrap_or_default();
        let verdict = verdict.map(|verdict| format!("\nverdict {verdict}")).unwrap_or_default();
        format!("seq {seq}\n{shows}bytes {bytes}{taken}{verdict}")
    };
    writeln!(std::io::stdout(), "{text}").context("the result could not be printed")
}

/// The arguments of `rollcall restore`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = RESTORE_HELP)]
pub struct RestoreArgs {
    /// The backup
    backup: PathBuf,
    /// Path of the restored database; by default store.url of the settings
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
    /// Replace an existing database, which is moved aside
    #[arg(long)]
    replace: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Restores a backup and prints its contents in numbers.
///
/// # Errors
/// As [`sqlite::restore`]; or stdout cannot be written.
pub fn restore(args: &RestoreArgs, settings: &Settings) -> anyhow::Result<()> {
    let StoreUrl::Sqlite(path) = &settings.store.url;
    let to = args.to.as_ref().unwrap_or(path);
    let _note = Note::leave(path, to, RESTORING);
    let restored =
        watched(settings, |work| sqlite::restore(&args.backup, to, path, args.replace, show_by_id, work))?;
    let restored = restored.map_err(|error| match error {
        error @ CopyError::Exists(_) => {
            anyhow::Error::new(error).context("nothing was restored: use --replace")
        }
        error @ CopyError::Same(_) => anyhow::Error::new(error).context("nothing was restored"),
        error => error.into(),
    })?;
    print(&restored.checked, args.json, None)?;
    let (path, aside) = (restored.path.display().to_string(), restored.aside);
    let aside = aside.map(|aside| aside.display().to_string());
    let text = match (args.json, aside) {
        (true, aside) => json!({ "restored": path, "aside": aside }).to_string(),
        (false, None) => format!("restored {path}"),
        (false, Some(aside)) => format!("restored {path}\nthe database it replaced is {aside}"),
    };
    writeln!(std::io::stdout(), "{text}").context("the result could not be printed")
}

/// The arguments of `rollcall verify`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = VERIFY_HELP)]
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
/// As [`verify::verify`]; or stdout cannot be written.
pub fn verify(args: &VerifyArgs, settings: &Settings) -> anyhow::Result<()> {
    let StoreUrl::Sqlite(database) = &settings.store.url;
    let path = args.path.as_ref().unwrap_or(database);
    let checked = watched(settings, |work| {
        sqlite::check_replaced(path)?;
        verify::verify(path, READING.event, work)
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
            Err(if path == database { with_remedy(error) } else { error }.into())
        }
    }
}
