//! `rollcall rebuild`: folds the journal into a fresh directory, compares, and puts right what differs.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Method;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::progress::Progress;
use super::service::Service;
use super::stages::watched;
use super::{Failure, database};
use crate::config::{Settings, StoreUrl};
use crate::domain::Key;
use crate::ingest::upkeep::READING;
use crate::rebuild::{Comparison, Pass, Scratch, users};
use crate::store::archive::Row;
use crate::store::sqlite::{self, Fault, OpenError, Options, Sqlite, TABLES};
use crate::store::{Reader as _, Retention, Seq, Store as _, Txn as _};

/// Between two looks whether a table is whole.
const LOOK: Duration = Duration::from_millis(100);

/// What everything else goes by.
const FIRST: &str = "counters";

/// Rows put right in one transaction.
const AT_ONCE: usize = 512;

const HELP: &str = "\
The fold is made in a folder beside the database, NAME.rebuild, which needs about the room of the directory \
itself and is gone afterwards. A running service goes on meanwhile; what it stores is no difference. It is \
the service, too, that puts right what differs, and tells the change feed; without one, the database is \
taken while this runs.

What is made of the records (identifiers, columns and indexes of lists and searches, counters) is compared with them, \
too, and made anew where it is damaged, by the service in small steps while it goes on.

Each app user who differs is a line on stdout: the app, and the _id; and so is each table that is damaged, with what \
is wrong. The exit code is 0 if all is equal, or was put right; 1 if something differs, with --verify.

Examples:
  rollcall rebuild --verify
  rollcall rebuild";

/// What `rollcall rebuild` is told.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// Only compare: change nothing
    #[arg(long)]
    verify: bool,
}

/// Who writes what is put right.
enum Hand {
    Nobody,
    Service(Service),
    Own(Box<Sqlite>),
}

/// Compares the directory with its journal; puts right what differs, unless it is only to verify. Returns
/// what to exit with.
///
/// # Errors
/// The database cannot be read, or written by nobody; there is no room for the fold; or nothing takes the
/// output.
pub async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let StoreUrl::Sqlite(path) = &settings.store.url;
    drop(database::open(settings)?);
    let mut damaged: BTreeSet<&str> = BTreeSet::new();
    for Fault { name, what } in faults(settings)? {
        damaged.insert(name);
        writeln!(io::stdout(), "{name} is damaged: {what}")?;
    }
    if args.verify && database::open(settings)?.horizon().is_err() {
        return not_compared(&damaged);
    }
    let mut hand = if args.verify { Hand::Nobody } else { Hand::of(settings).await? };
    if damaged.contains(FIRST) {
        hand.make_anew(&[FIRST]).await?;
    }
    let scratch = take_scratch(path).await?;
    clear_on_signal(&scratch)?;
    let mut comparison = Comparison::open(path).map_err(open_failed)?;
    let (entries, rows) = comparison.size()?;
    let mut progress = Progress::new(|| Some(entries + rows), "journal entries folded and rows compared")?;
    comparison.catch_up(&mut |steps| progress.advance(steps))?;
    let (mut pass, mut differing) = (Pass::begin(), BTreeSet::<Key>::new());
    let (mut replaced, mut unreadable) = (0, 0);
    while let Some(found) = comparison.next(&mut pass, &mut |steps| progress.advance(steps))? {
        if found.is_empty() {
            continue;
        }
        for key in users(&found) {
            if differing.insert(key.clone()) {
                let (app, id) = &key;
                let id = if id.is_app() { "(what belongs to no app user)" } else { id.as_str() };
                progress.print(&format!("{app} {id}"))?;
            }
        }
        if !args.verify {
            // Whoever puts it right goes on with the fold.
            unreadable += comparison.unreadable();
            drop(comparison);
            for few in found.chunks(AT_ONCE) {
                replaced += hand.put_right(few).await?;
            }
            comparison = Comparison::open(path).map_err(open_failed)?;
        }
    }
    progress.finish();
    unreadable += comparison.unreadable();
    if unreadable > 0 {
        let _ = writeln!(io::stderr(), "{unreadable} entries cannot be read any more, and say nothing");
    }
    let (seq, count) = (comparison.seq(), differing.len());
    drop(comparison);
    if !args.verify {
        // Some may have been made anew by whoever opened the database; some may be, of rows put right.
        let left: Vec<&str> = faults(settings)?.iter().map(|fault| fault.name).collect();
        damaged.extend(&left);
        hand.make_anew(&left).await?;
        if let Some(Fault { name, what }) = faults(settings)?.first() {
            bail!("{name} is damaged still: {what}");
        }
    }
    conclude(args, (count, replaced, seq), &damaged)
}

/// Says that the journal cannot be folded before what is damaged is made anew.
fn not_compared(damaged: &BTreeSet<&str>) -> anyhow::Result<ExitCode> {
    let names: Vec<&str> = damaged.iter().copied().collect();
    writeln!(io::stdout(), "damaged, and made of others: {}", names.join(", "))?;
    writeln!(
        io::stdout(),
        "the directory is compared with its journal once `rollcall rebuild` has made them anew"
    )?;
    Ok(ExitCode::FAILURE)
}

/// Says what it came to.
fn conclude(
    args: &Args,
    (count, replaced, seq): (usize, u64, Seq),
    damaged: &BTreeSet<&str>,
) -> anyhow::Result<ExitCode> {
    let said = match (count, args.verify) {
        (0, _) => format!("the directory is what the journal says, up to entry {seq}"),
        (_, true) => format!("{count} app users are not what the journal says, up to entry {seq}"),
        (_, false) => format!("{count} app users were put right, {replaced} rows, up to entry {seq}"),
    };
    writeln!(io::stdout(), "{said}")?;
    let names: Vec<&str> = damaged.iter().copied().collect();
    match (names.join(", "), args.verify) {
        (none, _) if none.is_empty() => {}
        (names, true) => writeln!(io::stdout(), "damaged, and made of others: {names}")?,
        (names, false) => writeln!(io::stdout(), "made anew: {names}")?,
    }
    let fine = count == 0 && damaged.is_empty() || !args.verify;
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is wrong with derived tables.
fn faults(settings: &Settings) -> anyhow::Result<Vec<Fault>> {
    let StoreUrl::Sqlite(path) = &settings.store.url;
    Ok(watched(settings, |work| sqlite::derived_faults(path, work))??)
}

impl Hand {
    async fn of(settings: &Settings) -> anyhow::Result<Self> {
        let service = Service::of(settings)?;
        if service.is_there().await {
            return Ok(Self::Service(service));
        }
        let StoreUrl::Sqlite(path) = &settings.store.url;
        let opened = Sqlite::open(&Options {
            path: path.clone(),
            wal_checkpoint: settings.store.wal_checkpoint,
            wal_limit: settings.store.wal_limit,
            quarantine_rows: settings.ingest.quarantine_rows as u64,
            quarantine_bytes: settings.ingest.quarantine_bytes,
        });
        match opened {
            Ok(store) => Ok(Self::Own(Box::new(store))),
            Err(error @ OpenError::InUse(_)) => {
                let why = "and no service answers at server.admin_listen of these settings";
                Err(Failure::Unavailable(format!("{error}; {why}")).into())
            }
            Err(error) => Err(open_failed(error)),
        }
    }

    /// Makes derived tables anew, and waits until they are whole.
    async fn make_anew(&mut self, names: &[&str]) -> anyhow::Result<()> {
        match self {
            Self::Nobody => {}
            Self::Service(service) => {
                let mut asked = json!({ "rows": [], "derived": names });
                loop {
                    let answer = service.ask(Method::POST, "/rebuild", &asked).await?;
                    if answer.status != 200 {
                        bail!("the service did not make them anew: {}", answer.refusal());
                    }
                    if let Some(name) = answer.json["failed"][0].as_str() {
                        bail!("the service could not make {name} anew; its log says why");
                    }
                    let left = answer.json["remaking"].as_array().ok_or_else(|| service.foreign(200))?;
                    if left.is_empty() {
                        break;
                    }
                    asked = json!({ "rows": [], "derived": [] });
                    tokio::time::sleep(LOOK).await;
                }
            }
            Self::Own(store) => {
                names.iter().try_for_each(|name| store.make_anew(name))?;
                let now = jiff::Timestamp::now().as_millisecond();
                while store.let_go(&Retention::default(), now, &READING)? {}
            }
        }
        Ok(())
    }

    /// How many rows were replaced: those that have become equal meanwhile are not.
    async fn put_right(&mut self, rows: &[Row]) -> anyhow::Result<u64> {
        match self {
            Self::Nobody => Ok(0),
            Self::Service(service) => {
                let keys: Vec<_> = rows.iter().map(|row| json!([TABLES[row.table].0, row.key])).collect();
                let answer = service.ask(Method::POST, "/rebuild", &json!({ "rows": keys })).await?;
                if answer.status != 200 {
                    bail!("the service did not put it right: {}", answer.refusal());
                }
                Ok(answer.json["replaced"].as_u64().ok_or_else(|| service.foreign(200))?)
            }
            Self::Own(store) => {
                let mut txn = store.begin()?;
                txn.replace(rows, jiff::Timestamp::now().as_millisecond())?;
                txn.commit().context("writing the database")?;
                store.rest()?;
                Ok(rows.len() as u64)
            }
        }
    }
}

/// Takes the folder of the fold; waits while another fold is made there, such as that of a service after an upgrade.
async fn take_scratch(database: &Path) -> anyhow::Result<Scratch> {
    let mut said = false;
    loop {
        match Scratch::take(database) {
            Err(OpenError::InUse(folder)) => {
                if !std::mem::replace(&mut said, true) {
                    let folder = folder.display();
                    _ = writeln!(
                        io::stderr(),
                        "another fold of the journal is at work in {folder}; waiting for it"
                    );
                }
                tokio::time::sleep(LOOK).await;
            }
            taken => return taken.map_err(open_failed),
        }
    }
}

/// Whoever interrupts it leaves no second copy of the directory behind.
fn clear_on_signal(scratch: &Scratch) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let folder = scratch.folder().to_owned();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        _ = std::fs::remove_dir_all(folder);
        std::process::exit(130);
    });
    Ok(())
}

fn open_failed(error: OpenError) -> anyhow::Error {
    match error {
        OpenError::Io { .. } | OpenError::Store { .. } => Failure::Io(error.to_string()).into(),
        error => error.into(),
    }
}
