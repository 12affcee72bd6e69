//! Server-sent events: what all streams have in common.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::Stream;
use serde::Serialize;

use super::answers::{json, to_json};
use super::error::ApiError;

/// The type of a stream.
pub(super) const STREAM: &str = "text/event-stream";

/// The first bytes of a stream: the wait before a reconnect, in ms.
pub(super) const BEGIN: &str = "retry: 2000\n\n";

/// The last bytes of a stream when the service stops.
pub(super) const STOP_COMMENT: &str = ": shutting down; come again\n\n";

/// The last bytes of a stream at the end of its lifetime.
pub(super) const END_COMMENT: &str = ": come again\n\n";

/// Answers with a stream. Its chunks are whole events.
pub(super) fn respond(chunks: impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static) -> Response {
    let mut response = json(StatusCode::OK, Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(STREAM));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// The lifetime of a stream, up to a tenth below the longest, so that streams that began together do not end
/// together.
pub(super) fn stream_lifetime(longest: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or_default() % 100;
    longest - longest / 1000 * random
}

/// The data of the event that ends a stream after an error.
#[derive(Serialize)]
struct LastEvent {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

/// The event that ends a stream with an error: `gone` if what follows the reader's cursor is deleted. A reconnect gets
/// the same error with its status. `types`: the event has its kind as type.
pub(super) fn last_event(error: &ApiError, types: bool) -> String {
    let last = match error.oldest() {
        Some((oldest, epoch)) => {
            let epoch = epoch.map(|epoch| epoch.to_string());
            LastEvent { kind: "gone", oldest: Some(oldest), epoch, code: None }
        }
        None => LastEvent { kind: "end", oldest: None, epoch: None, code: Some(error.code) },
    };
    // Without an id: the reader's cursor stays.
    let typed = if types { format!("event: {}\n", last.kind) } else { String::new() };
    format!("{typed}data: {}\n\n", to_json(&last))
}
