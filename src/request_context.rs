//! The identity of a request in log lines.
//!
//! Few requests are logged at all, so the span is created only where a line is written.

use std::sync::Arc;

use bytes::Bytes;
use tracing::Span;
use tracing::field::Empty;

tokio::task_local! {
    static CURRENT: RequestContext;
}

/// The name of a request, or of nothing. A clone is cheap.
#[derive(Clone, Debug, Default)]
pub struct RequestContext {
    id: Bytes,
    /// Trace id and span id of the caller.
    caller: Option<Arc<(String, String)>>,
}

impl RequestContext {
    /// A context with the request's id, which is ASCII, and the caller's trace id and span id.
    pub fn new(id: Bytes, caller: Option<(&str, &str)>) -> Self {
        let caller = caller.map(|(trace, span)| Arc::new((trace.to_owned(), span.to_owned())));
        Self { id, caller }
    }

    /// The request's id, if there is one.
    pub fn id(&self) -> Option<&str> {
        std::str::from_utf8(&self.id).ok().filter(|id| !id.is_empty())
    }

    /// The one that is worked on here; nothing if there is none.
    pub fn current() -> Self {
        CURRENT.try_with(Self::clone).unwrap_or_default()
    }

    /// Works on it: every log line that is written meanwhile has its name.
    pub async fn cover<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// The same on a thread of one's own.
    pub fn cover_here<T>(self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self, work)
    }

    /// The span with the members that a log line shows.
    pub fn span(&self) -> Span {
        let Some(request_id) = self.id() else {
            return Span::none();
        };
        // Of the highest level, because a line without its request is of little use.
        let span = tracing::error_span!("request", request_id, trace_id = Empty, span_id = Empty);
        if let Some((trace, parent)) = self.caller.as_deref() {
            span.record("trace_id", trace);
            span.record("span_id", parent);
        }
        span
    }
}
