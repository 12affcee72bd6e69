//! Pages of the change feed.

use super::load::Loader;
use super::reader::show;
use crate::domain::{AppId, ChangeKind};
use crate::store::rows::{Rows, StoredChange};
use crate::store::{Changed, Changes, Error, Result};

/// Bytes of app users beyond which a page takes no further change.
const PAGE_BYTES: usize = 256 << 10;

/// Changes that are read at once.
const STEP: usize = 128;

/// Reads a page of changes. Every app user is shown as of the snapshot, so never older than its change: a follower
/// that has applied an app user's last change has it as it is.
pub fn read_changes(rows: &dyn Rows, app: &AppId, after: u64, limit: usize) -> Result<Changes> {
    let mut loader = Loader::new(rows);
    let (mut changes, mut bytes, mut at) = (Vec::new(), 0, after);
    while changes.len() < limit && bytes < PAGE_BYTES {
        let step = rows.changes_after(app, at, STEP.min(limit - changes.len()))?;
        let Some(last) = step.last().map(|change| change.seq) else { break };
        at = last;
        for StoredChange { seq, time, change } in step {
            if bytes >= PAGE_BYTES {
                break;
            }
            let is_shown =
                !matches!(change.kind, ChangeKind::Merged { .. } | ChangeKind::Removed | ChangeKind::Erased);
            let user = if is_shown { show(&mut loader, app, &change.user)? } else { None };
            let user = user.filter(|view| view.id == change.user);
            bytes += user.as_ref().map_or(0, |view| view.bytes());
            changes.push(Changed { seq, time, change, user });
        }
    }
    let (oldest, last) = rows.feed_range(app)?;
    let epoch = rows.feed_epoch()?;
    let oldest = oldest.unwrap_or(last + 1);
    let is_to_the_end = changes.len() < limit && bytes < PAGE_BYTES;
    let after = after.min(i64::MAX as u64).max(oldest.saturating_sub(1));
    check_numbers(&changes, after, is_to_the_end.then_some(last))?;
    Ok(Changes { epoch, changes, oldest, last })
}

/// Fails if a change is missing from a page: a follower would never see it. `last` is the last change of the app, if
/// the page should reach it.
fn check_numbers(changes: &[Changed], after: u64, last: Option<u64>) -> Result<()> {
    let mut to = after;
    let has_no_gap = changes.iter().all(|changed| {
        to += 1;
        changed.seq == to
    });
    if has_no_gap && last.is_none_or(|last| last <= to) {
        return Ok(());
    }
    Err(Error::Derived { name: "feed", why: format!("what follows change {after} is not whole") })
}
