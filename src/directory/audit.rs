//! The audit log: its reads, and the entry of a repair.

use std::collections::BTreeSet;

use super::reader::DirectoryReader;
use crate::domain::{AppId, SmoochId};
use crate::store::rows::RebuiltRow;
use crate::store::tables::AuditTime;
use crate::store::{Actor, AuditAction, AuditEntry, ReadRow as _, Result, Seq};

/// Entries that are read at once.
const PIECE: usize = 1000;

/// Conditions on entries of the audit log. All must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditFilter {
    /// Who did it.
    pub who: Option<String>,
    /// What was done.
    pub action: Option<AuditAction>,
    /// The apps that it may be about.
    pub apps: Option<BTreeSet<AppId>>,
    /// App users, one of whom it is about.
    pub ids: Option<BTreeSet<SmoochId>>,
    /// The least number.
    pub from: Seq,
    /// The earliest time, in ms since 1970.
    pub since: Option<i64>,
    /// The latest time, in ms since 1970.
    pub until: Option<i64>,
}

impl AuditFilter {
    fn matches(&self, entry: &AuditEntry) -> bool {
        self.who.as_ref().is_none_or(|who| entry.who.as_ref() == Some(who))
            && self.action.is_none_or(|action| entry.action == action)
            && self.apps.as_ref().is_none_or(|apps| entry.app.as_ref().is_some_and(|app| apps.contains(app)))
            && self.ids.as_ref().is_none_or(|ids| entry.ids.iter().any(|id| ids.contains(id)))
            && self.since.is_none_or(|since| entry.time >= since)
            && self.until.is_none_or(|until| entry.time <= until)
    }
}

/// A part of the audit log.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditPage {
    /// The entries that match, each with its number, the newest first.
    pub entries: Vec<(Seq, AuditEntry)>,
    /// How many entries were looked at.
    pub looked: usize,
    /// The number before which the next page begins; `None` at the end of the log.
    pub next: Option<Seq>,
}

impl DirectoryReader {
    /// The newest entries before this number: at most `limit` that match, among at most `looks`.
    pub fn read_audit(
        &self,
        filter: &AuditFilter,
        before: Option<Seq>,
        (limit, looks): (usize, usize),
    ) -> Result<AuditPage> {
        let rows = self.snapshot()?;
        let mut page = AuditPage { entries: Vec::new(), looked: 0, next: before };
        let mut next = before.unwrap_or(i64::MAX as Seq);
        loop {
            let piece = PIECE.min(looks - page.looked);
            let last = next.saturating_sub(1);
            let found = <(Seq, AuditEntry)>::select().from("seq", &filter.from).up_to("seq", &last);
            let found = found.descending().limit(piece).read(&*rows)?;
            let is_end = found.len() < piece;
            for (seq, entry) in found {
                (page.looked, next) = (page.looked + 1, seq);
                if filter.matches(&entry) {
                    page.entries.push((seq, entry));
                }
                if page.entries.len() == limit {
                    break;
                }
            }
            if page.entries.len() == limit || page.looked == looks {
                let last = next.saturating_sub(1);
                let more = AuditTime::select().from("seq", &filter.from).up_to("seq", &last).first(&*rows)?;
                page.next = more.map(|_| next);
                return Ok(page);
            }
            if is_end {
                page.next = None;
                return Ok(page);
            }
        }
    }
}

/// The entry of a repair of rows, which names the app users of these.
pub(super) fn audit_of_repair(rows: &[RebuiltRow], by: &Actor, now: i64) -> AuditEntry {
    let keys: BTreeSet<(AppId, SmoochId)> = rows.iter().map(|row| row.key.user()).collect();
    let apps: BTreeSet<&AppId> = keys.iter().map(|(app, _)| app).collect();
    let app = apps.first().filter(|_| apps.len() == 1).map(|app| (*app).clone());
    let ids = keys.iter().map(|(_, id)| id.clone()).collect();
    AuditEntry { app, ids, count: Some(rows.len() as u64), ..AuditEntry::of(now, by, AuditAction::Rebuild) }
}
