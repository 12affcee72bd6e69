//! `rollcall tail`: prints new journal entries as they arrive.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;

use super::journal::ListedEntry;
use super::journal::filter::{EntryFilter, FutureEntries, unknown_user};
use super::listing::{ListedItem as _, PAGE};
use super::visible::make_visible;
use super::{database, end_signal};
use crate::clock::now_ms;
use crate::config::Settings;

/// Between two checks for a commit; each reads shared memory only.
const LOOK: Duration = Duration::from_millis(100);

const HELP: &str = "\
Reads the database file beside a running service, and prints entries within 100 ms of their commit. Without --since \
it begins with the next entry. It ends on Ctrl-C, after --count entries, or once --until has passed; with an error, if \
the database is replaced.

Examples:
  rollcall tail
  rollcall tail --user bob --since 2h
  rollcall tail --trigger message:appUser --json --count 10";

/// The arguments of `rollcall tail`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct TailArgs {
    #[command(flatten)]
    filter: EntryFilter,
    /// End after this many entries
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Print a JSON object a line
    #[arg(long)]
    json: bool,
}

/// Prints entries until Ctrl-C, SIGTERM, the requested number, or the end of the range. Returns the exit code: 0.
///
/// # Errors
/// The database cannot be read, or stdout cannot be written.
pub async fn run(args: &TailArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    // Identified before it is opened, so that a replacement is noticed. The error of opening is the better one, so
    // it comes first.
    let found = database::file(settings);
    let mut reader = database::open(settings)?;
    let opened = found?;
    let mut ended = std::pin::pin!(end_signal()?);
    let mut version = reader.data_version()?;
    let mut after = if args.filter.has_since() { 0 } else { reader.last_entry_seq()? };
    let (mut left, mut said) = (args.count.unwrap_or(u64::MAX), false);
    loop {
        let FutureEntries { mut wanted, users, unknown } = args.filter.coming(&mut reader, settings)?;
        wanted.from = wanted.from.max(after + 1);
        let (until, now) = (wanted.to, now_ms());
        // Read before the query, so that no entry is skipped.
        let last = reader.last_entry_seq()?;
        wanted.to = wanted.to.min(last);
        // An entry is stored at most this long after it was received.
        let late = i64::try_from(settings.ingest.answer_within.as_millis()).unwrap_or(i64::MAX);
        let ends = wanted.until.map_or(i64::MAX, |time| time.saturating_add(late));
        let is_through = last >= until || ends < now;
        loop {
            let page = reader.find_entries(&wanted, PAGE)?;
            let Some(behind) = page.last().map(|entry| entry.seq) else { break };
            let touched = page.into_iter().filter(|entry| {
                users.as_ref().is_none_or(|users| entry.users.iter().any(|(id, _)| users.contains(id)))
            });
            let touched = ListedEntry::with_callers(&reader, touched.collect())?;
            let mut out = io::stdout().lock();
            for entry in touched {
                if args.json {
                    writeln!(out, "{}", entry.to_json())?;
                } else {
                    writeln!(out, "{}", make_visible(&entry.to_line()))?;
                }
                left -= 1;
                if left == 0 {
                    out.flush()?;
                    return Ok(ExitCode::SUCCESS);
                }
            }
            out.flush()?;
            wanted.continue_after(behind);
        }
        match unknown {
            Some(app) if is_through => return Err(unknown_user(&app)),
            Some(app) if !std::mem::replace(&mut said, true) => {
                _ = writeln!(io::stderr(), "{}; waiting for one", unknown_user(&app));
            }
            _ if is_through => return Ok(ExitCode::SUCCESS),
            _ => {}
        }
        after = after.max(last);
        loop {
            tokio::select! {
                () = &mut ended => return Ok(ExitCode::SUCCESS),
                () = tokio::time::sleep(LOOK) => {}
            }
            if database::file(settings).ok() != Some(opened) {
                bail!("the database was replaced or moved: start tail again");
            }
            let now = reader.data_version()?;
            if std::mem::replace(&mut version, now) != now || ends < now_ms() {
                break;
            }
        }
    }
}
