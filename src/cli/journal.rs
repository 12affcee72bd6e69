//! `rollcall journal`: lists, shows and replays journal entries.

pub(super) mod filter;
pub mod replay;
mod resume;

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Value, json};

use super::database;
use super::listing::{ListedItem, ShowArgs, print_list, print_members, put_body};
use super::visible::make_visible;
use crate::config::Settings;
use crate::directory::DirectoryReader;
use crate::directory::journal::EntryContent;
use crate::domain::timestamp::format_ms;
use crate::domain::{CallMade, CalledBy};
use crate::ingest::maintenance::reparse_event;
use crate::smooch::journal_entry::{self, EntryOriginal};
use crate::store::rows::RowFilter;
use crate::store::{self, Entry, Seq, Source};
use filter::EntryFilter;

/// Stands for a body that retention removed.
const NOT_KEPT: &str = "the body was removed ([retention] of the settings)";

const LIST_HELP: &str = "\
Reads the database file, beside a running service or without one. Bodies are not shown: see `journal show`.

Examples:
  rollcall journal list --since 2h
  rollcall journal list --user bob --oldest-first --limit 0
  rollcall journal list --trigger conversation:read --since 4000 --until 5000 --json";

const SHOW_HELP: &str = "\
Prints the body byte for byte after a blank line, and for a call to our own API its method, path and key. If the \
original is not stored, because it named an erased person or an earlier version wrote it, the reason and the effect \
are printed instead.

Examples:
  rollcall journal show 4711
  rollcall journal show 4711 --body > payload.json";

/// The arguments of `rollcall journal`.
#[derive(Clone, Debug, Subcommand)]
pub enum JournalCommand {
    /// List entries, the newest first
    #[command(after_help = LIST_HELP)]
    List(JournalListArgs),
    /// Show an entry and its body
    #[command(after_help = SHOW_HELP)]
    Show(ShowArgs),
    /// Post received webhooks again, to this service or another target
    Replay(replay::JournalReplayArgs),
}

/// See [`JournalCommand::List`].
#[derive(Clone, Debug, clap::Args)]
pub struct JournalListArgs {
    #[command(flatten)]
    filter: EntryFilter,
    /// At most this many entries; 0 for all
    #[arg(long, value_name = "N", default_value = "50")]
    limit: usize,
    /// List the oldest first
    #[arg(long)]
    oldest_first: bool,
    /// Print a JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs a command. Returns the exit code: 1 for a missing entry.
///
/// # Errors
/// The database cannot be read, or stdout cannot be written.
pub async fn run(command: &JournalCommand, settings: &Settings) -> anyhow::Result<ExitCode> {
    match command {
        JournalCommand::List(args) => list(args, settings),
        JournalCommand::Show(args) => show(args, settings),
        JournalCommand::Replay(args) => replay::run(args, settings).await,
    }
}

fn list(args: &JournalListArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let mut reader = database::open(settings)?;
    let wanted = args.filter.wanted(&mut reader, settings)?;
    let wanted = RowFilter { newest_first: !args.oldest_first, ..wanted };
    print_list::<ListedEntry>(&mut reader, wanted, args.limit, args.json)
}

fn show(args: &ShowArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let reader = database::open(settings)?;
    let found =
        reader.find_entries(&RowFilter { from: args.seq, to: args.seq, ..RowFilter::default() }, 1)?;
    let last = reader.last_entry_seq()?;
    let has = || format!("the journal has no entry {} (its last one is {last})", args.seq);
    let listed = ListedEntry::with_callers(&reader, found.clone())?;
    let (listed, entry) = listed.first().zip(found.first()).with_context(has)?;
    let body = reader.read_bodies(&found, reparse_event)?.swap_remove(0).1;
    let mut out = io::stdout().lock();
    if args.body {
        match EntryContent::of(entry, &body) {
            EntryContent::Webhook(body) => out.write_all(&body)?,
            EntryContent::Call(call) => out.write_all(call.body.unwrap_or_default().as_bytes())?,
            _ => anyhow::bail!("entry {}: {}", args.seq, missing_original(entry, &body)),
        }
    } else if args.json {
        let mut value = listed.to_json();
        match entry.source {
            _ if body.is_empty() => value["body"] = Value::Null,
            Source::Webhook => put_body(&mut value, &body),
            source => {
                let is_call = source == Source::Api;
                let original =
                    EntryOriginal::of_decided(&body, is_call).with_content(&body, is_call).with_facts(&body);
                let members = serde_json::to_value(&original).context("reading what was decided")?;
                if let (Value::Object(all), Value::Object(more)) = (&mut value, members) {
                    all.extend(more);
                }
            }
        }
        writeln!(out, "{value}")?;
    } else {
        print_members(&mut out, &ListedEntry { entry: entry.clone(), by: None })?;
        match EntryContent::of(entry, &body) {
            EntryContent::Call(call) => {
                writeln!(out, "call      {}", make_visible(&call_line(&call)))?;
                writeln!(out, "by        {}", make_visible(&call.clone().by().to_string()))?;
                writeln!(out, "\n{}", call.body.as_deref().unwrap_or("(no body)"))?;
            }
            EntryContent::Webhook(body) => {
                writeln!(out, "place     {} (of the events in its body)", entry.place)?;
                writeln!(out)?;
                out.write_all(&body)?;
                writeln!(out)?;
            }
            EntryContent::Deleted => writeln!(out, "\n{}", missing_original(entry, &body))?,
            EntryContent::FactsOnly => {
                writeln!(out, "\n{}\n{}", missing_original(entry, &body), journal_entry::decided(&body))?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// An entry, and who made the call that it is about.
pub(super) struct ListedEntry {
    pub(super) entry: Entry,
    by: Option<CalledBy>,
}

impl ListedEntry {
    /// Entries with who made their calls.
    pub(super) fn with_callers(reader: &DirectoryReader, entries: Vec<Entry>) -> store::Result<Vec<Self>> {
        let by = reader.find_callers(&entries)?;
        Ok(entries.into_iter().zip(by).map(|(entry, by)| Self { entry, by }).collect())
    }
}

impl ListedItem for ListedEntry {
    type Filter = RowFilter;

    const HEADING: &'static str =
        "     SEQ  RECEIVED                  SOURCE   TRIGGER                         OUTCOME  APP  USERS";
    const NO_MATCH: &'static str = "no entry matches";

    fn read_page(reader: &mut DirectoryReader, wanted: &RowFilter, limit: usize) -> store::Result<Vec<Self>> {
        Self::with_callers(reader, reader.find_entries(wanted, limit)?)
    }

    fn seq(&self) -> Seq {
        self.entry.seq
    }

    fn to_line(&self) -> String {
        let entry = &self.entry;
        let users = match entry.user_ids().collect::<Vec<_>>() {
            users if users.is_empty() => "-".to_owned(),
            users => users.join(","),
        };
        format!(
            "{:>8}  {}  {:<7}  {:<30}  {:<7}  {}  {users}{}",
            entry.seq,
            format_ms(entry.received),
            entry.source.as_str(),
            entry.trigger,
            entry.outcome.as_str(),
            entry.app,
            self.by.as_ref().map(|by| format!("  by {by}")).unwrap_or_default(),
        )
    }

    fn to_json(&self) -> Value {
        let entry = &self.entry;
        let mut value = json!({
            "seq": entry.seq,
            "app": entry.app.as_str(),
            "source": entry.source.as_str(),
            "received": format_ms(entry.received),
            "trigger": &*entry.trigger,
            "outcome": entry.outcome.as_str(),
            "users": entry.user_ids().collect::<Vec<_>>(),
        });
        if let Some(by) = &self.by {
            value["by"] = json!(by);
        }
        if let Some(micros) = entry.event_time {
            value["time"] = format_ms(micros.div_euclid(1000)).into();
        }
        value
    }
}

/// Why an entry has no original.
fn missing_original(entry: &Entry, body: &[u8]) -> &'static str {
    if body.is_empty() { NOT_KEPT } else { journal_entry::note(body, entry.source == Source::Api) }
}

fn call_line(call: &CallMade) -> String {
    format!("{} {}", call.method, call.path.as_deref().unwrap_or_default())
}
