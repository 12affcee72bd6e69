//! What every request to the REST interface goes through: counted, answered in the words of its
//! version, and, where the settings allow it, readable by pages of other origins.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use std::num::NonZeroU32;

use super::error::{ApiError, json};
use super::{State, not_offered};
use crate::domain::command::Authority;

/// What a page may send, as Smooch's own SDK needs it.
const CORS_METHODS: &str = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
const CORS_HEADERS: &str =
    "app-token, authorization, content-type, x-smooch-sdk, idempotency-key, if-match, if-none-match";

/// Whether a page of another origin may read the answer: one with the app's own authority never may.
#[derive(Clone, Default)]
pub(super) struct BrowserAccess(Arc<AtomicBool>);

impl BrowserAccess {
    /// Called with whoever asks, once that is known.
    pub(super) fn may_read(&self, authority: &Authority) {
        self.0.store(*authority != Authority::App, Ordering::Relaxed);
    }
}

/// How many requests each credential may make.
pub(super) struct RateLimits {
    per_second: u32,
    burst: u32,
    limiter: Option<Arc<DefaultKeyedRateLimiter<String>>>,
}

impl RateLimits {
    /// So many in a second, and so many at once; 0 in a second is no bound.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let quota = NonZeroU32::new(per_second)
            .map(|rate| Quota::per_second(rate).allow_burst(NonZeroU32::new(burst).unwrap_or(rate)));
        let limiter = quota.map(DefaultKeyedRateLimiter::keyed).map(Arc::new);
        Self { per_second, burst, limiter }
    }

    /// For other settings: where they say the same, nobody's requests are forgotten.
    pub(super) fn again(&self, per_second: u32, burst: u32) -> Self {
        if (per_second, burst) != (self.per_second, self.burst) {
            return Self::new(per_second, burst);
        }
        Self { per_second, burst, limiter: self.limiter.clone() }
    }

    /// Takes one of a credential's requests. Refusal: 429 with the time to wait, in s.
    pub(super) fn take(&self, credential: &str) -> Result<(), ApiError> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        if limiter.len() > MOST_CREDENTIALS {
            limiter.retain_recent();
        }
        limiter.check_key(&credential.to_owned()).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            let code = "too_many_requests";
            let refusal =
                ApiError::new(StatusCode::TOO_MANY_REQUESTS, code, "Too many requests with this credential");
            refusal.after(wait.as_secs() + 1)
        })
    }
}

/// Credentials remembered before those that have not been used for a while are forgotten.
const MOST_CREDENTIALS: usize = 10_000;

/// Counts a request by its route, never its path, and by status.
pub(super) async fn process_request(shared: State, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let v2 = request.uri().path().starts_with("/v2/");
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let origin = shared.origins.allowed(request.headers());
    let browser = BrowserAccess::default();
    let mut response = match super::compressed(request.headers()) {
        Some(refusal) => refusal.into_response(),
        None if origin.is_some() && is_preflight(&request) => preflight(&browser),
        None => {
            request.extensions_mut().insert(browser.clone());
            next.run(request).await
        }
    };
    if v2 && let Some(refusal) = response.extensions_mut().remove::<ApiError>() {
        response = refusal.in_v2();
    }
    if response.status() == StatusCode::METHOD_NOT_ALLOWED
        && let Some(call) = not_offered::find(&method, uri.path())
    {
        response = call.refuse(response);
    }
    if let Some(origin) = origin.filter(|_| browser.0.load(Ordering::Relaxed)) {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("etag, link, retry-after"),
        );
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
    shared.metrics.asked(route.unwrap_or_default(), response.status().as_u16());
    response
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight(browser: &BrowserAccess) -> Response {
    // It carries no credential; the request that follows does.
    browser.may_read(&Authority::Token);
    let mut response = json(StatusCode::OK, "{}");
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(CORS_METHODS));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(CORS_HEADERS));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// The origins of the settings whose pages may ask.
pub(super) struct AllowedOrigins(Vec<String>);

impl AllowedOrigins {
    pub(super) fn new(origins: &[String]) -> Self {
        Self(origins.to_vec())
    }

    /// The origin of a request, if its pages may read the answer.
    fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let listed = |known: &String| known == "*" || known.as_bytes() == origin.as_bytes();
        self.0.iter().any(listed).then(|| origin.clone())
    }
}
