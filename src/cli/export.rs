//! `rollcall export`: the directory as lines of JSON, for another rollcall, or as a table.

mod file;
mod pages;
mod subject_access;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{HumanBytes, HumanCount};

use super::progress::Progress;
use super::{CommandError, apps, database};
use crate::config::{Settings, StoreUrl};
use crate::domain::AppId;
use crate::domain::brand::Name;
use crate::domain::list::Query;
use crate::http::filtered;
use crate::smooch::{csv, export};
use crate::store::Reader as _;
use crate::store::export::{Export as _, Kept};
use crate::store::sqlite::{Note, PARTIAL, SqliteReader};
use file::Target;
use pages::ExportPages;

const HELP: &str = "\
Reads the database file, beside a running service, a page at a time: what changes meanwhile may be in it or \
not, and whoever is there all the time is in it.

ndjson is for `rollcall import`: a line for each app user, with the records of everybody merged into it, and \
for each `_id` that was removed. It carries everything a directory goes on from, but no history. csv is for \
people: a row for each app user.

With --user the whole file of one person as JSON: what is shown, every `_id` with what is known under it, every \
event with its body, which event each value is from, and what the quarantine holds.

A file is there when all of it is, and not before; it replaces an earlier export and nothing else. stderr then says \
how much is in it. The exit code is 0 if all was written.

Examples:
  rollcall export -o directory.ndjson
  rollcall export --format csv --app 5698edbf2a43bd081be982f1 -o users.csv
  rollcall export --filter property.plan=gold --filter seenSince=2026-01-01T00:00:00Z
  rollcall export | gzip > directory.ndjson.gz
  rollcall export --user bob@example.com > bob.json";

/// The arguments of `rollcall export`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct ExportArgs {
    /// Only this app, by its id; if left out, every app of the database
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Only this person, and all that is kept of them: an _id, also an old one, or a userId
    #[arg(long, value_name = "USER", conflicts_with = "format")]
    user: Option<String>,
    /// With --user: the brand in which the userId is meant, where several carry it
    #[arg(long, value_name = "ID", requires = "user", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    brand: Option<String>,
    /// Only app users who fit, as in GET /v1/appusers: q, userId, brandId, email, identityEmail, platform, appVersion,
    /// appVersionSince, appVersionBefore, identified, conversationStarted, seenSince, seenBefore, signedUpSince, signedUpBefore, property.KEY, and sort; may be
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

/// Writes everything there is. Returns the exit code: 0.
///
/// # Errors
/// The database cannot be read, it has no such app, or the output cannot be written.
pub fn run(args: &ExportArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let mut reader = database::open(settings)?;
    let StoreUrl::Sqlite(database) = &settings.store.url;
    let _note = args.output.as_deref().and_then(|path| Note::leave(database, path, PARTIAL));
    if let Some(user) = &args.user {
        let app = apps::one_of_database(args.app.as_deref(), &mut reader, settings)?;
        let began = Instant::now();
        let user = Name::from(user.as_str()).in_brand(args.brand.as_deref());
        let file = format!("{}\n", subject_access::file(&mut reader, &app, &user)?);
        let mut target = Target::open(args.output.as_deref(), database)?;
        target.write_all(file.as_bytes()).context("the file could not be written")?;
        target.finish()?;
        summary(args, "a person", file.len() as u64, began.elapsed());
        return Ok(ExitCode::SUCCESS);
    }
    let query = match args.filter.as_slice() {
        [] => None,
        filter => Some(filtered(filter).map_err(CommandError::Usage)?),
    };
    let mut all = reader.apps()?;
    if let Some(app) = apps::of_database(args.app.as_deref(), &mut reader, settings)? {
        all.retain(|known| *known == app);
    }
    if args.format == Format::Csv && all.len() > 1 {
        let why = "there are several apps, and a table has no column for them: name one with --app";
        return Err(CommandError::Usage(why.to_owned()).into());
    }
    let whole = args.app.is_none() && query.is_none();
    let count = || reader.counts().ok().filter(|_| whole).map(|counts| counts.users);
    let mut progress = match &args.output {
        Some(_) => Progress::new(count, "app users")?,
        None => Progress::beside_data(count, "app users")?,
    };
    let began = Instant::now();
    let target = Target::open(args.output.as_deref(), database)?;
    let written = write(args, target, &mut reader, &all, query.as_ref(), &mut progress);
    progress.finish();
    let (users, bytes) = written?;
    summary(args, &format!("{} app users", HumanCount(users)), bytes, began.elapsed());
    Ok(ExitCode::SUCCESS)
}

/// Says on stderr what is in the file. A closed stderr is ignored.
fn summary(args: &ExportArgs, what: &str, bytes: u64, took: Duration) {
    if let Some(path) = &args.output {
        let (bytes, seconds) = (HumanBytes(bytes), took.as_secs_f64());
        let _ = writeln!(io::stderr(), "exported {what}, {bytes}, in {seconds:.2} s to {}", path.display());
    }
}

/// Writes everything: how many app users, and how many bytes.
fn write(
    args: &ExportArgs,
    mut target: Target,
    reader: &mut SqliteReader,
    apps: &[AppId],
    query: Option<&Query>,
    progress: &mut Progress,
) -> anyhow::Result<(u64, u64)> {
    let (mut users, mut bytes) = (0, 0);
    let mut put = |text: &[u8]| {
        bytes += text.len() as u64;
        target.write_all(text).context("the export could not be written")
    };
    if args.format == Format::Csv {
        put(&csv::header_row())?;
    }
    for app in apps {
        let mut pages = ExportPages::of(reader, app, query)?;
        while let Some(kept) = pages.next(reader)? {
            put(&text(args.format, app, &kept))?;
            let shown = kept.iter().filter(|kept| kept.user.is_some()).count() as u64;
            users += shown;
            progress.advance(shown);
        }
    }
    target.finish()?;
    Ok((users, bytes))
}

fn text(format: Format, app: &AppId, kept: &[Kept]) -> Vec<u8> {
    match format {
        Format::Csv => csv::write_rows(kept.iter().filter_map(|kept| kept.user.as_ref())),
        Format::Ndjson => {
            let mut lines = String::new();
            for kept in kept {
                let records = kept.records.iter().map(|one| (&one.id, &one.record, one.apart.as_slice()));
                export::write_lines(app, kept.user.as_ref(), &records.collect::<Vec<_>>(), &mut lines);
            }
            lines.into_bytes()
        }
    }
}
