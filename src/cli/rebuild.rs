//! `rollcall rebuild`: replays the journal into a new directory, compares, and repairs differences.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::admin_client::AdminClient;
use super::progress::{Progress, watched};
use super::{CommandError, database, end_signal};
use crate::clock::now_ms;
use crate::config::{Settings, StoreUrl};
use crate::directory::{DirectoryWriter, QuarantineLimits};
use crate::domain::RecordKey;
use crate::ingest::maintenance::READING;
use crate::rebuild::{Comparison, ComparisonCursor, RebuildFolder};
use crate::store::rows::RebuiltRow;
use crate::store::sqlite::{self, DerivedFault, OpenError, Sqlite, StoreOptions};
use crate::store::{Actor, AuditAction, AuditEntry, How, Retention, Seq};

/// Between two checks of a table that is being rebuilt.
const LOOK: Duration = Duration::from_millis(100);

/// Tables that the comparison itself depends on.
const FIRST: [&str; 4] = ["counters", "tombstones", "receipts", "gaps"];

const AT_ONCE: usize = 512;

const HELP: &str = "\
The journal is replayed in a temporary folder beside the database, NAME.rebuild, which needs about the space of the \
directory. A running service keeps working; its new data is no difference. The service also performs the repairs and \
adds them to the change feed; without one, this command locks the database.

Derived tables (identifiers, columns and indexes of lists and searches, counters) are compared with the records, and \
rebuilt if damaged; a running service does so in small steps.

The journal is checked for holes: missing entries, bodies or users of an entry. App users with a hole in their \
journal stay as they are in the directory, which still has the effect of the lost entries.

Each differing app user is a line on stdout with its app and _id, and so is each damaged table and each hole in the \
journal. Exit codes: 0 all is equal or was repaired, 1 the journal is damaged, a source table is missing \
or, with --verify, something differs, 130 Ctrl-C or SIGTERM ended it.

Examples:
  rollcall rebuild --verify
  rollcall rebuild";

/// The arguments of `rollcall rebuild`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct RebuildArgs {
    /// Only compare, and change nothing
    #[arg(long)]
    verify: bool,
}

enum RepairTarget {
    Nobody,
    Service(AdminClient),
    Own(Box<DirectoryWriter>),
}

/// Compares the directory with its journal and repairs differences, unless it only verifies. Returns the exit code.
///
/// # Errors
/// The database cannot be read or written, there is no space for the replay, or stdout cannot be written.
pub async fn run(args: &RebuildArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let StoreUrl::Sqlite(path) = &settings.store.url;
    drop(database::open(settings)?);
    let mut damaged: BTreeSet<&str> = BTreeSet::new();
    for DerivedFault { name, what } in faults(settings)? {
        damaged.insert(name);
        writeln!(io::stdout(), "{name} is damaged: {what}")?;
    }
    if args.verify && (damaged.contains("gaps") || database::open(settings)?.compaction_point().is_err()) {
        return not_compared(&damaged);
    }
    let mut hand = if args.verify { RepairTarget::Nobody } else { RepairTarget::of(settings).await? };
    let first: Vec<&str> = FIRST.into_iter().filter(|name| damaged.contains(name)).collect();
    if !first.is_empty() {
        hand.make_anew(&first).await?;
    }
    let scratch = take_scratch(path).await?;
    clear_on_signal(&scratch)?;
    let mut comparison = Comparison::open(path).map_err(open_failed)?;
    let (entries, rows) = comparison.size()?;
    let mut progress = Progress::new(|| Some(entries + rows), "journal entries folded and rows compared")?;
    comparison.catch_up(&mut |steps| progress.advance(steps))?;
    let (mut pass, mut differing) = (ComparisonCursor::begin(), BTreeSet::<RecordKey>::new());
    let (mut replaced, mut kept) = (0, BTreeSet::<RecordKey>::new());
    let holes = comparison.holes();
    for hole in &holes {
        progress.print(&hole.to_string())?;
    }
    while let Some(found) = comparison.next(&mut pass, &mut |steps| progress.advance(steps))? {
        if found.is_empty() {
            continue;
        }
        for key in found.iter().map(|row| row.key.user()).collect::<BTreeSet<_>>() {
            if differing.insert(key.clone()) {
                let (app, id) = &key;
                let id = if id.is_app() { "(events without an app user)" } else { id.as_str() };
                progress.print(&format!("{app} {id}"))?;
            }
        }
        if !args.verify {
            // The repair continues the replay.
            kept.extend(comparison.kept().iter().cloned());
            drop(comparison);
            for few in found.chunks(AT_ONCE) {
                replaced += hand.put_right(few).await?;
            }
            comparison = Comparison::open(path).map_err(open_failed)?;
        }
    }
    progress.finish();
    kept.extend(comparison.kept().iter().cloned());
    let (seq, count) = (comparison.seq(), differing.len());
    drop(comparison);
    if !args.verify {
        // Opening the database may have rebuilt some tables; repaired rows may damage others.
        let left: Vec<&str> = faults(settings)?.iter().map(|fault| fault.name).collect();
        damaged.extend(&left);
        hand.make_anew(&left).await?;
        if let Some(DerivedFault { name, what }) = faults(settings)?.first() {
            bail!("{name} is still damaged: {what}");
        }
    }
    let found = RebuildReport { seq, count, replaced, damaged, holes: holes.len(), kept: kept.len() };
    found.print(args.verify)
}

/// Reports that damaged tables must be rebuilt before the journal can be compared.
fn not_compared(damaged: &BTreeSet<&str>) -> anyhow::Result<ExitCode> {
    let names: Vec<&str> = damaged.iter().copied().collect();
    writeln!(io::stdout(), "damaged derived tables: {}", names.join(", "))?;
    writeln!(
        io::stdout(),
        "the directory can be compared with its journal once `rollcall rebuild` has rebuilt them"
    )?;
    Ok(ExitCode::FAILURE)
}

struct RebuildReport<'n> {
    seq: Seq,
    count: usize,
    replaced: u64,
    damaged: BTreeSet<&'n str>,
    holes: usize,
    /// App users left unchanged because of a hole.
    kept: usize,
}

impl RebuildReport<'_> {
    fn print(&self, only_verified: bool) -> anyhow::Result<ExitCode> {
        let Self { seq, count, replaced, kept, .. } = self;
        let mut out = io::stdout();
        match (count, only_verified) {
            (0, _) if *kept > 0 => {
                writeln!(
                    out,
                    "the directory equals the rest of the journal, up to entry {seq}, and the users of lost entries"
                )?;
            }
            (0, _) => writeln!(out, "the directory equals the journal, up to entry {seq}")?,
            (_, true) => writeln!(out, "{count} app users differ from the journal, up to entry {seq}")?,
            (_, false) => {
                writeln!(out, "{count} app users were put right, {replaced} rows, up to entry {seq}")?;
            }
        }
        let damaged: Vec<&str> = self.damaged.iter().copied().collect();
        match (damaged.join(", "), only_verified) {
            (none, _) if none.is_empty() => {}
            (names, true) => writeln!(out, "damaged derived tables: {names}")?,
            (names, false) => writeln!(out, "made anew: {names}")?,
        }
        if self.holes > 0 {
            writeln!(
                out,
                "the journal is damaged: {kept} app users are kept as the directory has them, because entries of \
                 them are lost; only an earlier backup restores those"
            )?;
        }
        let fine = self.holes == 0 && (*count == 0 && damaged.is_empty() || !only_verified);
        Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn faults(settings: &Settings) -> anyhow::Result<Vec<DerivedFault>> {
    let StoreUrl::Sqlite(path) = &settings.store.url;
    let found = watched(settings, |work| sqlite::derived_faults(path, work))?;
    Ok(found.map_err(database::with_remedy)?)
}

impl RepairTarget {
    async fn of(settings: &Settings) -> anyhow::Result<Self> {
        let service = AdminClient::of(settings)?;
        if service.is_there().await {
            return Ok(Self::Service(service));
        }
        let StoreUrl::Sqlite(path) = &settings.store.url;
        let opened = Sqlite::open(&StoreOptions {
            path: path.clone(),
            wal_checkpoint: settings.store.wal_checkpoint,
            wal_limit: settings.store.wal_limit,
        });
        match opened {
            Ok(store) => {
                let bodies = settings.ingest.quarantine_rows as u64;
                let limits = QuarantineLimits { bodies, bytes: settings.ingest.quarantine_bytes };
                Ok(Self::Own(Box::new(DirectoryWriter::open(Box::new(store), limits)?)))
            }
            Err(error @ OpenError::InUse(_)) => {
                let why = "and no service answers at server.admin_listen of these settings";
                Err(CommandError::Unavailable(format!("{error}; {why}")).into())
            }
            Err(error) => Err(open_failed(error)),
        }
    }

    /// Rebuilds derived tables and waits until they are complete.
    async fn make_anew(&mut self, names: &[&str]) -> anyhow::Result<()> {
        match self {
            Self::Nobody => {}
            Self::Service(service) => {
                let mut asked = json!({ "rows": [], "derived": names });
                loop {
                    let answer = service.ask(Method::POST, "/rebuild", &asked).await?;
                    if answer.status != StatusCode::OK {
                        bail!("the service did not rebuild them: {}", answer.refusal());
                    }
                    if let Some(name) = answer.json["failed"][0].as_str() {
                        bail!("the service could not rebuild {name}; see its log");
                    }
                    let left =
                        answer.json["remaking"].as_array().ok_or_else(|| service.foreign(answer.status))?;
                    if left.is_empty() {
                        break;
                    }
                    asked = json!({ "rows": [], "derived": [] });
                    tokio::time::sleep(LOOK).await;
                }
            }
            Self::Own(writer) => {
                let entry = AuditEntry::of(now_ms(), &Actor::unnamed(How::Command), AuditAction::Rebuild);
                let (detail, count) = (Some(names.join(", ")), Some(names.len() as u64));
                writer.add_audited(&AuditEntry { detail, count, ..entry })?;
                names.iter().try_for_each(|name| writer.remake_table(name))?;
                let now = now_ms();
                while writer.maintenance_step(&Retention::default(), now, &READING)? {}
            }
        }
        Ok(())
    }

    /// Repairs rows. Returns the number of replaced rows, without those that have become equal.
    async fn put_right(&mut self, rows: &[RebuiltRow]) -> anyhow::Result<u64> {
        match self {
            Self::Nobody => Ok(0),
            Self::Service(service) => {
                let keys: Vec<_> =
                    rows.iter().map(|row| json!([row.key.table().name(), row.key.parts()])).collect();
                let answer = service.ask(Method::POST, "/rebuild", &json!({ "rows": keys })).await?;
                if answer.status != StatusCode::OK {
                    bail!("the service did not repair the rows: {}", answer.refusal());
                }
                Ok(answer.json["replaced"].as_u64().ok_or_else(|| service.foreign(answer.status))?)
            }
            Self::Own(writer) => {
                let by = Actor::unnamed(How::Command);
                writer.replace_rows(rows, Some(&by), now_ms()).context("writing the database")?;
                writer.after_commit()?;
                Ok(rows.len() as u64)
            }
        }
    }
}

/// Locks the folder of the replay; waits for another one, such as that of a service after an upgrade.
async fn take_scratch(database: &Path) -> anyhow::Result<RebuildFolder> {
    let mut said = false;
    loop {
        match RebuildFolder::take(database) {
            Err(OpenError::InUse(folder)) => {
                if !std::mem::replace(&mut said, true) {
                    let folder = folder.display();
                    _ = writeln!(
                        io::stderr(),
                        "another replay of the journal is running in {folder}; waiting for it"
                    );
                }
                tokio::time::sleep(LOOK).await;
            }
            taken => return taken.map_err(open_failed),
        }
    }
}

/// Removes the copy of the directory on Ctrl-C and SIGTERM.
fn clear_on_signal(scratch: &RebuildFolder) -> anyhow::Result<()> {
    let (ended, folder) = (end_signal()?, scratch.folder().to_owned());
    tokio::spawn(async move {
        ended.await;
        _ = std::fs::remove_dir_all(folder);
        std::process::exit(130);
    });
    Ok(())
}

fn open_failed(error: OpenError) -> anyhow::Error {
    match error {
        OpenError::Io { .. } | OpenError::Store { .. } => CommandError::Io(error.to_string()).into(),
        error => error.into(),
    }
}
