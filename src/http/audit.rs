//! The audit log over HTTP: who makes a request, the entries of exports, and GET `/audit`.

mod actor;
mod export;
mod list;
mod shown;

pub(super) use actor::{ByActor, actor_of, actor_of_key};
pub(super) use export::AuditedExport;
pub(super) use list::list;
pub use shown::ShownAudit;
