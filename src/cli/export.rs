//! `rollcall export`: the directory as NDJSON, for another rollcall, or as CSV.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use indicatif::{HumanBytes, HumanCount};

use super::progress::Progress;
use super::{CommandError, apps, database};
use crate::config::{Settings, StoreUrl};
use crate::directory::DirectoryReader;
use crate::directory::export::UserExport;
use crate::directory::list_page::{ListCursor, ListResult, ScanLimits};
use crate::domain::brand::Name;
use crate::domain::list::Query;
use crate::domain::{AppId, Visibility};
use crate::http::parse_filter;
use crate::rebuild::{FileLimits, person_file};
use crate::smooch::{csv, export};
use crate::store::readers::LaneReader as _;
use crate::store::sqlite::{Note, Output, OutputKind, PARTIAL, PartialFile};

/// App users of a filtered page, and rows read for one.
const PAGE: usize = 200;
const LOOKS: usize = 20_000;

/// The files that an export may replace.
const EXPORT: OutputKind = OutputKind::Text { name: "export", is: is_export };

const HELP: &str = "\
Reads the database file page by page, beside a running service. Changes made meanwhile may or may not be included; \
an app user that exists throughout is.

ndjson is for `rollcall import`: a line for each app user, with all merged records, and for each removed `_id`. It \
holds the full state of the directory, but no history. csv is for people: a row for each app user.

--user exports all data of one person as JSON: the app user, the record of each `_id`, every event with its body, \
the event that each value comes from, and the bodies in quarantine.

The output file appears once it is complete; it replaces only an earlier export. A summary goes to stderr. The exit \
code is 0 if all was written.

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
    /// Only the app with this id; by default, every app of the database
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// All data of one person: an _id, also a merged one, or a userId
    #[arg(long, value_name = "USER", conflicts_with = "format")]
    user: Option<String>,
    /// With --user: the brand of the userId, if several have it
    #[arg(long, value_name = "ID", requires = "user", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    brand: Option<String>,
    /// Only matching app users, as in GET /v1/appusers: q, userId, brandId, email, identityEmail, platform, appVersion,
    /// appVersionSince, appVersionBefore, identified, conversationStarted, seenSince, seenBefore, signedUpSince, signedUpBefore, property.KEY, and sort; may be
    /// repeated. Removed app users never match
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair, conflicts_with = "user")]
    filter: Vec<(String, String)>,
    /// NDJSON for `rollcall import`, or CSV
    #[arg(long, value_enum, default_value = "ndjson")]
    format: Format,
    /// Write to this file or named pipe instead of stdout. An existing export is replaced once the new one is
    /// complete
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The format of an export or import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// JSON, a line each
    Ndjson,
    /// RFC 4180, with a header
    Csv,
}

/// Writes the export. Returns the exit code: 0.
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
        let Some(view) = apps::find_app_user(&mut reader, &app, &user)? else {
            bail!("there is no app user with this _id or userId in the app {app}")
        };
        let all = FileLimits { events: usize::MAX, bytes: usize::MAX };
        let file =
            person_file(&mut reader, &app, &view, all)?.context("without a limit none is too large")?;
        let file = format!("{file}\n");
        let mut target = Target::open(args.output.as_deref(), database)?;
        target.out.write_all(file.as_bytes()).context("the file could not be written")?;
        target.finish()?;
        summary(args, "a person", file.len() as u64, began.elapsed());
        return Ok(ExitCode::SUCCESS);
    }
    let query = match args.filter.as_slice() {
        [] => None,
        filter => Some(parse_filter(filter).map_err(CommandError::Usage)?),
    };
    let mut all = reader.list_apps()?;
    if let Some(app) = apps::of_database(args.app.as_deref(), &mut reader, settings)? {
        all.retain(|known| *known == app);
    }
    if args.format == Format::Csv && all.len() > 1 {
        let why = "csv has no column for the app, and there are several: name one with --app";
        return Err(CommandError::Usage(why.to_owned()).into());
    }
    let whole = args.app.is_none() && query.is_none();
    let count = || reader.count_contents().ok().filter(|_| whole).map(|counts| counts.users);
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

/// Prints the size of the export on stderr. A closed stderr is ignored.
fn summary(args: &ExportArgs, what: &str, bytes: u64, took: Duration) {
    if let Some(path) = &args.output {
        let (bytes, seconds) = (HumanBytes(bytes), took.as_secs_f64());
        let _ = writeln!(io::stderr(), "exported {what}, {bytes}, in {seconds:.2} s to {}", path.display());
    }
}

/// Writes the export. Returns the numbers of app users and bytes.
fn write(
    args: &ExportArgs,
    mut target: Target,
    reader: &mut DirectoryReader,
    apps: &[AppId],
    query: Option<&Query>,
    progress: &mut Progress,
) -> anyhow::Result<(u64, u64)> {
    let header = if args.format == Format::Csv { csv::header_row() } else { Vec::new() };
    target.out.write_all(&header).context("the export could not be written")?;
    let (mut users, mut bytes) = (0, header.len() as u64);
    let mut put = |app: &AppId, kept: &[UserExport]| -> anyhow::Result<()> {
        let text = text(args.format, app, kept);
        bytes += text.len() as u64;
        target.out.write_all(&text).context("the export could not be written")?;
        let shown = kept.iter().filter(|kept| kept.user.is_some()).count() as u64;
        users += shown;
        progress.advance(shown);
        Ok(())
    };
    for app in apps {
        // Changes after this entry are handled by the store.
        let (begun, mut behind, mut after) = (reader.last_entry_seq()?, None, None);
        loop {
            let is_end = if let Some(query) = query {
                let (kept, next) = filtered(reader, app, query, after.as_ref())?;
                put(app, &kept)?;
                after = next;
                after.is_none()
            } else {
                let part = reader.export_part(app, behind.as_ref(), begun)?;
                put(app, &part.kept)?;
                behind = part.next;
                behind.is_none()
            };
            if is_end {
                break;
            }
        }
    }
    target.finish()?;
    Ok((users, bytes))
}

/// A page of matching app users and their records, from one snapshot.
fn filtered(
    reader: &mut DirectoryReader,
    app: &AppId,
    query: &Query,
    after: Option<&ListCursor>,
) -> anyhow::Result<(Vec<UserExport>, Option<ListCursor>)> {
    let bounds = ScanLimits { limit: PAGE, looks: LOOKS, time: Duration::MAX };
    let mut read = Err(anyhow!("the database was not read"));
    reader.in_one_snapshot(|reader| {
        read = reader.read_list(app, query, after, bounds).map_err(anyhow::Error::from).and_then(|listed| {
            let ListResult::Page(page) = listed else {
                return Err(anyhow!(
                    "too many changes during the export to continue in this order; start again"
                ));
            };
            Ok((reader.export_users(app, &page.users)?, page.next))
        });
    });
    read
}

fn text(format: Format, app: &AppId, kept: &[UserExport]) -> Vec<u8> {
    match format {
        Format::Csv => {
            csv::write_rows(kept.iter().filter_map(|kept| Some(Visibility::Whole.show(kept.user.as_ref()?))))
        }
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

/// The target of an export: stdout, a pipe, or a file that appears once complete.
struct Target {
    out: Box<dyn Write>,
    part: Option<PartialFile>,
}

impl Target {
    /// Fails if the file must not or cannot be written.
    fn open(name: Option<&Path>, database: &Path) -> anyhow::Result<Self> {
        let Some(name) = name else { return Ok(Self { out: Box::new(io::stdout()), part: None }) };
        if fs::metadata(name).is_ok_and(|found| found.file_type().is_fifo()) {
            let pipe = OpenOptions::new().write(true).open(name);
            let pipe = pipe.with_context(|| name.display().to_string())?;
            return Ok(Self { out: Box::new(pipe), part: None });
        }
        let part = PartialFile::new(Output::check(name, EXPORT, Some(database))?)?;
        Ok(Self { out: Box::new(BufWriter::new(part.file())), part: Some(part) })
    }

    /// Syncs the file and gives it its name.
    fn finish(mut self) -> anyhow::Result<()> {
        let Some(part) = self.part else { return self.out.flush().context("stdout") };
        self.out.flush().context("the export could not be written")?;
        Ok(part.place()?)
    }
}

/// True if this is the start of an export: NDJSON, CSV, or the data of one person.
fn is_export(head: &[u8]) -> bool {
    head.starts_with(b"{\"rollcall\":")
        || head.starts_with(b"{\"app\":\"")
        || head.starts_with(&csv::header_row())
}
