//! The checks of an installation, for `rollcall doctor` and for operators: settings, files, disk, database and backups.
//! Nothing is changed.

mod contents;
mod files;
mod finding;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::{SignedDuration, Timestamp};

use crate::config::{Settings, StoreUrl};
use crate::directory::verify::journal_holes;
use crate::ingest::maintenance::READING;
use crate::store::sqlite::{self, CopyError, DerivedFault, FileTask, Health, Hole, OpenError};
use finding::span;
pub use finding::{Finding, Severity};

/// Tolerated difference between Smooch's clock and ours, and duration of a write.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(60);

/// Checks everything but the library of the database and the listeners. Reads the whole database, beside a running
/// service; `config` is the settings file. Ends early once `stop` is set.
pub fn examine(settings: &Settings, config: Option<PathBuf>, stop: Arc<AtomicBool>) -> Vec<Finding> {
    let StoreUrl::Sqlite(path) = &settings.store.url;
    let mut findings = vec![demo(settings)];
    findings.extend(files::rights(settings, config));
    findings.push(files::key_file(settings));
    findings.extend(files::disk(settings));
    let mut told = |_, _, _| {};
    let wal_limit = settings.store.wal_limit;
    let mut work = FileTask { progress: &mut told, stop, wal_limit };
    let is_one = sqlite::check_replaced(path).map_err(CopyError::from);
    let health = is_one.and_then(|()| sqlite::health(path, &work));
    let is_read = health.as_ref().is_ok_and(|health| !health.doubted);
    let derived = is_read.then(|| derived(path, sqlite::derived_faults(path, &mut work))).flatten();
    findings.push(derived.unwrap_or_else(|| database(path, &health)));
    if is_read {
        findings.push(journal(journal_holes(path, READING.event, &mut work)));
    }
    if let Ok(health) = &health {
        findings.push(clock(health, Timestamp::now()));
        findings.extend(contents::all(settings, health, Timestamp::now()));
    }
    findings.extend(files::backups(settings, Timestamp::now()));
    findings.extend(files::leftovers(settings));
    findings
}

/// Checks the version of SQLite.
pub fn library() -> Finding {
    let (version, new_enough) = sqlite::sqlite_version();
    if new_enough {
        return Finding::fine("sqlite", format!("version {version}"));
    }
    let remedy = "build with the bundled SQLite: versions before 3.51.3 can damage a database (WAL reset)";
    Finding::wrong("sqlite", format!("version {version}"), remedy)
}

fn demo(settings: &Settings) -> Finding {
    let apps = settings.apps.len();
    if settings.has_demo_secrets() {
        let remedy = "set your own [[apps]] before Smooch can reach this service";
        return Finding::warning(
            "settings",
            "a secret of the shipped demo, which is public, is in use",
            remedy,
        );
    }
    Finding::fine("settings", format!("{apps} apps"))
}

fn database(path: &Path, health: &Result<Health, CopyError>) -> Finding {
    let name = path.display();
    match health {
        Ok(health) if health.doubted => Finding::warning(
            "database",
            format!("{name}: a sync failed; the next start verifies the whole file first"),
            "check the kernel log for disk errors; run `rollcall verify`",
        ),
        Ok(Health { schema: (found, known), .. }) if found < known => Finding::warning(
            "database",
            format!("{name}: schema {found}, and this program will migrate it to {known}"),
            "this happens at the next start, which backs up the file first",
        ),
        Ok(health) => {
            let beside = if health.litestream { ", replicated by Litestream" } else { "" };
            Finding::fine("database", format!("{name}: schema {}{beside}", health.schema.0))
        }
        Err(CopyError::Io(_, error)) if error.kind() == std::io::ErrorKind::NotFound => Finding::wrong(
            "database",
            format!("{name} does not exist"),
            "start the service, which creates it; if there was one, check store.url and the working directory",
        ),
        Err(CopyError::Damaged(_, what)) => Finding::wrong(
            "database",
            format!("{name} is damaged: {what}"),
            "stop the service and run `rollcall restore --replace BACKUP`; then replay the webhooks received since",
        ),
        Err(CopyError::Open(error @ OpenError::Newer { .. })) => {
            Finding::wrong("database", error.to_string(), "install the program that wrote it, or a newer one")
        }
        Err(error) => Finding::wrong(
            "database",
            error.to_string(),
            "check store.url, the file permissions, and the user who runs this command",
        ),
    }
}

/// Derived tables must agree with the records and the journal.
fn derived(path: &Path, found: Result<Vec<DerivedFault>, CopyError>) -> Option<Finding> {
    const CHECK: &str = "database";
    match found {
        Ok(faults) if faults.is_empty() => None,
        Ok(faults) => {
            let error = CopyError::Derived(path.to_owned(), faults);
            let remedy = "run `rollcall rebuild`; the service may keep running";
            Some(Finding::wrong(CHECK, error.to_string(), remedy))
        }
        Err(error @ CopyError::Damaged { .. }) => Some(database(path, &Err(error))),
        Err(error) => {
            let said = format!("the derived tables could not be compared with the records: {error}");
            Some(Finding::warning(CHECK, said, "run `rollcall verify` at a quieter time"))
        }
    }
}

/// The journal must have every entry, except those removed by retention or erasure.
fn journal(found: Result<Vec<Hole>, CopyError>) -> Finding {
    const CHECK: &str = "journal";
    match found {
        Ok(holes) if holes.is_empty() => Finding::fine(CHECK, "every entry and its body are there"),
        Ok(holes) => Finding::wrong(
            CHECK,
            sqlite::describe_holes(&holes),
            "the directory still has their effect; only an earlier backup can restore them to the journal: check it with \
             `rollcall verify BACKUP`",
        ),
        Err(error) => {
            let said = format!("the journal could not be checked: {error}");
            Finding::warning(CHECK, said, "run `rollcall verify` at a quieter time")
        }
    }
}

/// Checks the clock without another one: nothing was received in the future, and Smooch dates no event after its
/// arrival.
fn clock(health: &Health, now: Timestamp) -> Finding {
    let time = |ms| Timestamp::from_millisecond(ms).unwrap_or_default();
    let received = health.last.iter().map(|(_, ms)| *ms).max().map_or(now, time);
    let ahead = received.max(time(health.clock)).duration_since(now);
    if ahead > CLOCKS_DIFFER {
        return Finding::wrong(
            "clock",
            format!(
                "an entry was received {} in the future: the clock was set back, or was wrong then",
                span(ahead)
            ),
            "synchronise the clock (chrony, systemd-timesyncd); until then, signed webhooks may be refused as stale",
        );
    }
    let behind = SignedDuration::from_millis(health.ahead.unwrap_or_default());
    if behind > CLOCKS_DIFFER {
        return Finding::wrong(
            "clock",
            format!("Smooch dated an event {} after its arrival here: this clock is slow", span(behind)),
            "synchronise the clock (chrony, systemd-timesyncd); until then, new events may go to quarantine",
        );
    }
    Finding::fine("clock", "agrees with the journal and with Smooch's dates")
}
