//! The entries of requests to the admin listener that are refused.

use axum::extract::{MatchedPath, Request};
use axum::http::Method;

use super::actor::{actor_of, nobody};
use crate::clock::now_ms;
use crate::ingest::audit_log::AuditLog;
use crate::operators::Operator;
use crate::store::{AuditAction, AuditEntry};

/// A call that may be refused, by its method and route: the address itself may name a person.
pub(in crate::http) struct AuditedCall {
    method: Method,
    route: Option<MatchedPath>,
}

impl AuditedCall {
    /// The call of a request.
    pub(in crate::http) fn of(request: &Request) -> Self {
        Self { method: request.method().clone(), route: request.extensions().get().cloned() }
    }

    /// Adds that it was refused to this operator, or to somebody unknown.
    pub(in crate::http) fn refuse(&self, log: &AuditLog, operator: Option<&Operator>) {
        let by = operator.map_or_else(nobody, actor_of);
        let route = self.route.as_ref().map_or("", MatchedPath::as_str);
        let detail = Some(format!("{} {route}", self.method));
        log.add_refusal(AuditEntry { detail, ..AuditEntry::of(now_ms(), &by, AuditAction::Request) });
    }
}

/// Adds a sign-in that was refused. Whoever tried it proved to be nobody, so it names nobody.
pub(in crate::http) fn audit_refused_sign_in(log: &AuditLog) {
    log.add_refusal(AuditEntry::of(now_ms(), &nobody(), AuditAction::SignIn));
}
