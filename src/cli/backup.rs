//! `rollcall backup`: a whole, checked copy of the database, while the service goes on.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use super::task_progress::watched;
use crate::config::{Settings, StoreUrl};
use crate::store::sqlite::{self, Checked, Note, PARTIAL};

const AFTER_HELP: &str = "\
The copy is of one moment. It is written beside PATH under another name, checked (every page, the number of rows, \
every app user), synced, and only then called PATH. The service goes on meanwhile, and never waits for it. The \
file is a database of its own; `rollcall restore` puts it in place, `rollcall verify` says whether it still is \
what it was.

Only a backup is ever replaced: never a database, be it open or not, by whatever name, and nothing else.

Interrupted, it leaves PATH.partial, which the next one overwrites. The exit code is 0 once the backup is whole \
and on disk, 1 if PATH must not be written or what was copied is damaged, 74 if a file cannot be read or written.

Examples:
  rollcall backup /backups/rollcall-monday.db
  rollcall backup --overwrite --json /backups/latest.db";

/// What `rollcall backup` is told.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct BackupArgs {
    /// The file to write
    path: PathBuf,
    /// Replace the backup at PATH, once the new one is whole
    #[arg(long)]
    overwrite: bool,
    /// Print what is in it as JSON
    #[arg(long)]
    json: bool,
}

/// Writes a backup and prints what is in it.
///
/// # Errors
/// As [`sqlite::backup`]; or nothing takes the output.
pub fn run(args: &BackupArgs, settings: &Settings) -> anyhow::Result<()> {
    let StoreUrl::Sqlite(source) = &settings.store.url;
    let _note = Note::leave(source, &args.path, PARTIAL);
    sqlite::check_replaced(source)?;
    let made = watched(settings, |work| sqlite::backup(source, &args.path, args.overwrite, work))??;
    print(&made, args.json, None)
}

/// Prints what is in a database: its last event, its app users, its checksum and its size; last, a verdict.
pub(super) fn print(checked: &Checked, as_json: bool, verdict: Option<&str>) -> anyhow::Result<()> {
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
