//! Makes backups: checked copies, put in place as a whole.

use std::path::{Path, PathBuf};

use crate::clock::now_ms;
use crate::store::sqlite::backup_checksum::{Checked, ShowUser, write_checksum};
use crate::store::sqlite::file_errors::{CopyError, OpenError};
use crate::store::sqlite::files::names::{BEFORE, with_suffix};
use crate::store::sqlite::files::open::{canonical_database_path, check_log};
use crate::store::sqlite::files::output::{Output, OutputError, OutputKind};
use crate::store::sqlite::files::partial_file::{PartialFile, database_size, ensure_free_space};
use crate::store::sqlite::snapshot_conn::FileTask;
use crate::store::sqlite::snapshot_copy::copy_snapshot;
use crate::store::sqlite::verify::check;

/// Writes a backup of the database at `source` to `to`, also while a service writes the database. `to` is then
/// either a whole, checked backup or unchanged.
///
/// # Errors
/// `to` exists and `overwrite` is not set; the disk has too little room; either file is damaged or unusable; `to`
/// must not be written; the WAL limit was reached; or the task was stopped.
pub fn backup(
    source: &Path,
    to: &Path,
    overwrite: bool,
    show: ShowUser,
    task: &mut FileTask<'_>,
) -> Result<Checked, CopyError> {
    check_log(source)?;
    let output =
        Output::check(to, OutputKind::Backup, Some(source)).and_then(|output| Ok((output.exists()?, output)));
    let output = match output {
        Ok((true, _)) | Err(OutputError::Other { .. }) if !overwrite => {
            return Err(CopyError::Exists(to.to_owned()));
        }
        output => output?.1,
    };
    ensure_free_space(database_size(source)?, &output.path)?;
    let part = PartialFile::new(output)?;
    let counts = copy_snapshot(source, &part, task)?;
    let mut checked = check(&part.path, show, task)?;
    if checked.checksum.is_some() && checked.counts != counts {
        let what = format!("it has {:?} instead of {counts:?}", checked.counts);
        return Err(CopyError::Damaged(part.path.clone(), what));
    }
    let taken = now_ms();
    write_checksum(&part.path, &checked, taken, task)?;
    checked.bytes = part.path.metadata().map_err(CopyError::io(&part.path))?.len();
    checked.taken = Some(taken);
    if overwrite {
        part.place()?;
    } else {
        part.place_new()?;
    }
    Ok(checked)
}

/// Copies the database, before its schema is migrated, to a file beside it: `rollcall.db.before-0002`.
pub(crate) fn keep_before(path: &Path, step: i64) -> Result<PathBuf, OpenError> {
    let copy_path = with_suffix(path, &format!("{BEFORE}{step:04}"));
    let mut progress = |_, _, _| {};
    let mut task = FileTask { progress: &mut progress, stop: Default::default(), wal_limit: u64::MAX };
    let keep = |task: &mut FileTask<'_>| {
        // Twice: once for the copy, once for what the migration may write.
        ensure_free_space(database_size(path)?.saturating_mul(2), &copy_path)?;
        let anything = OutputKind::Text { name: "file", is: |_| true };
        let part = PartialFile::new(Output::check(&copy_path, anything, Some(path))?)?;
        copy_snapshot(path, &part, task)?;
        part.place()
    };
    keep(&mut task).map_err(|error| OpenError::Upgrade(Box::new(error)))?;
    canonical_database_path(&copy_path).map_err(|error| OpenError::Io(copy_path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_room_for_it_nothing_is_begun() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollcall.db");
        assert!(matches!(
            ensure_free_space(u64::MAX, &path),
            Err(CopyError::NoRoom { needed: u64::MAX, .. })
        ));
        assert!(ensure_free_space(1, &path).is_ok());
    }
}
