//! `rollcall journal replay`: posts received webhooks again, as Smooch would.

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;

use super::filter::EntryFilter;
use super::resume::{Resume, ResumePoint};
use crate::cli::listing::PAGE;
use crate::cli::progress::Progress;
use crate::cli::replay::driver::{PayloadSink, PostArgs};
use crate::cli::replay::payloads::{NotSent, PayloadLocation};
use crate::cli::replay::post::SignedPayload;
use crate::cli::replay::sign::Signer;
use crate::cli::replay::summary::{PostOutcome, ReplaySummary};
use crate::cli::{CommandError, admin_client, database, stop_signal};
use crate::config::{Settings, StoreUrl};
use crate::directory::{DirectoryReader, journal::BatchBody};
use crate::ingest::maintenance::reparse_event;
use crate::store::rows::RowFilter;
use crate::store::{self, Entry, Seq, Source};

const WRITE_INTERVAL: Duration = Duration::from_secs(1);
const AT_ONCE: usize = 64;

pub(super) const HELP: &str = "\
Each body is posted once, byte for byte, however many of its events are selected, with the first secret of its app \
in the settings. Entries that are no original webhook are skipped and counted: calls of our own API, and webhooks \
reduced by an erasure. A body that was removed by retention, is missing or is damaged cannot be sent; it is reported \
and counted. Events that the target knows already change nothing there.

Nothing is retried. The number of the first refused or unanswered body is printed at the end and stored in the \
--resume-file, from which the same command continues. Ctrl-C and SIGTERM wait for requests in progress; a second signal \
does not, and ends the command without a summary.

Exit codes: 0 everything was answered 2xx; 1 something was not, a body was removed, an entry selected by number was \
not sent, no entry matches, or a signal stopped it; 2 the --resume-file is of another range or another --to; 130 a \
second signal ended it.

Examples:
  rollcall journal replay 4711
  rollcall journal replay 4000..5000 --dry-run
  rollcall journal replay .. --to https://other.example.com/webhooks --resume-file replay.state
  rollcall journal replay --user bob --since 2h";

/// The arguments of `rollcall journal replay`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct JournalReplayArgs {
    /// A number, or an inclusive range; either end may be left out
    #[arg(value_name = "SEQ|A..B", value_parser = range)]
    range: Option<(Seq, Seq)>,
    #[command(flatten)]
    filter: EntryFilter,
    #[command(flatten)]
    posting: PostArgs,
    /// Print what would be posted, and post nothing
    #[arg(long)]
    dry_run: bool,
    /// Start with this entry
    #[arg(long, value_name = "SEQ")]
    from: Option<Seq>,
    /// File that stores the next entry; if it exists, continue from there
    #[arg(long, value_name = "PATH", conflicts_with = "dry_run")]
    resume_file: Option<PathBuf>,
}

fn range(text: &str) -> Result<(Seq, Seq), String> {
    let end = |text: &str, open: Seq| if text.is_empty() { Some(open) } else { text.parse().ok() };
    let read = match text.split_once("..") {
        Some((from, to)) => end(from, 0).zip(end(to, Seq::MAX)),
        None => text.parse().ok().map(|seq| (seq, seq)),
    };
    let read = read.ok_or("neither a number nor a range such as 10..20")?;
    if read.0 > read.1 { Err("ends before it begins".to_owned()) } else { Ok(read) }
}

/// Posts the bodies of the selected entries. Returns the exit code: 0 if everything was answered 2xx, or would be
/// posted in a dry run; else 1.
///
/// # Errors
/// No entry is selected; the database or the `--resume-file` cannot be read; an app's secret does not fit in a
/// header; the target is unknown; or stdout cannot be written.
pub async fn run(args: &JournalReplayArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let StoreUrl::Sqlite(database) = &settings.store.url;
    let resume =
        args.resume_file.as_ref().map(|path| Resume::at(path, selection(args), database)).transpose()?;
    let bodies = select_bodies(args, resume.as_ref(), settings)?;
    let point = bodies.point.clone();
    let keep = || resume.as_ref().map_or(Ok(()), |resume| resume.write(point.seq()));
    if args.dry_run {
        return dry_run(args, bodies);
    }
    if args.posting.to.is_none() {
        admin_client::listens(settings).await?;
    }
    let poster = args.posting.poster(settings)?;
    let stop = stop_signal()?;
    let (from, to) = (bodies.wanted.from, bodies.wanted.to);
    let progress = Progress::new(|| Some((to + 1).saturating_sub(from)), "journal entries")?;
    let mut written = Instant::now();
    let read = move |sink: &PayloadSink| bodies.read_each(&|request| sink.put(request));
    let replayed = args.posting.replay(poster, read, stop, progress, |outcome, progress| {
        point.complete(outcome);
        progress.reach(point.seq().saturating_sub(from));
        if written.elapsed() > WRITE_INTERVAL {
            written = Instant::now();
            _ = keep().inspect_err(|error| progress.say(&format!("{error:#}")));
        }
    });
    let replayed = replayed.await?;
    args.posting.print_summary(&replayed)?;
    keep()?;
    replayed.end.transpose()?;
    let is_complete = replayed.tally.all_well() && !replayed.is_stopped;
    if !is_complete {
        let _ = writeln!(io::stderr(), "continue with --from {}", point.seq());
    }
    Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn dry_run(args: &JournalReplayArgs, bodies: JournalBodies) -> anyhow::Result<ExitCode> {
    let counted = RefCell::new((ReplaySummary::default(), 0_u64));
    bodies.read_each(&|request| {
        match request {
            Ok(_) => counted.borrow_mut().1 += 1,
            Err(outcome) => {
                if let Some(failure) = counted.borrow_mut().0.add(&outcome) {
                    // A closed stderr is ignored.
                    _ = writeln!(io::stderr(), "{failure}");
                }
            }
        }
        true
    })?;
    let (tally, count) = counted.into_inner();
    let text = if args.posting.json {
        json!({ "wouldSend": count, "notSent": tally.not_sent, "passedOver": tally.passed_over }).to_string()
    } else {
        format!("would send {count}{}", tally.unsent_text())
    };
    writeln!(io::stdout(), "{text}").context("the summary could not be printed")?;
    Ok(if tally.all_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The bodies of the selected entries, from the resume point on.
fn select_bodies(
    args: &JournalReplayArgs,
    resume: Option<&Resume>,
    settings: &Settings,
) -> anyhow::Result<JournalBodies> {
    if args.range.is_none() && args.filter.is_empty() {
        let why = "select entries to replay: a number, a range such as 10..20, .. for all, or a filter";
        return Err(CommandError::Usage(why.to_owned()).into());
    }
    let mut reader = database::open(settings)?;
    let mut wanted = args.filter.wanted(&mut reader, settings)?;
    let (from, to) = args.range.unwrap_or((0, Seq::MAX));
    wanted.from = wanted.from.max(from);
    // Entries that the replay itself adds are left out.
    wanted.to = wanted.to.min(to).min(reader.last_entry_seq()?);
    let first = wanted.from;
    wanted.from = first.max(args.from.unwrap_or(0));
    check_selection(&mut reader, &wanted, from)?;
    let stored = resume.map(|resume| resume.read(first..=wanted.to)).transpose()?.flatten();
    wanted.from = wanted.from.max(stored.unwrap_or(0));
    let is_named = args.range.is_some_and(|(from, to)| from == to);
    let signer = Signer::new(args.posting.sign, None, &settings.apps)?;
    let point = Arc::new(ResumePoint::new(wanted.from));
    Ok(JournalBodies { reader, wanted, signer, is_named, point })
}

/// Fails if the journal has no selected entry, or retention removed the first one.
fn check_selection(reader: &mut DirectoryReader, wanted: &RowFilter, from: Seq) -> anyhow::Result<()> {
    let (oldest, last) = (reader.compaction_point()?.oldest, reader.last_entry_seq()?);
    let has = match last {
        0 => "the journal is empty".to_owned(),
        _ => format!("the journal has entries from {oldest} to {last}"),
    };
    let is_empty = wanted.from > wanted.to || reader.find_entries(wanted, 1)?.is_empty();
    anyhow::ensure!(!is_empty, "no entry matches: {has}");
    anyhow::ensure!(from == 0 || from >= oldest, "entry {from} was removed: {has}");
    Ok(())
}

/// A description of the selection and the target, which identifies a replay.
fn selection(args: &JournalReplayArgs) -> String {
    let entries = match args.range {
        None | Some((0, Seq::MAX)) => "all entries".to_owned(),
        Some((from, Seq::MAX)) => format!("entries from {from} on"),
        Some((from, to)) => format!("entries {from} to {to}"),
    };
    let target = args.posting.to.clone().map(|mut target| {
        // Credentials must not be stored.
        _ = target.set_password(None);
        _ = target.set_username("");
        target.set_query(None);
        target.to_string()
    });
    let target = target.unwrap_or_else(|| "the service of the settings".to_owned());
    format!("{entries}{}, to {target}\n", args.filter.describe())
}

struct JournalBodies {
    reader: DirectoryReader,
    wanted: RowFilter,
    signer: Signer,
    /// One entry was selected by its number.
    is_named: bool,
    /// The entry that a stopped replay continues from.
    point: Arc<ResumePoint>,
}

impl JournalBodies {
    /// Calls `put` with each until it returns false.
    fn read_each(mut self, put: &dyn Fn(Result<SignedPayload, PostOutcome>) -> bool) -> store::Result<()> {
        let mut before = None;
        loop {
            let page = self.reader.find_entries(&self.wanted, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            self.wanted.continue_after(last.seq);
            for few in page.chunks(AT_ONCE) {
                for (entry, body) in few.iter().zip(self.bodies(few)?) {
                    let is_taken = if let Some(why) = no_webhook(entry) {
                        put(Err(self.passed_over(entry, why)))
                    } else if let Some((batch, body)) = body {
                        if body.is_empty() {
                            put(Err(not_sent(entry, NotSent::NotKept)))
                        } else if before.replace((batch, entry.body)) != Some((batch, entry.body)) {
                            self.point.begin(entry.seq);
                            put(self.request(entry, &body))
                        } else {
                            true
                        }
                    } else {
                        put(Err(not_sent(entry, NotSent::Damaged)))
                    };
                    if !is_taken {
                        return Ok(());
                    }
                    self.point.pass(entry.seq);
                }
            }
        }
    }

    /// The bodies of these entries; `None` for a missing or damaged one.
    fn bodies(&mut self, few: &[Entry]) -> store::Result<Vec<Option<BatchBody>>> {
        match self.reader.read_bodies(few, reparse_event) {
            Err(store::Error::Hole(_)) if few.len() > 1 => {
                few.chunks(1).map(|one| Ok(self.bodies(one)?.pop().flatten())).collect()
            }
            Err(store::Error::Hole(_)) => Ok(vec![None]),
            bodies => Ok(bodies?.into_iter().map(Some).collect()),
        }
    }

    fn passed_over(&self, entry: &Entry, why: &'static str) -> PostOutcome {
        if self.is_named { not_sent(entry, NotSent::NoWebhook(why)) } else { PostOutcome::PassedOver { why } }
    }

    fn request(&self, entry: &Entry, body: &[u8]) -> Result<SignedPayload, PostOutcome> {
        match self.signer.sign_as(entry.app.as_str(), body) {
            Ok(headers) => Ok(SignedPayload { place: named(entry), body: body.to_vec(), headers }),
            Err(why) => Err(not_sent(entry, why)),
        }
    }
}

fn named(entry: &Entry) -> PayloadLocation {
    PayloadLocation { file: "journal".into(), line: Some(entry.seq) }
}

fn not_sent(entry: &Entry, why: NotSent) -> PostOutcome {
    PostOutcome::NotSent { place: named(entry), why }
}

fn no_webhook(entry: &Entry) -> Option<&'static str> {
    match entry.source {
        Source::Webhook => None,
        Source::Api => Some("made through our own API"),
        Source::Reduced => Some("reduced by an erasure"),
    }
}
