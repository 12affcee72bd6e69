//! `rollcall journal`: what came in, looked at and sent again.

pub(super) mod filter;
pub mod replay;
mod resume;
pub(super) mod text;

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use super::database;
use crate::config::Settings;
use crate::ingest::maintenance::reparse_event;
use crate::smooch::journal_entry;
use crate::store::archive::{Archive, Wanted};
use crate::store::{Seq, Source};
use filter::EntryFilter;
use text::EntryContent;

/// Entries read at a time.
const PAGE: usize = 500;

const LIST_HELP: &str = "\
Reads the database file, beside a running service or without one. Bodies are not shown: see `journal show`.

Examples:
  rollcall journal list --since 2h
  rollcall journal list --user bob --oldest-first --limit 0
  rollcall journal list --trigger conversation:read --since 4000 --until 5000 --json";

const SHOW_HELP: &str = "\
The body is printed as it was received, byte for byte, behind a blank line. Of a call to our own API the method, the \
address and the key are shown as well. Where a call or a webhook is not kept as it came, because somebody it spoke of \
was erased or an earlier version wrote it, that is said, with what it came to.

Examples:
  rollcall journal show 4711
  rollcall journal show 4711 --body > payload.json";

/// The arguments of `rollcall journal`.
#[derive(Clone, Debug, Subcommand)]
pub enum JournalCommand {
    /// Lists entries, the newest first
    #[command(after_help = LIST_HELP)]
    List(JournalListArgs),
    /// Shows an entry, and the body that it came in
    #[command(after_help = SHOW_HELP)]
    Show(JournalShowArgs),
    /// Posts what came in once more, to this directory or to another target
    Replay(replay::JournalReplayArgs),
}

/// See [`JournalCommand::List`].
#[derive(Clone, Debug, clap::Args)]
pub struct JournalListArgs {
    #[command(flatten)]
    filter: EntryFilter,
    /// At most this many entries; 0 is all
    #[arg(long, value_name = "N", default_value = "50")]
    limit: usize,
    /// The oldest first
    #[arg(long)]
    oldest_first: bool,
    /// A JSON object a line
    #[arg(long)]
    json: bool,
}

/// See [`JournalCommand::Show`].
#[derive(Clone, Debug, clap::Args)]
pub struct JournalShowArgs {
    /// The number of the entry
    seq: Seq,
    /// As a JSON object
    #[arg(long, conflicts_with = "body")]
    json: bool,
    /// Nothing but the body
    #[arg(long)]
    body: bool,
}

/// Does what it is told. Returns the exit code: 1 for an entry that is not there.
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
    let mut wanted = Wanted { newest_first: !args.oldest_first, ..wanted };
    let mut left = if args.limit == 0 { usize::MAX } else { args.limit };
    let mut shown_at_all = 0;
    let mut out = io::stdout().lock();
    if !args.json {
        writeln!(out, "{}", text::HEADING)?;
    }
    loop {
        // One more than is shown, to say whether there are more.
        let page = reader.entries(&wanted, PAGE.min(left).saturating_add(1))?;
        let shown = page.len().min(PAGE).min(left);
        for entry in &page[..shown] {
            if args.json {
                writeln!(out, "{}", text::json(entry))?;
            } else {
                writeln!(out, "{}", text::line(entry))?;
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
        let _ = writeln!(io::stderr(), "no entry is meant");
    }
    Ok(ExitCode::SUCCESS)
}

fn show(args: &JournalShowArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let mut reader = database::open(settings)?;
    let found = reader.entries(&Wanted { from: args.seq, to: args.seq, ..Wanted::default() }, 1)?;
    let last = reader.last()?;
    let has = || format!("the journal has no entry {} (its last one is {last})", args.seq);
    let entry = found.first().with_context(has)?;
    let body = reader.bodies(&found, reparse_event)?.swap_remove(0).1;
    let mut out = io::stdout().lock();
    if args.body {
        let body = match text::told(entry, &body) {
            EntryContent::Nothing(why) => anyhow::bail!("entry {}: {why}", args.seq),
            EntryContent::Body(body) => body.to_vec(),
            EntryContent::Call(call) => call.body.unwrap_or_default().into_bytes(),
        };
        out.write_all(&body)?;
    } else if args.json {
        let mut value = text::json(entry);
        match entry.source {
            _ if body.is_empty() => value["body"] = serde_json::Value::Null,
            Source::Webhook => text::put_body(&mut value, &body),
            source => {
                let is_call = source == Source::Api;
                let told =
                    [journal_entry::content(&body, is_call), ("decided", journal_entry::decided(&body))];
                for (name, text) in journal_entry::about(&body, is_call).into_iter().chain(told) {
                    value[name] = serde_json::from_str(&text).context("reading what was decided")?;
                }
            }
        }
        writeln!(out, "{value}")?;
    } else {
        let told = text::told(entry, &body);
        let value = text::json(entry);
        let members = value.as_object().into_iter().flatten();
        for (name, value) in members {
            writeln!(out, "{name:<9} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))?;
        }
        match told {
            EntryContent::Call(call) => {
                writeln!(out, "call      {}", text::call(&call))?;
                writeln!(out, "key       {}", text::key(&call))?;
                writeln!(out, "\n{}", call.body.as_deref().unwrap_or("(no body)"))?;
            }
            EntryContent::Body(body) => {
                writeln!(out, "place     {} (of the events in its body)", entry.place)?;
                writeln!(out)?;
                out.write_all(body)?;
                writeln!(out)?;
            }
            EntryContent::Nothing(why) if body.is_empty() => writeln!(out, "\n{why}")?,
            EntryContent::Nothing(why) => writeln!(out, "\n{why}\n{}", journal_entry::decided(&body))?,
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
