//! Cross-origin requests: which pages of other origins may read an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use super::answers::json;
use crate::domain::command::Authority;

/// The methods and headers that Smooch's own SDK sends.
const CORS_METHODS: &str = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
const CORS_HEADERS: &str =
    "app-token, authorization, content-type, x-smooch-sdk, idempotency-key, if-match, if-none-match";

/// Read access for pages of other origins; never granted with the app's own authority.
#[derive(Clone, Default)]
pub(super) struct BrowserAccess(Arc<AtomicBool>);

impl BrowserAccess {
    /// Called once the caller is known.
    pub(super) fn may_read(&self, authority: &Authority) {
        self.0.store(*authority != Authority::App, Ordering::Relaxed);
    }

    /// Adds the CORS headers for `origin`, if the credential allows it.
    pub(super) fn expose(&self, origin: HeaderValue, response: &mut Response) {
        if !self.0.load(Ordering::Relaxed) {
            return;
        }
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static("etag, link, retry-after");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
}

pub(super) fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a preflight request, which carries no credential.
pub(super) fn preflight(browser: &BrowserAccess) -> Response {
    browser.may_read(&Authority::Token);
    let mut response = json(StatusCode::OK, "{}");
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(CORS_METHODS));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(CORS_HEADERS));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// The origin of a request, if its pages may read the answer: it is one of the settings.
pub(super) fn allowed_origin(origins: &[String], headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let listed = |known: &String| known == "*" || known.as_bytes() == origin.as_bytes();
    origins.iter().any(listed).then(|| origin.clone())
}
