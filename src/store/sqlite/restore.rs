//! Restores a backup in place of a database.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::store::sqlite::backup_checksum::{Checked, ShowUser, remove_checksum};
use crate::store::sqlite::epoch_marker::void_marker;
use crate::store::sqlite::file_errors::{CopyError, OpenError};
use crate::store::sqlite::files::header::{find_log, log_has_content};
use crate::store::sqlite::files::leftovers::remove_if_there;
use crate::store::sqlite::files::names::{
    BESIDE, LOGS, REPLACED, RESTORING, verify_marker_path, with_suffix,
};
use crate::store::sqlite::files::open::{lock_database, set_verify_marker};
use crate::store::sqlite::files::output::{Output, OutputError, OutputKind, resolve_path};
use crate::store::sqlite::files::partial_file::{PartialFile, database_size, ensure_free_space, sync_folder};
use crate::store::sqlite::snapshot_conn::FileTask;
use crate::store::sqlite::snapshot_copy::copy_snapshot;
use crate::store::sqlite::verify::check;

/// The result of a restore.
#[derive(Debug)]
pub struct Restored {
    /// The restored database's content.
    pub checked: Checked,
    /// Its path.
    pub path: PathBuf,
    /// Where the replaced database is now.
    pub aside: Option<PathBuf>,
}

/// Restores a backup to `to`, and checks it before and after. At any moment `to` is the old database or the new
/// one. `database` is the one of the settings.
///
/// # Errors
/// A service has the database open; there is a database and `replace` is not set; `backup` is `to` itself; or as
/// for [`backup`](super::backup::backup).
pub fn restore(
    backup: &Path,
    to: &Path,
    database: &Path,
    replace: bool,
    show: ShowUser,
    task: &mut FileTask<'_>,
) -> Result<Restored, CopyError> {
    let to = resolve_path(to).map_err(CopyError::io(to))?;
    if backup.canonicalize().is_ok_and(|backup| backup == to) {
        return Err(CopyError::Same(to));
    }
    let output = match Output::check(&to, OutputKind::Database, Some(database)) {
        Err(OutputError::Other { .. }) if !replace => return Err(CopyError::Exists(to)),
        Err(OutputError::InUse(path)) => return Err(OpenError::InUse(path).into()),
        output => output?,
    };
    let lock = lock_database(&to)?;
    let old = output.exists()? || find_log(&to).is_some();
    if old && !replace {
        return Err(CopyError::Exists(to));
    }
    let before = check(backup, show, task)?;
    ensure_free_space(database_size(backup)?, &to)?;
    let part = PartialFile::begin(output, RESTORING)?;
    copy_snapshot(backup, &part, task)?;
    Connection::open(&part.path)
        .and_then(|conn| remove_checksum(&conn))
        .map_err(CopyError::sql(&part.path))?;
    let after = check(&part.path, show, task)?;
    if (before.seq, &before.checksum) != (after.seq, &after.checksum) {
        let what = "its copy has another checksum".to_owned();
        return Err(CopyError::Damaged(part.path.clone(), what));
    }
    part.sync()?;
    // The new database may give the feed's numbers a second time.
    void_marker(&lock).map_err(CopyError::io(&to))?;
    let aside = if old { Some(put_aside(&to)?) } else { None };
    let remove = |path: PathBuf| remove_if_there(&path).map_err(CopyError::io(&path));
    BESIDE.iter().try_for_each(|suffix| remove(with_suffix(&to, suffix)))?;
    part.place()?;
    // The marker was about the old database.
    remove(verify_marker_path(&to))?;
    Ok(Restored { checked: after, path: to, aside })
}

/// Gives the old database and its logs second names (hard links), so that `to` always names a database until the
/// new one is renamed over it. A missing or empty database has only its log.
fn put_aside(old: &Path) -> Result<PathBuf, CopyError> {
    let aside = with_suffix(old, &format!("{REPLACED}{}", file_timestamp()));
    let logs = || LOGS.iter().map(|log| (with_suffix(old, log), with_suffix(&aside, log)));
    let has_pages = old.metadata().is_ok_and(|file| file.len() > 0);
    // Copies the log into the file, unless the file is too damaged.
    if has_pages
        && find_log(old).is_some()
        && let Ok(conn) = Connection::open_with_flags(old, OpenFlags::SQLITE_OPEN_READ_WRITE)
    {
        _ = conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    if old.exists() {
        fs::hard_link(old, &aside).map_err(CopyError::io(&aside))?;
    }
    for (log, beside) in logs().filter(|(log, _)| log_has_content(log)) {
        // If the restore is interrupted from here on, the next start verifies the old file before it serves it
        // without its log.
        set_verify_marker(old).map_err(CopyError::io(&verify_marker_path(old)))?;
        fs::hard_link(&log, &beside).map_err(CopyError::io(&beside))?;
    }
    sync_folder(old)?;
    Ok(aside)
}

/// The current time as part of a file name; such names sort by time.
pub fn file_timestamp() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%S%.3fZ").to_string()
}
