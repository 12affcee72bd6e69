//! Checks that a database is whole.

use std::path::Path;

use super::examination::{Examination, PAGE_BYTES};
use super::users::show_by_id;
use crate::store::sqlite::{Checked, CopyError, FileTask, check, derived_faults, read_in_snapshots};
use crate::store::tables::AuditTime;
use crate::store::{Error, Hole, ReadEvent, ReadRow as _, Seq};

const PAGE: usize = 1000;

/// As [`check`]; also examines the journal, reading bodies with `read`, and compares every derived table with its
/// source.
///
/// # Errors
/// As [`check`], and [`CopyError::Journal`] and [`CopyError::Derived`].
pub fn verify(path: &Path, read: ReadEvent, task: &mut FileTask<'_>) -> Result<Checked, CopyError> {
    let checked = match check(path, show_by_id, task) {
        // The first fault; `derived_faults` finds all.
        checked @ (Ok(_) | Err(CopyError::Derived { .. })) => checked,
        failed => return failed,
    };
    let (path, faults) = (path.to_owned(), derived_faults(path, task)?);
    let holes = match journal_holes(&path, read, task) {
        // The examination needs a derived table that is damaged.
        Err(CopyError::Derived { .. } | CopyError::Store(_, Error::Derived { .. })) => Vec::new(),
        holes => holes?,
    };
    match (holes.is_empty(), faults.is_empty()) {
        (true, true) => match audit_gap(&path, task)? {
            Some(what) => Err(CopyError::Damaged(path, what)),
            None => checked,
        },
        (true, false) => Err(CopyError::Derived(path, faults)),
        (false, _) => Err(CopyError::Journal { path, holes, faults }),
    }
}

/// The first entries that are missing in the middle of the audit log of a database; `None` if it has none, and for an
/// older schema. Retention deletes the oldest ones, also meanwhile.
fn audit_gap(path: &Path, task: &mut FileTask<'_>) -> Result<Option<String>, CopyError> {
    let (mut last, mut gap): (Option<Seq>, _) = (None, None);
    read_in_snapshots(path, task, |rows| {
        let oldest = AuditTime::select().first(rows)?.map(|entry| entry.seq);
        let page = AuditTime::select().after_last(last.as_ref()).limit(PAGE).read(rows)?;
        for AuditTime { seq, .. } in &page {
            let next = last.replace(*seq).map(|before| before + 1).filter(|next| Some(*next) > oldest);
            if let Some(next) = next.filter(|next| next < seq && gap.is_none()) {
                gap = Some(format!("the entries {next} to {} of the audit log are missing", seq - 1));
            }
        }
        Ok((!page.is_empty()).then_some(page.len() as u64))
    })?;
    Ok(gap)
}

/// Finds holes in the journal of a database, also while a service writes it. Empty for an older schema.
///
/// # Errors
/// The database cannot be read, or the WAL limit was reached.
pub fn journal_holes(path: &Path, read: ReadEvent, task: &mut FileTask<'_>) -> Result<Vec<Hole>, CopyError> {
    let (mut examination, mut is_examined) = (Examination::default(), false);
    // One snapshot a page: entries do not change, except through retention and erasures.
    read_in_snapshots(path, task, |rows| {
        if is_examined {
            let records = examination.records(rows, PAGE, read)?;
            return Ok((records > 0).then_some(records as u64));
        }
        let page = examination.page(rows, (PAGE, PAGE_BYTES), read, |_| true)?;
        is_examined = page.is_empty();
        if is_examined {
            examination.end(rows)?;
        }
        Ok(Some(page.len() as u64))
    })?;
    Ok(examination.holes())
}
