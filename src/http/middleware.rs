//! Middleware of the REST interface: metrics, the error format of the version, and CORS.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answers::json;
use super::error::ApiError;
use super::state::State;
use super::{body, not_offered};
use crate::domain::command::Authority;

/// Refuses compressed bodies, and calls that Smooch has and the service has not, in requests of operators.
pub(super) async fn process_operator_request(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = match body::refuse_compressed(request.headers()) {
        Err(refusal) => refusal.into_response(),
        Ok(()) => next.run(request).await,
    };
    name_call_not_offered(response, &method, &path)
}

fn name_call_not_offered(response: Response, method: &Method, path: &str) -> Response {
    let is_refused = response.status() == StatusCode::METHOD_NOT_ALLOWED;
    match not_offered::find(method, path).filter(|_| is_refused) {
        Some(call) => call.refuse(response),
        None => response,
    }
}

/// Counts a request by its route, never its path, and by status.
pub(super) async fn process_request(shared: State, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let v2 = request.uri().path().starts_with("/v2/");
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let origin = allowed_origin(&shared.settings.server.cors_origins, request.headers());
    let browser = BrowserAccess::default();
    let mut response = match body::refuse_compressed(request.headers()) {
        Err(refusal) => refusal.into_response(),
        Ok(()) if origin.is_some() && is_preflight(&request) => preflight(&browser),
        Ok(()) => {
            request.extensions_mut().insert(browser.clone());
            next.run(request).await
        }
    };
    if v2 && let Some(refusal) = response.extensions_mut().remove::<ApiError>() {
        response = refusal.in_v2();
    }
    response = name_call_not_offered(response, &method, uri.path());
    if let Some(origin) = origin {
        browser.expose(origin, &mut response);
    }
    shared.metrics.asked(route.unwrap_or_default(), response.status().as_u16());
    response
}

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
    fn expose(&self, origin: HeaderValue, response: &mut Response) {
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

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a preflight request, which carries no credential.
fn preflight(browser: &BrowserAccess) -> Response {
    browser.may_read(&Authority::Token);
    let mut response = json(StatusCode::OK, "{}");
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(CORS_METHODS));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(CORS_HEADERS));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// The origin of a request, if its pages may read the answer: it is one of the settings.
fn allowed_origin(origins: &[String], headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let listed = |known: &String| known == "*" || known.as_bytes() == origin.as_bytes();
    origins.iter().any(listed).then(|| origin.clone())
}
