//! `rollcall quarantine`: bodies that could not be used, looked at, used after all, or given up.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::admin_client::AdminClient;
use super::journal::filter::EntryRange;
use super::journal::text;
use super::progress::Progress;
use super::{CommandError, apps, database};
use crate::config::Settings;
use crate::store::Seq;
use crate::store::archive::{Archive as _, Held, Wanted};
use crate::store::sqlite::SqliteReader;

/// Rows read at a time.
const PAGE: usize = 500;

const LIST_HELP: &str = "\
Reads the database file, beside a running service or without one.

Examples:
  rollcall quarantine list
  rollcall quarantine list --reason too_deep --since 24h --json";

const SHOW_HELP: &str = "\
Example:
  rollcall quarantine show 17 --body > payload.json";

const REDRIVE_HELP: &str = "\
The running service reads each body again by its settings of today, and uses it as if it came now: a body \
whose events are all used, or were known already, leaves the quarantine in the same transaction. One that \
still cannot be used stays, and is named. The exit code is 0 if all were used, 1 if not, 69 without a service.

Examples:
  rollcall quarantine redrive 17 18
  rollcall quarantine redrive --reason too_deep
  rollcall quarantine redrive --all";

const DROP_HELP: &str = "\
What is given up is gone: `quarantine show` it first.

Example:
  rollcall quarantine drop 17 18";

/// The arguments of `rollcall quarantine`.
#[derive(Clone, Debug, Subcommand)]
pub enum QuarantineCommand {
    /// Lists bodies, the newest first, and what is wrong with each
    #[command(after_help = LIST_HELP)]
    List(QuarantineListArgs),
    /// Shows a body, and the headers it came with, credentials masked
    #[command(after_help = SHOW_HELP)]
    Show(QuarantineShowArgs),
    /// Uses bodies after all, now that the settings or the program are others
    #[command(after_help = REDRIVE_HELP)]
    Redrive(QuarantineSelection),
    /// Gives bodies up
    #[command(after_help = DROP_HELP)]
    Drop(QuarantineSelection),
}

/// Which bodies. All that is given must hold.
#[derive(Clone, Debug, clap::Args)]
pub struct QuarantineFilter {
    /// Only those of this app, by its id
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Only those with this trouble, such as too_deep
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    #[command(flatten)]
    span: EntryRange,
}

/// See [`QuarantineCommand::List`].
#[derive(Clone, Debug, clap::Args)]
pub struct QuarantineListArgs {
    #[command(flatten)]
    filter: QuarantineFilter,
    /// At most this many; 0 is all
    #[arg(long, value_name = "N", default_value = "50")]
    limit: usize,
    /// A JSON object a line
    #[arg(long)]
    json: bool,
}

/// See [`QuarantineCommand::Show`].
#[derive(Clone, Debug, clap::Args)]
pub struct QuarantineShowArgs {
    /// The number of the body
    seq: Seq,
    /// As a JSON object
    #[arg(long, conflicts_with = "body")]
    json: bool,
    /// Nothing but the body
    #[arg(long)]
    body: bool,
}

/// See [`QuarantineCommand::Redrive`] and [`QuarantineCommand::Drop`].
#[derive(Clone, Debug, clap::Args)]
pub struct QuarantineSelection {
    /// The numbers of the bodies
    #[arg(value_name = "SEQ")]
    seqs: Vec<Seq>,
    /// Every one that is there
    #[arg(long, conflicts_with = "seqs")]
    all: bool,
    #[command(flatten)]
    filter: QuarantineFilter,
}

/// Does what it is told. Returns the exit code: 1 if something was not there, or still cannot be used.
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

    fn wanted(&self, reader: &mut SqliteReader, settings: &Settings) -> anyhow::Result<Wanted> {
        let app = apps::of_database(self.app.as_deref(), reader, settings)?;
        let mut wanted = Wanted { app, word: self.reason.clone(), ..Wanted::default() };
        self.span.narrow(&mut wanted)?;
        Ok(wanted)
    }
}

fn json_of(held: &Held) -> Value {
    json!({ "seq": held.seq, "app": held.app.as_str(), "received": text::time(held.received),
            "reason": held.reason, "detail": held.detail, "bytes": held.bytes })
}

fn list(args: &QuarantineListArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let mut reader = database::open(settings)?;
    let wanted = args.filter.wanted(&mut reader, settings)?;
    let mut wanted = Wanted { newest_first: true, ..wanted };
    let mut left = if args.limit == 0 { usize::MAX } else { args.limit };
    let mut shown_at_all = 0;
    let mut out = io::stdout().lock();
    if !args.json {
        writeln!(out, "     SEQ  RECEIVED                     BYTES  REASON            APP  DETAIL")?;
    }
    loop {
        let page = reader.held(&wanted, PAGE.min(left).saturating_add(1))?;
        let shown = page.len().min(PAGE).min(left);
        for held in &page[..shown] {
            if args.json {
                writeln!(out, "{}", json_of(held))?;
            } else {
                let Held { seq, app, received, reason, detail, bytes } = held;
                let received = text::time(*received);
                writeln!(out, "{seq:>8}  {received}  {bytes:>8}  {reason:<16}  {app}  {detail}")?;
            }
        }
        left -= shown;
        shown_at_all += shown;
        let Some(last) = page[..shown].last().filter(|_| page.len() > shown) else { break };
        if left == 0 {
            out.flush()?;
            let _ = writeln!(io::stderr(), "there are more; --limit 0 shows all");
            break;
        }
        wanted.go_on(last.seq);
    }
    out.flush()?;
    if shown_at_all == 0 {
        let _ = writeln!(io::stderr(), "no body in quarantine is meant");
    }
    Ok(ExitCode::SUCCESS)
}

fn show(args: &QuarantineShowArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let mut reader = database::open(settings)?;
    let wanted = Wanted { from: args.seq, to: args.seq, ..Wanted::default() };
    let held = reader.held(&wanted, 1)?.pop();
    let found = held.zip(reader.quarantined(args.seq)?);
    let (held, found) = found.with_context(|| format!("there is no body {} in quarantine", args.seq))?;
    let mut out = io::stdout().lock();
    if args.body {
        out.write_all(&found.body)?;
    } else if args.json {
        let mut value = json_of(&held);
        value["headers"] = found.headers.lines().collect();
        text::put_body(&mut value, &found.body);
        writeln!(out, "{value}")?;
    } else {
        for (name, value) in json_of(&held).as_object().into_iter().flatten() {
            writeln!(out, "{name:<9} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))?;
        }
        for line in found.headers.lines() {
            writeln!(out, "header    {line}")?;
        }
        writeln!(out)?;
        out.write_all(&found.body)?;
        writeln!(out)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// What is done to one body after the other.
struct QuarantineAction {
    method: Method,
    /// Behind its number.
    path: &'static str,
    done: &'static str,
    /// Body by body: done, not done, not there.
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

    /// Whether this is how the service says that it is done.
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
            match answer.status {
                200 if answer.json["unusable"].as_u64().unwrap_or(0) > 0 => {
                    let (reason, detail) = (&answer.json["reason"], &answer.json["detail"]);
                    let [reason, detail] = [reason, detail].map(|value| value.as_str().unwrap_or_default());
                    progress.say(&format!("{seq}: still unusable: {reason}: {detail}"));
                    self.count[1] += 1;
                }
                200 if self.is_done(&answer.json) => self.count[0] += 1,
                200 => return Err(service.foreign(200).into()),
                404 => {
                    progress.say(&format!("{seq}: not in quarantine"));
                    self.count[2] += 1;
                }
                _ => {
                    progress.say(&format!("{seq}: not known to be done: {}", answer.refusal()));
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

/// The numbers of the bodies that are meant, the oldest first.
fn chosen(choice: &QuarantineSelection, settings: &Settings) -> anyhow::Result<Vec<Seq>> {
    if !choice.seqs.is_empty() && choice.filter.is_empty() {
        return Ok(choice.seqs.clone());
    }
    if !choice.seqs.is_empty() || (choice.filter.is_empty() && !choice.all) {
        let why = "say which bodies: their numbers, --all, or a filter such as --reason too_deep";
        return Err(CommandError::Usage(why.to_owned()).into());
    }
    let mut reader = database::open(settings)?;
    let mut wanted = choice.filter.wanted(&mut reader, settings)?;
    let mut seqs = Vec::new();
    loop {
        let page = reader.held(&wanted, PAGE)?;
        let Some(last) = page.last() else { break };
        wanted.go_on(last.seq);
        seqs.extend(page.iter().map(|held| held.seq));
    }
    anyhow::ensure!(choice.all || !seqs.is_empty(), "no body in quarantine is meant");
    Ok(seqs)
}
