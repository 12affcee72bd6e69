//! `rollcall export`: the directory as lines of JSON, for another rollcall, or as a table.

mod file;
mod pages;
mod person;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use super::progress::Progress;
use super::{Failure, database, token};
use crate::config::{Settings, StoreUrl};
use crate::domain::AppId;
use crate::http::filtered;
use crate::store::export::{Export as _, Kept};
use crate::store::sqlite::SqliteReader;
use crate::store::{Query, Reader as _};
use crate::wire::{csv, export};
use file::Target;
use pages::Pages;

const HELP: &str = "\
Reads the database file, beside a running service, a page at a time: what changes meanwhile may be in it or \
not, and whoever is there all the time is in it.

ndjson is for `rollcall import`: a line for each app user, with the records of everybody merged into it, and \
for each `_id` that was removed. It carries everything a directory goes on from, but no history. csv is for \
people: a row for each app user.

With --user the whole file of one person as JSON: what is shown, every `_id` with what is known under it, every \
event with its body, which event each value is from, and what the quarantine holds.

A file is there when all of it is, and not before; it replaces an earlier export and nothing else. The exit code is 0 if all was written.

Examples:
  rollcall export -o directory.ndjson
  rollcall export --format csv --app 5698edbf2a43bd081be982f1 -o users.csv
  rollcall export --filter property.plan=gold --filter seenSince=2026-01-01T00:00:00Z
  rollcall export | gzip > directory.ndjson.gz
  rollcall export --user bob@example.com > bob.json";

/// What `rollcall export` is told.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// Only this app, by its id; if left out, every app of the database
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Only this person, and all that is kept of them: an _id, also an old one, or a userId
    #[arg(long, value_name = "USER", conflicts_with = "format")]
    user: Option<String>,
    /// Only app users who fit, as in GET /v1/appusers: q, userId, email, platform, identified,
    /// conversationStarted, seenSince, seenBefore, signedUpSince, signedUpBefore, property.KEY, and sort; may be
    /// repeated. Who was removed fits nothing
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair, conflicts_with = "user")]
    filter: Vec<(String, String)>,
    /// Lines of JSON that `rollcall import` takes, or a table
    #[arg(long, value_enum, default_value = "ndjson")]
    format: Format,
    /// Write to this file, or to a named pipe; stdout if left out. An export that is there is replaced once all is
    /// written
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The form of an export, or of a file to be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// JSON, a line each
    Ndjson,
    /// RFC 4180, with a header
    Csv,
}

/// Writes everything there is. Returns what to exit with: 0.
///
/// # Errors
/// The database cannot be read, it has no such app, or the output cannot be written.
pub fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let mut reader = database::open(settings)?;
    let StoreUrl::Sqlite(database) = &settings.store.url;
    if let Some(user) = &args.user {
        let app = AppId::from(&*token::app(args.app.as_deref(), &settings.apps)?.id);
        let file = person::file(&mut reader, &app, user)?;
        let mut target = Target::open(args.output.as_deref(), database)?;
        writeln!(target, "{file}").context("the file could not be written")?;
        target.finish()?;
        return Ok(ExitCode::SUCCESS);
    }
    let query = match args.filter.as_slice() {
        [] => None,
        filter => Some(filtered(filter).map_err(Failure::Usage)?),
    };
    let mut apps = reader.apps()?;
    if let Some(app) = &args.app {
        apps.retain(|known| known.as_str() == app);
        let is_set = settings.apps.iter().any(|known| known.id == *app);
        if apps.is_empty() && !is_set {
            return Err(
                Failure::Usage(format!("there is no app {app:?} in the settings or the database")).into()
            );
        }
    }
    if args.format == Format::Csv && apps.len() > 1 {
        let why = "there are several apps, and a table has no column for them: name one with --app";
        return Err(Failure::Usage(why.to_owned()).into());
    }
    let all = args.app.is_none() && query.is_none();
    let mut progress = Progress::new(|| reader.counts().ok().filter(|_| all).map(|counts| counts.users))?;
    progress.name("app users");
    let target = Target::open(args.output.as_deref(), database)?;
    let written = write(args, target, &mut reader, &apps, query.as_ref(), &mut progress);
    progress.finish();
    written?;
    Ok(ExitCode::SUCCESS)
}

fn write(
    args: &Args,
    mut target: Target,
    reader: &mut SqliteReader,
    apps: &[AppId],
    query: Option<&Query>,
    progress: &mut Progress,
) -> anyhow::Result<()> {
    if args.format == Format::Csv {
        target.write_all(&csv::header())?;
    }
    for app in apps {
        let mut pages = Pages::of(reader, app, query)?;
        while let Some(kept) = pages.next(reader)? {
            target.write_all(&text(args.format, app, &kept)).context("the export could not be written")?;
            progress.advance(kept.iter().filter(|kept| kept.user.is_some()).count() as u64);
        }
    }
    target.finish()?;
    Ok(())
}

fn text(format: Format, app: &AppId, kept: &[Kept]) -> Vec<u8> {
    match format {
        Format::Csv => csv::rows(kept.iter().filter_map(|kept| kept.user.as_ref())),
        Format::Ndjson => {
            let mut lines = String::new();
            for kept in kept {
                let records = kept.records.iter().map(|one| (&one.id, &one.record, one.apart.as_slice()));
                export::write(app, kept.user.as_ref(), &records.collect::<Vec<_>>(), &mut lines);
            }
            lines.into_bytes()
        }
    }
}
