//! Requests on a raw socket: slow, malformed, ambiguous or too large.

mod framing;
mod patience;

use crate::support::{Program, SECRET, first_message};

/// Every request that a handler of the public listener has finished.
fn handled(program: &Program) -> f64 {
    let text = program.admin("/metrics").text;
    let counts = text.lines().filter(|line| {
        line.starts_with("rollcall_webhook_requests_total{")
            || line.starts_with("rollcall_http_requests_total{")
    });
    counts.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

/// Requests and connections refused for this reason before a route was looked for.
fn turned_away(program: &Program, reason: &str) -> f64 {
    program.metric(&format!("rollcall_http_turned_away_total{{reason=\"{reason}\"}}"))
}

/// A whole request that posts a message of an app user, with more header lines before its length.
fn post(id: &str, more: &str) -> String {
    let body = first_message(id, 1.0);
    format!(
        "POST /webhooks HTTP/1.1\r\nhost: x\r\nx-api-key: {SECRET}\r\n{more}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The same without the length: `framing` describes the body, and `body` is sent after it.
fn framed(framing: &str, body: &str) -> String {
    format!("POST /webhooks HTTP/1.1\r\nhost: x\r\nx-api-key: {SECRET}\r\n{framing}\r\n{body}")
}
