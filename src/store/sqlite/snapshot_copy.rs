//! Copies a snapshot of a database while a service writes it.
//!
//! The WAL cannot restart while a snapshot is held. So the copy watches the WAL's size, and ends the snapshot
//! before the worker would have to wait.

use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::store::rows::ContentCounts;
use crate::store::sqlite::file_errors::CopyError;
use crate::store::sqlite::files::partial_file::PartialFile;
use crate::store::sqlite::schema::newest_schema;
use crate::store::sqlite::snapshot_conn::{FileTask, SnapshotConn, TaskStage};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

/// Pages per step, between two looks at the WAL: few enough for a slow disk.
const STEP: i32 = 16;
/// Steps between two syncs (4 MiB), so that the last sync is short and other processes' syncs do not wait for it.
const STEPS_A_SYNC: u32 = 64;
/// Snapshots that are tried before the copy fails.
const ATTEMPTS: u32 = 3;

/// Copies a snapshot of a database into `part`, and returns the counts of that snapshot. The copy is not in WAL
/// mode.
pub(crate) fn copy_snapshot(
    source: &Path,
    part: &PartialFile,
    task: &mut FileTask<'_>,
) -> Result<ContentCounts, CopyError> {
    let from = SnapshotConn::open(source, task)?;
    let mut attempt = 1;
    loop {
        match copy_moment(&from, part, task) {
            Err(CopyError::WalLimitReached(_)) if attempt < ATTEMPTS => {
                task.check_stopped()?;
                tracing::warn!(attempt, "the WAL grew too long during the copy; the copy starts again");
                attempt += 1;
                from.wait_for_wal_restart(task)?;
            }
            ended => return ended,
        }
    }
}

fn copy_moment(
    from: &SnapshotConn,
    part: &PartialFile,
    task: &mut FileTask<'_>,
) -> Result<ContentCounts, CopyError> {
    let to_sql = CopyError::sql(&part.path);
    part.empty()?;
    let mut to =
        Connection::open_with_flags(&part.path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(&to_sql)?;
    // A small cache leaves little to write at the end, while the snapshot is still held.
    to.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
         PRAGMA cache_size = 32;",
    )
    .map_err(&to_sql)?;
    let moment = from.begin_snapshot()?;
    let copying = Backup::new(&moment, &mut to).map_err(&to_sql)?;
    let mut steps = 0;
    loop {
        let step = copying.step(STEP).map_err(&to_sql)?;
        let progress = copying.progress();
        let (left, of) = (progress.remaining.unsigned_abs(), progress.pagecount.unsigned_abs());
        (task.progress)(TaskStage::Copying, u64::from(of.saturating_sub(left)), u64::from(of));
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            // The source cannot be busy within a snapshot, and the copy has no other user.
            _ => thread::sleep(Duration::from_millis(10)),
        }
        steps += 1;
        from.check_limits(task)?;
        if steps % STEPS_A_SYNC == 0 {
            // The sync may take long, and the WAL grows meanwhile.
            let flushing = part.flush();
            while !flushing.is_finished() {
                from.check_limits(task)?;
                thread::sleep(Duration::from_millis(1));
            }
            flushing.join().map_err(|_| CopyError::Stopped)?.map_err(CopyError::io(&part.path))?;
        }
    }
    drop(copying);
    let counts = if from.schema == newest_schema() {
        ContentCounts::read(&*moment).map_err(|error| from.error_of(task, error))?
    } else {
        ContentCounts::default()
    };
    drop(moment);
    to.execute_batch("PRAGMA journal_mode = DELETE").map_err(&to_sql)?;
    drop(to);
    part.sync()?;
    Ok(counts)
}
