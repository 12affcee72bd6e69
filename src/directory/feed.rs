//! Pages of the change feed.

use super::load::Loader;
use super::reader::DirectoryReader;
use super::users::show;
use crate::domain::{AppId, Change, ChangeKind, View};
use crate::store::rows::FeedRange;
use crate::store::tables::StoredChange;
use crate::store::{Error, FeedEpoch, ReadRow as _, Result};

/// Bytes of app users beyond which a page takes no further change.
const PAGE_BYTES: usize = 256 << 10;

const STEP: usize = 128;

/// A change in a feed.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedChange {
    /// Its number. The numbers of an app rise by one.
    pub seq: u64,
    /// When it was committed, in ms since 1970.
    pub time: i64,
    /// The change.
    pub change: Change,
    /// The app user at the moment of reading, so perhaps after later changes; absent if it is merged into another
    /// or removed by then.
    pub user: Option<View>,
}

/// A page of a feed, of one snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedPage {
    /// What the numbers count from.
    pub epoch: FeedEpoch,
    /// In the order of their numbers.
    pub changes: Vec<FeedChange>,
    /// The oldest stored number; the next one to be given if there is none.
    pub oldest: u64,
    /// The last number given; 0 before the first.
    pub last: u64,
}

impl DirectoryReader {
    /// Reads a page of changes: at most `limit`, fewer if the app users are large, but none only at the end. Every app
    /// user is shown as of the snapshot, so never older than its change: a follower that has applied an app user's last
    /// change has it as it is.
    pub fn read_changes(&self, app: &AppId, after: u64, limit: usize) -> Result<FeedPage> {
        let rows = self.snapshot()?;
        let mut loader = Loader::new(&*rows);
        let (mut changes, mut bytes, mut at) = (Vec::new(), 0, after);
        while changes.len() < limit && bytes < PAGE_BYTES {
            let step = STEP.min(limit - changes.len());
            let step = StoredChange::select().is("app", app).above("seq", &at).limit(step).read(&*rows)?;
            let Some(last) = step.last().map(|change| change.seq) else { break };
            at = last;
            for StoredChange { seq, time, change } in step {
                if bytes >= PAGE_BYTES {
                    break;
                }
                let is_shown = !matches!(
                    change.kind,
                    ChangeKind::Merged { .. } | ChangeKind::Removed | ChangeKind::Erased
                );
                let user = if is_shown { show(&mut loader, app, &change.user)? } else { None };
                let user = user.filter(|view| view.id == change.user);
                bytes += user.as_ref().map_or(0, |view| view.bytes());
                changes.push(FeedChange { seq, time, change, user });
            }
        }
        let FeedRange { oldest, last } = FeedRange::read(&*rows, app)?;
        let epoch = rows.feed_epoch()?;
        let is_to_the_end = changes.len() < limit && bytes < PAGE_BYTES;
        let after = after.min(i64::MAX as u64).max(oldest.saturating_sub(1));
        check_numbers(&changes, after, is_to_the_end.then_some(last))?;
        Ok(FeedPage { epoch, changes, oldest, last })
    }
}

/// Fails if a change is missing from a page: a follower would never see it. `last` is the last change of the app, if
/// the page should reach it.
fn check_numbers(changes: &[FeedChange], after: u64, last: Option<u64>) -> Result<()> {
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
