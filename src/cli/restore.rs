//! `rollcall restore`: puts a backup where the service will find it.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use super::backup::print;
use super::task_progress::watched;
use crate::config::{Settings, StoreUrl};
use crate::store::sqlite::{self, CopyError, Note, RESTORING};

const AFTER_HELP: &str = "\
Stop the service first; while one has the database, nothing is done. The backup is checked, copied beside its \
place, checked again there, synced, and only then put in place: interrupted at any moment, there is the old \
database or the new one. Whatever is there is replaced with --replace, be it damaged or of a newer program: this is the way \
back from an upgrade. An old one, or a log that lies there without its database, is kept aside under a name that is printed; delete it \
once all is well.

The exit code is 0 once the database is in place and on disk, 1 if there is one already or the backup is damaged, \
74 if a file cannot be read or written.

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
    /// Where to put it; if left out, where the settings (store.url) say that the database is
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
    /// Put it in place of a database that is there, which is kept aside
    #[arg(long)]
    replace: bool,
    /// Print what is in it as JSON
    #[arg(long)]
    json: bool,
}

/// Puts a backup in place and prints what is in it.
///
/// # Errors
/// As [`sqlite::restore`]; or stdout cannot be written.
pub fn run(args: &RestoreArgs, settings: &Settings) -> anyhow::Result<()> {
    let StoreUrl::Sqlite(path) = &settings.store.url;
    let to = args.to.as_ref().unwrap_or(path);
    let _note = Note::leave(path, to, RESTORING);
    let restored = watched(settings, |work| sqlite::restore(&args.backup, to, path, args.replace, work))?;
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
