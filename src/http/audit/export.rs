//! The entries of an export.

use crate::clock::now_ms;
use crate::domain::AppId;
use crate::http::error::ApiError;
use crate::ingest::audit_log::AuditLog;
use crate::store::{Actor, AuditAction, AuditEntry, AuditOutcome};

/// An export under way. Its first entry is on disk before a byte of it is sent; dropped, it writes the second, which
/// has the number of rows that were sent.
pub(in crate::http) struct AuditedExport {
    log: AuditLog,
    end: AuditEntry,
    is_whole: bool,
}

impl AuditedExport {
    /// Begins an export of `what`, in words of the program, if it shows somebody something that the log tells of.
    pub(in crate::http) async fn begin(
        log: &AuditLog,
        by: Option<&Actor>,
        app: Option<&AppId>,
        what: &str,
    ) -> Result<Option<Self>, ApiError> {
        let Some(by) = by else { return Ok(None) };
        let entry = AuditEntry::of(now_ms(), by, AuditAction::Export);
        let entry = AuditEntry { app: app.cloned(), detail: Some(what.to_owned()), ..entry };
        log.add(AuditEntry { outcome: AuditOutcome::Begun, ..entry.clone() }).await?;
        Ok(Some(Self { log: log.clone(), end: AuditEntry { count: Some(0), ..entry }, is_whole: false }))
    }

    /// Counts rows that are sent.
    pub(in crate::http) fn count(&mut self, rows: usize) {
        self.end.count = self.end.count.map(|count| count + rows as u64);
    }

    /// The last row was sent.
    pub(in crate::http) fn finish(&mut self) {
        self.is_whole = true;
    }
}

impl Drop for AuditedExport {
    fn drop(&mut self) {
        let outcome = if self.is_whole { AuditOutcome::Done } else { AuditOutcome::Failed };
        self.log.add_later(AuditEntry { time: now_ms(), outcome, ..self.end.clone() });
    }
}
