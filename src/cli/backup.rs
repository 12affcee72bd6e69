//! `rollcall backup`: a complete, verified copy of the database, beside a running service.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use super::progress::watched;
use crate::config::{Settings, StoreUrl};
use crate::directory::users::show_by_id;
use crate::store::sqlite::{self, Checked, Note, PARTIAL};

const AFTER_HELP: &str = "\
The copy is a consistent snapshot. It is written to PATH.partial, verified (every page, the number of rows, every \
app user), synced and renamed to PATH. The service keeps running and never waits for it. The file is a database of \
its own: `rollcall restore` puts it in place, `rollcall verify` checks that it is unchanged.

Only an earlier backup is ever replaced, never a database or any other file.

If interrupted, it leaves PATH.partial, which the next backup overwrites. Exit codes: 0 the backup is complete and \
on disk, 1 PATH must not be written or the copy is damaged, 74 a file cannot be read or written.

Examples:
  rollcall backup /backups/rollcall-monday.db
  rollcall backup --overwrite --json /backups/latest.db";

/// The arguments of `rollcall backup`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
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
pub fn run(args: &BackupArgs, settings: &Settings) -> anyhow::Result<()> {
    let StoreUrl::Sqlite(source) = &settings.store.url;
    let _note = Note::leave(source, &args.path, PARTIAL);
    sqlite::check_replaced(source)?;
    let made =
        watched(settings, |work| sqlite::backup(source, &args.path, args.overwrite, show_by_id, work))??;
    print(&made, args.json, None)
}

/// Prints the last event, the app users, the checksum and the size of a database, then a verdict.
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
