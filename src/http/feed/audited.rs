//! What operators read of the feed is in the audit log as an export: it shows whole app users.

use crate::clock::now_ms;
use crate::http::api_request::ApiRequest;
use crate::http::error::ApiError;
use crate::store::{AuditAction, AuditEntry};

/// What the audit log calls an export of the feed.
pub(super) const FEED: &str = "the change feed";

/// Adds a page to the audit log, before an operator sees the app users in it.
pub(super) async fn audit_page(request: &ApiRequest, count: usize) -> Result<(), ApiError> {
    let Some(by) = request.reading_operator().filter(|_| count > 0) else { return Ok(()) };
    let entry = AuditEntry::of(now_ms(), by, AuditAction::Export);
    let (app, count) = (Some(request.caller.app.clone()), Some(count as u64));
    let entry = AuditEntry { app, count, detail: Some(FEED.to_owned()), ..entry };
    Ok(request.shared.audit.add(entry).await?)
}
