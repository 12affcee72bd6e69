//! `rollcall quarantine`: lists, retries and deletes quarantined bodies.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::admin_client::AdminClient;
use super::journal::filter::EntryRange;
use super::listing::{ListedItem, PAGE, ShowArgs, print_list, print_members, put_body};
use super::progress::Progress;
use super::visible::make_visible;
use super::{CommandError, apps, database};
use crate::config::Settings;
use crate::directory::DirectoryReader;
use crate::domain::UnusableReason;
use crate::domain::timestamp::format_ms;
use crate::store::rows::RowFilter;
use crate::store::tables::QuarantinedSummary;
use crate::store::{self, Seq};

const LIST_HELP: &str = "\
Reads the database file, beside a running service or without one.

Examples:
  rollcall quarantine list
  rollcall quarantine list --reason too_deep --since 24h --json";

const SHOW_HELP: &str = "\
Example:
  rollcall quarantine show 17 --body > payload.json";

const REDRIVE_HELP: &str = "\
The running service processes each body again with its present settings. A body whose events are all applied or \
known leaves the quarantine in the same transaction. One that is still unusable stays and is reported. Exit codes: \
0 all were used, 1 some were not, 69 no service is running.

Examples:
  rollcall quarantine redrive 17 18
  rollcall quarantine redrive --reason too_deep
  rollcall quarantine redrive --all";

const DROP_HELP: &str = "\
Deletes bodies permanently: look at them with `quarantine show` first.

Example:
  rollcall quarantine drop 17 18";

/// The arguments of `rollcall quarantine`.
#[derive(Clone, Debug, Subcommand)]
pub enum QuarantineCommand {
    /// List bodies with their reasons, the newest first
    #[command(after_help = LIST_HELP)]
    List(QuarantineListArgs),
    /// Show a body and its headers, with credentials masked
    #[command(after_help = SHOW_HELP)]
    Show(ShowArgs),
    /// Retry bodies, after a change of the settings or the program
    #[command(after_help = REDRIVE_HELP)]
    Redrive(QuarantineSelection),
    /// Delete bodies
    #[command(after_help = DROP_HELP)]
    Drop(QuarantineSelection),
}

/// A filter of bodies. A body must match all.
#[derive(Clone, Debug, clap::Args)]
pub struct QuarantineFilter {
    /// Only bodies of the app with this id
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Only bodies with this reason, such as too_deep
    #[arg(long, value_name = "REASON")]
    reason: Option<UnusableReason>,
    #[command(flatten)]
    span: EntryRange,
}

/// See [`QuarantineCommand::List`].
#[derive(Clone, Debug, clap::Args)]
pub struct QuarantineListArgs {
    #[command(flatten)]
    filter: QuarantineFilter,
    /// At most this many; 0 for all
    #[arg(long, value_name = "N", default_value = "50")]
    limit: usize,
    /// Print a JSON object a line
    #[arg(long)]
    json: bool,
}

/// See [`QuarantineCommand::Redrive`] and [`QuarantineCommand::Drop`].
#[derive(Clone, Debug, clap::Args)]
pub struct QuarantineSelection {
    /// The numbers of the bodies
    #[arg(value_name = "SEQ")]
    seqs: Vec<Seq>,
    /// All bodies
    #[arg(long, conflicts_with = "seqs")]
    all: bool,
    #[command(flatten)]
    filter: QuarantineFilter,
}

/// Runs a command. Returns the exit code: 1 if a body was missing or is still unusable.
///
/// # Errors
/// The database cannot be read, there is no service to change anything, or stdout cannot be written.
pub async fn run(command: &QuarantineCommand, settings: &Settings) -> anyhow::Result<ExitCode> {
    match command {
        QuarantineCommand::List(args) => list(args, settings),
        QuarantineCommand::Show(args) => show(args, settings),
        QuarantineCommand::Redrive(choice) => QuarantineAction::redrive().run(choice, settings).await,
        QuarantineCommand::Drop(choice) => QuarantineAction::drop().run(choice, settings).await,
    }
}

impl QuarantineFilter {
    fn is_empty(&self) -> bool {
        self.app.is_none() && self.reason.is_none() && self.span.is_empty()
    }

    fn wanted(&self, reader: &mut DirectoryReader, settings: &Settings) -> anyhow::Result<RowFilter> {
        let app = apps::of_database(self.app.as_deref(), reader, settings)?;
        let mut wanted = RowFilter {
            app,
            label: self.reason.map(|reason| reason.as_str().to_owned()),
            ..RowFilter::default()
        };
        self.span.narrow(&mut wanted)?;
        Ok(wanted)
    }
}

impl ListedItem for QuarantinedSummary {
    type Filter = RowFilter;

    const HEADING: &'static str =
        "     SEQ  RECEIVED                     BYTES  REASON            APP  DETAIL";
    const NO_MATCH: &'static str = "no body in quarantine matches";

    fn read_page(reader: &mut DirectoryReader, wanted: &RowFilter, limit: usize) -> store::Result<Vec<Self>> {
        reader.list_quarantined(wanted, limit)
    }

    fn seq(&self) -> Seq {
        self.seq
    }

    fn to_line(&self) -> String {
        let Self { seq, app, received, reason, detail, bytes } = self;
        let received = format_ms(*received);
        format!("{seq:>8}  {received}  {bytes:>8}  {reason:<16}  {app}  {detail}")
    }

    fn to_json(&self) -> Value {
        json!({ "seq": self.seq, "app": self.app.as_str(), "received": format_ms(self.received),
                "reason": self.reason, "detail": self.detail, "bytes": self.bytes })
    }
}

fn list(args: &QuarantineListArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let mut reader = database::open(settings)?;
    let wanted = args.filter.wanted(&mut reader, settings)?;
    print_list::<QuarantinedSummary>(
        &mut reader,
        RowFilter { newest_first: true, ..wanted },
        args.limit,
        args.json,
    )
}

fn show(args: &ShowArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let reader = database::open(settings)?;
    let wanted = RowFilter { from: args.seq, to: args.seq, ..RowFilter::default() };
    let held = reader.list_quarantined(&wanted, 1)?.pop();
    let found = held.zip(reader.find_quarantined(args.seq)?);
    let (held, found) = found.with_context(|| format!("there is no body {} in quarantine", args.seq))?;
    let mut out = io::stdout().lock();
    if args.body {
        out.write_all(&found.body)?;
    } else if args.json {
        let mut value = held.to_json();
        value["headers"] = found.headers.lines().collect();
        put_body(&mut value, &found.body);
        writeln!(out, "{value}")?;
    } else {
        print_members(&mut out, &held)?;
        for line in found.headers.lines() {
            writeln!(out, "header    {}", make_visible(line))?;
        }
        writeln!(out)?;
        out.write_all(&found.body)?;
        writeln!(out)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

struct QuarantineAction {
    method: Method,
    /// The path after the number.
    path: &'static str,
    done: &'static str,
    /// Bodies: done, not done, missing.
    count: [u64; 3],
    events: [u64; 3],
}

impl QuarantineAction {
    fn redrive() -> Self {
        let (method, path, done) = (Method::POST, "/redrive", "used");
        Self { method, path, done, count: [0; 3], events: [0; 3] }
    }

    fn drop() -> Self {
        Self { method: Method::DELETE, path: "", done: "given up", count: [0; 3], events: [0; 3] }
    }

    fn is_done(&self, json: &Value) -> bool {
        if self.method == Method::POST { json["learned"].is_u64() } else { *json == json!({}) }
    }

    async fn run(mut self, choice: &QuarantineSelection, settings: &Settings) -> anyhow::Result<ExitCode> {
        let seqs = chosen(choice, settings)?;
        let service = AdminClient::of(settings)?;
        let mut progress = Progress::new(|| Some(seqs.len() as u64), "bodies")?;
        for seq in seqs {
            let path = format!("/quarantine/{seq}{}", self.path);
            let answer = service.ask(self.method.clone(), &path, &json!({})).await?;
            match answer.status.as_u16() {
                200 if answer.json["unusable"].as_u64().unwrap_or(0) > 0 => {
                    let (reason, detail) = (&answer.json["reason"], &answer.json["detail"]);
                    let [reason, detail] = [reason, detail].map(|value| value.as_str().unwrap_or_default());
                    progress.say(&format!("{seq}: still unusable: {reason}: {detail}"));
                    self.count[1] += 1;
                }
                200 if self.is_done(&answer.json) => self.count[0] += 1,
                200 => return Err(service.foreign(answer.status).into()),
                404 => {
                    progress.say(&format!("{seq}: not in quarantine"));
                    self.count[2] += 1;
                }
                _ => {
                    progress.say(&format!("{seq}: may not be done: {}", answer.refusal()));
                    self.count[1] += 1;
                }
            }
            for (count, name) in self.events.iter_mut().zip(["learned", "kept", "repeated"]) {
                *count += answer.json[name].as_u64().unwrap_or(0);
            }
            progress.advance(1);
        }
        progress.finish();
        let [done, not, gone] = self.count;
        let mut said = format!("{} {done}, not {} {not}, not there {gone}", self.done, self.done);
        if self.path == "/redrive" {
            let [learned, kept, repeated] = self.events;
            said.push_str(&format!("\n  events learned {learned}, kept {kept}, known already {repeated}"));
        }
        writeln!(io::stdout(), "{said}").context("the summary could not be printed")?;
        Ok(if not + gone == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The numbers of the selected bodies, the oldest first.
fn chosen(choice: &QuarantineSelection, settings: &Settings) -> anyhow::Result<Vec<Seq>> {
    if !choice.seqs.is_empty() && choice.filter.is_empty() {
        return Ok(choice.seqs.clone());
    }
    if !choice.seqs.is_empty() || (choice.filter.is_empty() && !choice.all) {
        let why = "select bodies: by number, with --all, or with a filter such as --reason too_deep";
        return Err(CommandError::Usage(why.to_owned()).into());
    }
    let mut reader = database::open(settings)?;
    let mut wanted = choice.filter.wanted(&mut reader, settings)?;
    let mut seqs = Vec::new();
    loop {
        let page = reader.list_quarantined(&wanted, PAGE)?;
        let Some(last) = page.last() else { break };
        wanted.continue_after(last.seq);
        seqs.extend(page.iter().map(|held| held.seq));
    }
    anyhow::ensure!(choice.all || !seqs.is_empty(), "no body in quarantine matches");
    Ok(seqs)
}
