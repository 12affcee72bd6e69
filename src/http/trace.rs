//! What a request is called in the log: an id of its own, and the trace of whoever called.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use tracing::Span;
use tracing::field::Empty;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from a caller, in bytes.
const LONGEST_ID: usize = 128;

/// The name of a request.
pub(super) struct Trace {
    id: HeaderValue,
    span: Span,
}

impl Trace {
    /// The caller's `X-Request-Id` if it is fit for a log line, else a new one; and trace and span of its
    /// `traceparent`. Every log line of the request has them.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let id = headers.get(REQUEST_ID).filter(|id| is_fit(id.as_bytes())).cloned();
        let id = id.unwrap_or_else(|| {
            let mut text = Uuid::encode_buffer();
            let text: &str = Uuid::now_v7().hyphenated().encode_lower(&mut text);
            HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
        });
        let request_id = id.to_str().unwrap_or_default();
        // Of the highest level, because a line without its request is of little use.
        let span = tracing::error_span!("request", request_id, trace_id = Empty, span_id = Empty);
        if let Some((trace, parent)) =
            headers.get("traceparent").and_then(|value| parent(value.to_str().ok()?))
        {
            span.record("trace_id", trace);
            span.record("span_id", parent);
        }
        Self { id, span }
    }

    /// The span that the request is handled in.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The answer with the request's id.
    pub(super) fn name(self, mut response: Response) -> Response {
        response.headers_mut().insert(REQUEST_ID, self.id);
        response
    }
}

fn is_fit(id: &[u8]) -> bool {
    let fit = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=LONGEST_ID).contains(&id.len()) && id.iter().all(fit)
}

/// Trace and span of a W3C `traceparent`; nothing of one that is malformed. What a later version adds behind
/// these is not looked at.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_taken_as_w3c_has_it() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        for (text, is) in [
            (format!("00-{trace}-{span}-01"), true),
            (format!("00-{trace}-{span}-00"), true),
            (format!("cc-{trace}-{span}-01-what-the-future-will-be-like"), true),
            (format!("cc-{trace}-{span}-01"), true),
            (format!("00-{trace}-{span}-01-more"), false),
            (format!("ff-{trace}-{span}-01"), false),
            (format!("00-{}-{span}-01", trace.to_uppercase()), false),
            (format!("00-{}-{span}-01", "0".repeat(32)), false),
            (format!("00-{trace}-{}-01", "0".repeat(16)), false),
            (format!("00-{}-{span}-01", &trace[1..]), false),
            (format!("00-{trace}-{span}"), false),
            (format!("00-{trace}-{span}-1"), false),
            (format!("0-{trace}-{span}-01"), false),
            (format!("00-{trace}-{}-01", "g".repeat(16)), false),
            (String::new(), false),
            ("canary".to_owned(), false),
        ] {
            assert_eq!(parent(&text), is.then_some((trace, span)), "{text}");
        }
    }
}
