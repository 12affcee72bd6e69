//! The identity of a request in the log: its id, and the trace of its caller.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use tracing::Level;
use uuid::Uuid;

use crate::request_context::RequestContext;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const ANSWERS: &str = "rollcall::http::listen";

/// The longest id accepted from a caller, in bytes.
const LONGEST_ID: usize = 128;

/// The id of a request, and its context.
pub(super) struct RequestId {
    id: HeaderValue,
    /// The same for the log.
    pub(super) request: RequestContext,
}

impl RequestId {
    /// The caller's `X-RequestContext-Id` if it fits in a log line, else a new id; with trace and span of
    /// its `traceparent`. Every log line of the request has them.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).map(HeaderValue::as_bytes).filter(|id| is_fit(id));
        let id = given.map_or_else(
            || {
                let mut text = Uuid::encode_buffer();
                let text: &str = Uuid::now_v7().hyphenated().encode_lower(&mut text);
                Bytes::copy_from_slice(text.as_bytes())
            },
            Bytes::copy_from_slice,
        );
        let caller = headers.get("traceparent").and_then(|value| parent(value.to_str().ok()?));
        let request = RequestContext::new(id.clone(), caller);
        let id = HeaderValue::from_maybe_shared(id).unwrap_or(HeaderValue::from_static(""));
        Self { id, request }
    }

    pub(super) fn name(self, mut response: Response) -> Response {
        response.headers_mut().insert(REQUEST_ID, self.id);
        response
    }
}

/// The route of a request, in the extensions of its answer, for the log.
#[derive(Clone)]
pub(super) struct Route(pub(super) Arc<str>);

/// Notes the route, never the path, if the log of answers is on.
pub(super) fn note_route(response: &mut Response, route: Option<&str>) {
    if let Some(route) = route.filter(|_| tracing::enabled!(target: ANSWERS, Level::DEBUG)) {
        response.extensions_mut().insert(Route(route.into()));
    }
}

fn is_fit(id: &[u8]) -> bool {
    let fit = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=LONGEST_ID).contains(&id.len()) && id.iter().all(fit)
}

/// Trace and span of a W3C `traceparent`; none if it is malformed. The fields that a later version adds
/// are ignored.
fn parent(text: &str) -> Option<(&str, &str)> {
    let mut parts = text.split('-');
    let mut hex = |length: usize| {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        parts.next().filter(|part| part.len() == length && part.bytes().all(is_hex))
    };
    let (version, trace, span, _flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    let says_something = |id: &str| id.bytes().any(|byte| byte != b'0');
    let rest = parts.next().is_some();
    let known = version != "ff" && (version != "00" || !rest);
    (known && says_something(trace) && says_something(span)).then_some((trace, span))
}
