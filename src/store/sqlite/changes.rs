//! What a follower of the directory reads: the changes of an app, each with its app user.

use rusqlite::{Connection, OptionalExtension, params};

use super::epoch_marker;
use super::load::Loader;
use super::reader::show;
use super::txn::last_change;
use super::{Error, Result};
use crate::domain::{AppId, Change, ChangeKind};
use crate::store::{Changed, Changes};

/// Bytes of app users beyond which a page takes no further change.
const PAGE_BYTES: usize = 256 << 10;

/// A page of changes. `conn` must be in a transaction: every app user is shown as of one moment, which is
/// not before any of the changes. So whoever applies an app user's last change has it as it is.
pub(super) fn read(conn: &Connection, app: &AppId, after: u64, limit: usize) -> Result<Changes> {
    let sql = "SELECT seq, time, kind, user, surviving, fields
                   FROM changes WHERE app = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
    let mut select = conn.prepare_cached(sql)?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let mut rows = select.query(params![app.as_str(), after, limit as i64])?;
    let mut loader = Loader::new(conn, None, usize::MAX);
    let (mut changes, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()?.filter(|_| bytes < PAGE_BYTES) {
        let mut changed = changed(row)?;
        if !matches!(
            changed.change.kind,
            ChangeKind::Merged { .. } | ChangeKind::Removed | ChangeKind::Erased
        ) {
            let user = show(&mut loader, app, &changed.change.user)?;
            changed.user = user.filter(|view| view.id == changed.change.user);
        }
        bytes += changed.user.as_ref().map_or(0, |view| view.bytes());
        changes.push(changed);
    }
    let last = last_change(conn, app)?;
    let epoch = epoch_marker::read_epoch(conn)?;
    let oldest = oldest(conn, app)?.unwrap_or(last + 1);
    let is_to_the_end = changes.len() < limit && bytes < PAGE_BYTES;
    let after = (after as u64).max(oldest.saturating_sub(1));
    check_numbers(&changes, after, is_to_the_end.then_some(last))?;
    Ok(Changes { epoch, changes, oldest, last })
}

/// Fails if a change is not there that should be on a page: whoever read on would miss it. `last` is the last change
/// of the app, if the page should go on to it.
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

fn changed(row: &rusqlite::Row<'_>) -> Result<Changed> {
    let damaged = |what: String| Error::Damaged(format!("changes: {what}"));
    let user = row.get_ref(3)?.as_str()?.into();
    let surviving: Option<String> = row.get(4)?;
    let (kind, fields): (String, String) = (row.get(2)?, row.get(5)?);
    let (seq, time) = (row.get::<_, i64>(0)? as u64, row.get(1)?);
    let surviving = surviving.map(|surviving| surviving.as_str().into());
    let kind = ChangeKind::from_parts(&kind, surviving).ok_or_else(|| damaged(format!("kind {kind}")))?;
    let fields = serde_json::from_str(&fields).map_err(|error| damaged(error.to_string()))?;
    Ok(Changed { seq, time, change: Change { user, kind, fields }, user: None })
}

/// The oldest change of an app that is kept.
pub(super) fn oldest(conn: &Connection, app: &AppId) -> Result<Option<u64>> {
    let sql = "SELECT seq FROM changes WHERE app = ?1 ORDER BY seq LIMIT 1";
    let mut select = conn.prepare_cached(sql)?;
    let oldest = select.query_row([app.as_str()], |row| row.get::<_, i64>(0)).optional()?;
    Ok(oldest.map(|seq| seq as u64))
}
