//! Addresses that match no route as written are matched again in the sender's intended form.
//!
//! The webhook target is found in every spelling: Smooch never resends a webhook that is answered 404. In
//! the REST interface an id is never changed: every byte that may be part of one stays.

use std::net::SocketAddr;
use tower::ServiceExt;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::not_offered;
use super::paths::PathSegments;

/// The address as the sender wrote it, if no route matched that.
#[derive(Clone)]
pub(super) struct OriginalAddress(pub(super) Uri);

/// Path segments after an app user's id that belong to the address and not to the id.
const SUBRESOURCES: [&str; 5] = ["channels", "events", "history", "profile", "unmerge"];

/// The same in v2.
const V2_SUBRESOURCES: [&str; 3] = ["clients", "devices", "personalinformation"];

/// Retries an unmatched request with the normalised path. A call of Smooch's that rollcall does not offer
/// is answered as such first.
pub(super) async fn retry_normalized_path(routes: Router, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (parts, body) = request.into_parts();
    let mut again = Request::new(body);
    *again.uri_mut() = normalize(&method, &parts.uri).unwrap_or_else(|| parts.uri.clone());
    again.extensions_mut().insert(OriginalAddress(parts.uri));
    (*again.method_mut(), *again.headers_mut()) = (parts.method, parts.headers);
    if let Some(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>() {
        again.extensions_mut().insert(*peer);
    }
    let response = routes.oneshot(again).await.into_response();
    match not_offered::find(&method, &path) {
        // The segment may also be a `userId`.
        Some(call) if response.status().is_client_error() => call.refuse(response),
        _ => response,
    }
}

/// The address in the form of the routes; `None` if nothing changes.
fn normalize(method: &Method, uri: &Uri) -> Option<Uri> {
    let path = routed(method, uri.path()).filter(|path| path != uri.path())?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{path}{query}").parse().ok()
}

fn routed(method: &Method, path: &str) -> Option<String> {
    if let Some(target) = normalize_target(path) {
        return Some(target);
    }
    let mut words = PathSegments(path);
    let first = words.next()?;
    let mut base = format!("/{first}");
    let mut word = words.next()?;
    if word == "apps" {
        base = format!("{base}/apps/{}", words.next()?);
        word = words.next()?;
    }
    let rest = words.0;
    match (first, word) {
        ("v1" | "v1.1", word) if word.eq_ignore_ascii_case("appusers") => {
            Some(format!("{base}/appusers{}", encode_id_slashes(method, rest, &SUBRESOURCES)))
        }
        ("v2", "users") => Some(format!("{base}/users{}", encode_id_slashes(method, rest, &V2_SUBRESOURCES))),
        ("v1" | "v1.1", "init" | "changes") if is_slashes(rest) => Some(format!("{base}/{word}")),
        _ => None,
    }
}

/// The webhook target, in any case, percent-encoded or not (also its slashes), with white space around
/// its segments.
fn normalize_target(path: &str) -> Option<String> {
    // A segment that is not UTF-8 stays a segment; no app has its name.
    let words = PathSegments(path).map(|word| percent_decode_str(word).decode_utf8_lossy());
    let mut words = words.map(|word| trim_padding(&word).to_owned()).filter(|word| !word.is_empty());
    let first = words.next()?;
    let (word, behind) = first.split_once('/').unwrap_or((&first, ""));
    if !word.trim().eq_ignore_ascii_case("webhooks") {
        return None;
    }
    let behind = Some(trim_padding(behind)).filter(|behind| !behind.is_empty()).map(str::to_owned);
    let mut apps = behind.into_iter().chain(words);
    match (apps.next(), apps.next()) {
        (None, _) => Some("/webhooks".to_owned()),
        (Some(app), None) => Some(format!("/webhooks/{}", utf8_percent_encode(&app, NON_ALPHANUMERIC))),
        _ => None,
    }
}

/// A path segment without the slashes and white space around it that were copied with it.
pub(super) fn trim_padding(word: &str) -> &str {
    word.trim_matches(|letter: char| letter == '/' || letter.is_whitespace())
}

fn is_slashes(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'/')
}

/// The path after `appusers`, or v2's `users`, with the id in one segment: newer clients do not encode
/// its slashes. Every other byte stays.
fn encode_id_slashes(method: &Method, rest: &str, words: &[&str]) -> String {
    if is_slashes(rest) {
        // An empty id names no user; it must not select all of them.
        return rest.to_owned();
    }
    let trimmed = rest.trim_end_matches('/');
    let last = trimmed.rsplit('/').next().unwrap_or_default();
    let ends_in_a_word = words.contains(&last) && trimmed.matches('/').count() > 1;
    let posted = *method == Method::POST && trimmed == "/merge";
    let rest = if ends_in_a_word || posted { trimmed } else { rest };
    let behind: Vec<&str> = rest.split('/').skip(1).collect();
    let (id, tail) = match &*behind {
        [_, .., "devices", _] => behind.split_at(behind.len() - 2),
        [_, .., last] if words.contains(last) => behind.split_at(behind.len() - 1),
        // No POST goes to an app user itself, so these segments have no route.
        _ if *method == Method::POST => behind.split_at(behind.len().min(1)),
        _ => (&*behind, &[][..]),
    };
    let mut text = format!("/{}", id.join("%2F"));
    tail.iter().for_each(|word| {
        text.push('/');
        text.push_str(word);
    });
    text
}
