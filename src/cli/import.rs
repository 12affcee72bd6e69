//! `rollcall import`: the running service imports app users from an export, NDJSON or CSV.
//!
//! One thread reads ahead within bounds, the caller posts chunk by chunk: memory does not depend on the size.

mod chunks;

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::admin_client::{AdminClient, description};
use super::export::Format;
use super::progress::Progress;
use super::replay::payloads::names;
use super::{CommandError, apps, stop_signal};
use crate::config::Settings;
use crate::domain::NAME_BYTES;
use crate::smooch::csv::COLUMNS;
use crate::smooch::{self, ParseLimits};
use crate::store::explain;
use chunks::{LineChunk, PayloadLocation};

const AHEAD: usize = 2;
/// The time for which an overloaded or restarting service is retried.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause without a `Retry-After`.
const PAUSE: Duration = Duration::from_secs(1);

fn after_help() -> String {
    let columns: Vec<&str> = COLUMNS.iter().copied().filter(|column| *column != "aliases").collect();
    HELP.replace("{columns}", &columns.join(", "))
}

const HELP: &str = "\
Imports the output of `rollcall export`; app users as GET shows them, one JSON object a line; and CSV with a \
header of the columns {columns} and properties.KEY, any of them. Rows other \
than exports only add data: with an _id they count as reported by Smooch when the app user was last seen (lastSeen, \
else the latest of its clients, else before everything else); without one they create the app user of a userId, as \
POST /v1/appusers does.

The running service performs the import. Known data changes nothing, so an interrupted import can be run again. An \
invalid line is reported on stderr with its file and number, and the import continues. Ctrl-C and SIGTERM wait for the \
request in progress; a second signal does not, and ends the command without a summary. Exit codes: 0 all lines were \
imported, 1 some were not, there was none, or a signal stopped it, 69 the service does not answer, 130 a second signal \
ended it.

Examples:
  rollcall import directory.ndjson
  rollcall import --dry-run --app 5698edbf2a43bd081be982f1 customers.csv
  zcat directory.ndjson.gz | rollcall import -";

/// The arguments of `rollcall import`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = after_help())]
pub struct ImportArgs {
    /// Files to import, or - for stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Id of the app for lines that name none; lines that name another one are invalid. By default, the only
    /// app of the settings
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Format of the files; by default csv for names that end in .csv, else ndjson
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// URL of the admin listener; by default server.admin_listen of the settings. On another machine with the name
    /// and the secret of an operator: http://NAME:SECRET@HOST:PORT
    #[arg(long, value_name = "URL", conflicts_with = "dry_run")]
    to: Option<Url>,
    /// Only check the lines and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Default)]
struct ImportSummary {
    imported: u64,
    known: u64,
    wrong: u64,
}

/// Imports the files and prints a summary on stdout. Returns the exit code: 0 if every line was imported, else 1. No
/// value of a line is ever printed.
///
/// # Errors
/// A file cannot be read, the service does not answer, refuses, or is overloaded for too long; or nothing takes
/// the summary.
pub async fn run(args: &ImportArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    // The settings of another service are unknown.
    if args.to.is_none() {
        args.app.as_deref().map(|app| apps::of_settings(Some(app), &settings.apps)).transpose()?;
    }
    can_be_read(&args.files)?;
    let app = match (&args.app, settings.apps.as_slice()) {
        (Some(app), _) => Some(app.as_str()),
        (None, [only]) => Some(only.id.as_str()),
        (None, _) => None,
    };
    let mut progress = Progress::new(|| chunks::count(&args.files), "lines")?;
    let (to_post, pieces) = async_channel::bounded(AHEAD);
    let (files, format) = (args.files.clone(), args.format);
    let reader = tokio::task::spawn_blocking(move || chunks::read(&files, format, &to_post));
    let service = match &args.to {
        Some(url) => AdminClient::at(url, settings)?,
        None if args.dry_run => AdminClient::none()?,
        None => AdminClient::of(settings)?,
    };
    let importer = Importer { service, path: path(app, args.app.is_some()), dry_run: args.dry_run };
    let (mut tally, began) = (ImportSummary::default(), Instant::now());
    let (mut stop, mut is_left) = (stop_signal()?, false);
    while let Some(piece) = tokio::select! {
        biased;
        Ok(_) = stop.wait_for(|stop| *stop) => None,
        piece = pieces.recv() => piece.ok(),
    } {
        let wrong = if importer.dry_run {
            check(&piece, args.app.as_deref(), app, settings, &mut tally)
        } else if let Some(wrong) = importer.post(&piece, &mut tally, &mut stop).await? {
            wrong
        } else {
            is_left = true;
            break;
        };
        for (place, why) in piece.wrong.iter().chain(&wrong) {
            tally.wrong += 1;
            progress.say(&format!("{place}: {why}"));
        }
        progress.advance((piece.places.len() + piece.wrong.len()) as u64);
    }
    let is_stopped = *stop.borrow() && (is_left || !reader.is_finished() || !pieces.is_empty());
    if !is_stopped {
        reader.await.context("reading the files failed")?;
    }
    progress.finish();
    let ImportSummary { imported, known, wrong } = tally;
    anyhow::ensure!(
        is_stopped || imported + known + wrong > 0,
        "nothing was imported: there is nothing to import in {}",
        names(&args.files)
    );
    if is_stopped {
        // A closed stderr is ignored.
        _ = writeln!(io::stderr(), "stopped by a signal; the rest was not imported");
    }
    summary(args, &tally, began.elapsed())?;
    Ok(if tally.wrong == 0 && !is_stopped { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks each file before anything is sent. Pipes and stdin are opened in their turn.
fn can_be_read(files: &[PathBuf]) -> Result<(), CommandError> {
    if files.iter().filter(|file| file.as_os_str() == "-").count() > 1 {
        return Err(CommandError::Usage("stdin can be read only once: name - once".to_owned()));
    }
    for file in files.iter().filter(|file| file.as_os_str() != "-") {
        let unreadable = |why: &str| CommandError::Io(format!("{}: {why}", file.display()));
        let kind = file.metadata().map_err(|error| unreadable(&explain(&error)))?.file_type();
        if kind.is_dir() {
            return Err(unreadable("is a folder: name the files in it"));
        }
        if kind.is_socket() || kind.is_block_device() {
            return Err(unreadable("is no file"));
        }
        if kind.is_file() {
            File::open(file).map_err(|error| unreadable(&explain(&error)))?;
        }
    }
    Ok(())
}

/// The path of the route. A requested app makes lines of other apps invalid; the only app of the settings is just
/// the default.
fn path(app: Option<&str>, asked: bool) -> String {
    let query = app.map(|app| (if asked { "app" } else { "default" }, app));
    let query = serde_urlencoded::to_string(query.as_slice()).unwrap_or_default();
    format!("/import?{query}")
}

fn summary(args: &ImportArgs, tally: &ImportSummary, took: Duration) -> anyhow::Result<()> {
    let ImportSummary { imported, known, wrong } = tally;
    let seconds = took.as_secs_f64();
    let text = match (args.json, args.dry_run) {
        (true, _) => {
            let seconds = (seconds * 1e3).round() / 1e3;
            json!({ "imported": imported, "known": known, "wrong": wrong, "seconds": seconds }).to_string()
        }
        (_, true) => format!("{imported} lines could be imported, {wrong} could not"),
        _ => format!("imported {imported} in {seconds:.2} s\n  known already: {known}\n  wrong: {wrong}"),
    };
    writeln!(io::stdout(), "{text}").context("the summary could not be printed")
}

struct Importer {
    service: AdminClient,
    path: String,
    dry_run: bool,
}

impl Importer {
    /// Posts a chunk until it is stored. Returns its invalid lines; `None` if it was stopped before the next attempt.
    async fn post(
        &self,
        piece: &LineChunk,
        tally: &mut ImportSummary,
        stop: &mut watch::Receiver<bool>,
    ) -> anyhow::Result<Option<Vec<(PayloadLocation, String)>>> {
        if piece.places.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let began = Instant::now();
        let begun = tally.imported + tally.known > 0;
        let answer = loop {
            let answer = self.service.post_lines(&self.path, piece.lines.clone()).await;
            let pause = match answer {
                Ok(answer) if answer.status == StatusCode::OK => break answer,
                Ok(answer) if matches!(answer.status.as_u16(), 429 | 503) => {
                    if began.elapsed() > PATIENCE {
                        let why = answer.refusal();
                        return Err(CommandError::Unavailable(format!(
                            "the service is overloaded: {why}; run the import again, stored lines are skipped"
                        ))
                        .into());
                    }
                    answer.again_in.unwrap_or(PAUSE)
                }
                Ok(answer) if answer.json.pointer("/error/code") == Some(&json!("app_not_found")) => {
                    let said = description(&answer.json);
                    return Err(CommandError::Usage(said.unwrap_or("there is no such app").to_owned()).into());
                }
                Ok(answer) => bail!("{}: the service refuses: {}", piece.places[0], answer.refusal()),
                // The service may be restarting.
                Err(_) if begun && began.elapsed() < PATIENCE => PAUSE,
                Err(failure) => return Err(failure.into()),
            };
            tokio::select! {
                Ok(_) = stop.wait_for(|stop| *stop) => return Ok(None),
                () = tokio::time::sleep(pause) => {}
            }
        };
        let number =
            |name: &str| answer.json[name].as_u64().ok_or_else(|| self.service.foreign(answer.status));
        tally.imported += number("imported")?;
        tally.known += number("known")?;
        let wrong = answer.json["wrong"].as_array().ok_or_else(|| self.service.foreign(answer.status))?;
        let place = |line: &Value| piece.places.get(line.as_u64()?.checked_sub(1)? as usize).cloned();
        let wrong = wrong.iter().filter_map(|wrong| {
            Some((place(&wrong["line"])?, wrong["why"].as_str().unwrap_or_default().to_owned()))
        });
        Ok(Some(wrong.collect()))
    }
}

/// The invalid lines of a chunk, as far as they show without the service.
fn check(
    piece: &LineChunk,
    asked: Option<&str>,
    app: Option<&str>,
    settings: &Settings,
    tally: &mut ImportSummary,
) -> Vec<(PayloadLocation, String)> {
    let latest = crate::clock::now_micros() + settings.ingest.future_tolerance.as_micros() as i64;
    let bounds = ParseLimits { depth: settings.limits.json_depth, events: 1, latest, name_bytes: NAME_BYTES };
    let mut wrong = Vec::new();
    for (line, place) in piece.lines.split(|byte| *byte == b'\n').zip(&piece.places) {
        let problem = match smooch::import::parse_line(line, &bounds) {
            Err(problem) => Some(problem.to_string()),
            Ok(told) => match (told.app.as_deref(), asked.or(app)) {
                (Some(named), _) if asked.is_some_and(|asked| asked != named) => {
                    Some("names another app than the one asked for".to_owned())
                }
                (None, None) => Some("names no app, and none was asked for".to_owned()),
                (named, app) => {
                    let app = named.or(app).unwrap_or_default();
                    let is_set = settings.apps.iter().any(|known| known.id == app);
                    (!is_set).then(|| format!("app is {app:?}, which is not in the settings"))
                }
            },
        };
        match problem {
            Some(why) => wrong.push((place.clone(), why)),
            None => tally.imported += 1,
        }
    }
    wrong
}
