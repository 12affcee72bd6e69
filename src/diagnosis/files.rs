//! Checks of files, disk and backups.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::HumanBytes;
use jiff::{SignedDuration, Timestamp};

use super::finding::{Finding, span};
use crate::config::{Settings, StoreUrl};
use crate::operators::{KeyFileError, key_path, read_key};
use crate::schedule::{self, BackupFolder};
use crate::store::explain;
use crate::store::sqlite::{self, FileTask};

/// Permission bits of other users.
const OTHERS: u32 = 0o006;

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Files with secrets or personal data must not be readable by others.
pub(super) fn rights(settings: &Settings, config: Option<PathBuf>) -> Vec<Finding> {
    let StoreUrl::Sqlite(database) = &settings.store.url;
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", database.display()));
    let mut files = vec![config.unwrap_or_else(|| PathBuf::from("config.toml"))];
    files.extend([database.clone(), beside("-wal"), beside("-shm")]);
    files.extend(settings.backup.folder.iter().cloned());
    let mut open: Vec<Finding> = files.iter().filter_map(|file| open_to_others(file)).collect();
    open.extend(folder_open_to_others(folder(database)));
    if open.is_empty() {
        vec![Finding::fine("file rights", "other users cannot read or replace the files")]
    } else {
        open
    }
}

/// The key file must be readable by the service and by nobody else.
pub(super) fn key_file(settings: &Settings) -> Finding {
    const CHECK: &str = "key file";
    let StoreUrl::Sqlite(database) = &settings.store.url;
    let path = key_path(database);
    let name = path.display();
    match read_key(database) {
        Ok(_) => Finding::fine(CHECK, format!("{name} is readable by its owner alone")),
        Err(KeyFileError::Missing(_)) => {
            Finding::fine(CHECK, format!("{name} does not exist; the next start makes it"))
        }
        Err(error @ KeyFileError::Open { .. }) => {
            Finding::wrong(CHECK, error.to_string(), format!("chmod 600 {name}"))
        }
        Err(error @ (KeyFileError::Damaged(_) | KeyFileError::NoFile { .. })) => {
            Finding::wrong(CHECK, error.to_string(), format!("rm -r {name}"))
        }
        Err(error) => Finding::wrong(CHECK, error.to_string(), "run the command as the user of the service"),
    }
}

fn open_to_others(file: &Path) -> Option<Finding> {
    let mode = file.metadata().ok()?.permissions().mode() & 0o777;
    let name = file.display();
    let (what, mode_to_be) =
        if file.is_dir() { ("a folder of backups", "700") } else { ("secrets or personal data", "600") };
    (mode & OTHERS != 0).then(|| {
        let said =
            format!("{name} holds {what}, and all users of this machine can access it (mode {mode:o})");
        Finding::wrong("file rights", said, format!("chmod {mode_to_be} {name}"))
    })
}

/// A user with write permission on the folder could replace the database, or place a log beside it.
fn folder_open_to_others(folder: &Path) -> Option<Finding> {
    let mode = folder.metadata().ok()?.permissions().mode() & 0o7777;
    let name = folder.display();
    (mode & 0o002 != 0).then(|| {
        let said = format!(
            "{name}, the folder of the database, is writable by all users of this machine (mode {mode:o})"
        );
        Finding::wrong(
            "file rights",
            said,
            format!("chmod o-w {name}, or move the database to its own folder"),
        )
    })
}

/// Checks for space for the log and a copy of the database, and for a suitable file system.
pub(super) fn disk(settings: &Settings) -> Vec<Finding> {
    let StoreUrl::Sqlite(database) = &settings.store.url;
    let folder = folder(database);
    let size = database.metadata().map_or(0, |file| file.len());
    let name = folder.display();
    let room = match sqlite::free_bytes(folder) {
        Err(error) => Finding::wrong("disk space", format!("{name}: {error}"), "check store.url"),
        Ok(free) if free < settings.store.wal_limit => Finding::wrong(
            "disk space",
            format!(
                "{name} has {} left, less than the log may grow to (store.wal_limit, {})",
                HumanBytes(free),
                HumanBytes(settings.store.wal_limit)
            ),
            "free space now: on a full disk, webhooks are answered 503, and Smooch gives up after 15 minutes",
        ),
        Ok(free) if free < settings.store.wal_limit.saturating_add(size.saturating_mul(2)) => {
            Finding::warning(
                "disk space",
                format!(
                    "{name} has {} left, too little for the backup that an upgrade makes ({})",
                    HumanBytes(free),
                    HumanBytes(size)
                ),
                "free space before the next upgrade",
            )
        }
        Ok(free) => Finding::fine("disk space", format!("{name} has {} left", HumanBytes(free))),
    };
    vec![room, file_system(folder)]
}

fn file_system(folder: &Path) -> Finding {
    let name = folder.display();
    match rustix::fs::statfs(folder) {
        Err(error) => Finding::wrong("file system", format!("{name}: {error}"), "check store.url"),
        // The type of the number depends on the platform.
        Ok(found) => kind(&name.to_string(), found.f_type as u32),
    }
}

/// The finding for a file system, by its Linux magic number.
fn kind(name: &str, magic: u32) -> Finding {
    const CHECK: &str = "file system";
    let local = "put the database on a disk of this machine";
    match magic {
        0x6969 | 0x517B | 0xFE53_4D42 | 0xFF53_4D42 | 0x0102_1997 | 0x00C3_6400 | 0x5346_414F
        | 0x0BD0_0BD0 => {
            let said = format!("{name} is on another machine (network file system, {magic:#x})");
            Finding::wrong(CHECK, format!("{said}: a WAL needs local locks and shared memory"), local)
        }
        0x6573_5546 => {
            let said = format!("{name} is on FUSE: syncs and locks depend on the program behind it");
            Finding::warning(CHECK, said, local)
        }
        0x0102_1994 | 0x8584_58F6 => {
            let said = format!("{name} is in memory (tmpfs): a restart of the machine deletes it");
            Finding::wrong(CHECK, said, local)
        }
        0x794C_7630 => {
            let said = format!("{name} is in the layers of a container: it is deleted with the container");
            Finding::warning(CHECK, said, "mount a volume there")
        }
        _ => Finding::fine(CHECK, format!("{name} is on a disk ({magic:#x})")),
    }
}

/// An overdue scheduled backup is wrong; no schedule at all is a warning.
pub(super) fn backups(settings: &Settings, now: Timestamp) -> Vec<Finding> {
    const CHECK: &str = "last backup";
    let Some(folder) = &settings.backup.folder else {
        let remedy = "set backup.folder, or make backups by other means";
        return vec![Finding::warning(CHECK, "the service makes none", remedy)];
    };
    if let Some(said) = settings.wrong_with_backups(|folder| schedule::refused_folder(settings, folder)) {
        return vec![Finding::wrong(
            CHECK,
            said,
            "correct backup.folder, or create the folder; the service's user must be able to write there",
        )];
    }
    let StoreUrl::Sqlite(database) = &settings.store.url;
    let kept = match schedule::look(folder, database, now) {
        Err(error) => {
            let said = format!("{}: {}", folder.display(), explain(&error));
            return vec![Finding::wrong(CHECK, said, "check backup.folder")];
        }
        Ok(kept) => kept,
    };
    let mut told = |_, _, _| {};
    let work = FileTask { progress: &mut told, stop: Arc::default(), wal_limit: settings.store.wal_limit };
    let newest = kept.counted.last().map(|(_, path)| path.as_path());
    let damaged = newest.and_then(|path| Some((path, sqlite::find_file_damage(path, &work)?)));
    let doubtful = kept.doubtful().map(|(path, why)| {
        let said = format!("{} is ignored: it {why}", path.display());
        if kept.ahead.iter().any(|ahead| ahead == path) {
            let remedy = "correct the clock; rename or delete the file";
            return Finding::warning(CHECK, said, remedy);
        }
        Finding::wrong(CHECK, said, "delete it, and run `rollcall verify` on the others")
    });
    let verdict = match damaged {
        Some((path, what)) => {
            let remedy = "delete it, and run `rollcall verify` on the earlier ones";
            Finding::wrong(CHECK, format!("{}, the newest, {what}", path.display()), remedy)
        }
        None => newest_backup(settings, folder, &kept, now),
    };
    [verdict].into_iter().chain(doubtful).collect()
}

fn newest_backup(settings: &Settings, folder: &Path, kept: &BackupFolder, now: Timestamp) -> Finding {
    const CHECK: &str = "last backup";
    let every = SignedDuration::try_from(settings.backup.every).unwrap_or(SignedDuration::MAX);
    let name = folder.display();
    let remedy = "look for \"backup failed\" in the log of the service, and check the space on that disk";
    let Some((taken, _)) = kept.counted.last() else {
        return Finding::wrong(CHECK, format!("{name} has none"), remedy);
    };
    let (count, age) = (kept.counted.len(), now.duration_since(*taken));
    let bytes = kept.counted.iter().filter_map(|(_, path)| path.metadata().ok()).map(|file| file.len()).sum();
    let said = format!("{name} has {count} ({}), the newest was made {} ago", HumanBytes(bytes), span(age));
    if age > every.saturating_mul(2) {
        Finding::wrong(CHECK, said, remedy)
    } else {
        Finding::fine(CHECK, said)
    }
}

/// Files of killed processes: they hold personal data that no erasure removes.
pub(super) fn leftovers(settings: &Settings) -> Vec<Finding> {
    const CHECK: &str = "unfinished files";
    let StoreUrl::Sqlite(database) = &settings.store.url;
    let folders: Vec<PathBuf> = settings.backup.folder.iter().cloned().collect();
    let found = sqlite::find_leftovers(database, &folders).into_iter().map(|left| {
        let name = left.path.display();
        if left.in_use {
            return Finding::fine(CHECK, format!("{name}: a rebuild is running"));
        }
        let said = format!("{name} was left by a killed process, and holds personal data");
        Finding::warning(CHECK, said, "the next start of the service or `rollcall erase` removes it")
    });
    let found: Vec<Finding> = found.collect();
    if found.is_empty() { vec![Finding::fine(CHECK, "there are none")] } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Severity;

    #[test]
    fn unreliable_file_systems_are_recognised() {
        for (magic, state, said) in [
            (0xEF53, Severity::Fine, "on a disk"),
            (0x9123_683E, Severity::Fine, "on a disk"),
            (0x6969, Severity::Wrong, "another machine"),
            (0xFF53_4D42, Severity::Wrong, "another machine"),
            (0x6573_5546, Severity::Warning, "FUSE"),
            (0x0102_1994, Severity::Wrong, "in memory"),
            (0x794C_7630, Severity::Warning, "container"),
        ] {
            let finding = kind("here", magic);
            assert!(finding.state == state && finding.said.contains(said), "{magic:#x}: {finding:?}");
        }
    }
}
