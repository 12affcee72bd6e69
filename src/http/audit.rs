//! The audit log over HTTP: who makes a request, the entries of exports, and GET `/audit`.

mod actor;
mod export;
mod list;
mod refusal;
mod shown;

pub(super) use actor::{ByActor, actor_of, actor_of_key};
pub(super) use export::AuditedExport;
pub(super) use list::list;
pub(super) use refusal::{AuditedCall, audit_refused_sign_in};
pub use shown::ShownAudit;
