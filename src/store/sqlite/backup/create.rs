//! Backups: a whole, checked copy, put in place at once.

use std::path::{Path, PathBuf};

use super::backup_checksum;
use super::snapshot_copy::copy;
use crate::clock::now_ms;
use crate::store::sqlite::check::checked::Checked;
use crate::store::sqlite::check::verify::check;
use crate::store::sqlite::file_errors::{CopyError, OpenError};
use crate::store::sqlite::files::names::{BEFORE, with_suffix};
use crate::store::sqlite::files::open::{check_log, one_name};
use crate::store::sqlite::files::output::{Kind, Output, Refusal};
use crate::store::sqlite::files::partial_file::{Part, need, size};
use crate::store::sqlite::task::Work;

/// Writes a backup of the database at `source`, which may be written meanwhile, to `to`. What is there
/// afterwards is whole and checked, or as it was.
///
/// # Errors
/// `to` is there already and is not to be overwritten; there is no room; either file is damaged or cannot be
/// used; `to` must not be written; too much is being written meanwhile; or it was stopped.
pub fn backup(source: &Path, to: &Path, overwrite: bool, work: &mut Work<'_>) -> Result<Checked, CopyError> {
    check_log(source)?;
    let output =
        Output::check(to, Kind::Backup, Some(source)).and_then(|output| Ok((output.exists()?, output)));
    let output = match output {
        Ok((true, _)) | Err(Refusal::Other { .. }) if !overwrite => {
            return Err(CopyError::Exists(to.to_owned()));
        }
        output => output?.1,
    };
    need(size(source)?, &output.path)?;
    let part = Part::new(output)?;
    let counts = copy(source, &part, work)?;
    let mut checked = check(&part.path, work)?;
    if checked.checksum.is_some() && checked.counts != counts {
        let what = format!("it has {:?} instead of {counts:?}", checked.counts);
        return Err(CopyError::Damaged { path: part.path.clone(), what });
    }
    let taken = now_ms();
    backup_checksum::set(&part.path, &checked, taken, work)?;
    checked.bytes = part.path.metadata().map_err(CopyError::io(&part.path))?.len();
    checked.taken = Some(taken);
    if overwrite {
        part.place()?;
    } else {
        part.place_new()?;
    }
    Ok(checked)
}

/// Keeps the file as it is before a step of the schema, beside the database: `rollcall.db.before-0002`.
pub(crate) fn keep_before(path: &Path, step: i64) -> Result<PathBuf, OpenError> {
    let kept = with_suffix(path, &format!("{BEFORE}{step:04}"));
    let mut told = |_, _, _| {};
    let mut work = Work { told: &mut told, stop: Default::default(), wal_limit: u64::MAX };
    let keep = |work: &mut Work<'_>| {
        // Twice: what is kept, and what the upgrade itself may write.
        need(size(path)?.saturating_mul(2), &kept)?;
        let anything = Kind::Text { name: "file", is: |_| true };
        let part = Part::new(Output::check(&kept, anything, Some(path))?)?;
        copy(path, &part, work)?;
        part.place()
    };
    keep(&mut work).map_err(|error| OpenError::Upgrade(Box::new(error)))?;
    one_name(&kept).map_err(|error| OpenError::Io { path: kept, error })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rusqlite::Connection;

    use super::*;

    #[test]
    fn what_is_kept_before_a_step_is_whole_its_log_included_and_is_kept_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollcall.db");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(
            "PRAGMA application_id = 0x726f6c6c; PRAGMA user_version = 1; PRAGMA journal_mode = WAL;
             CREATE TABLE t (a); INSERT INTO t VALUES (1)",
        )
        .unwrap();
        // What an interrupted upgrade has left is replaced: the file may have changed since.
        fs::write(folder.path().join("rollcall.db.before-0002"), "half of it").unwrap();
        let kept = keep_before(&path, 2).unwrap();
        assert_eq!(kept, folder.path().canonicalize().unwrap().join("rollcall.db.before-0002"));
        let found: i64 =
            Connection::open(&kept).unwrap().query_row("SELECT a FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(found, 1);
        assert!(!folder.path().join("rollcall.db.before-0002.partial").exists());
    }

    #[test]
    fn without_room_for_it_nothing_is_begun() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollcall.db");
        assert!(matches!(need(u64::MAX, &path), Err(CopyError::NoRoom { needed: u64::MAX, .. })));
        assert!(need(1, &path).is_ok());
    }
}
