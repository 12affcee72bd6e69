//! `rollcall restore`: restores the database from a backup.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use super::backup::print;
use super::progress::watched;
use crate::config::{Settings, StoreUrl};
use crate::directory::users::show_by_id;
use crate::store::sqlite::{self, CopyError, Note, RESTORING};

const AFTER_HELP: &str = "\
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

/// The arguments of `rollcall restore`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
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
pub fn run(args: &RestoreArgs, settings: &Settings) -> anyhow::Result<()> {
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
