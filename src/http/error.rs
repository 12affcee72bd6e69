//! Refusals in Smooch's shape: `{"error":{"code","description"}}`.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::ingest::queue::Refused;
use crate::store;

/// A refusal. Its text is shown to whoever asked, so it never says anything about the inside.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    description: Cow<'static, str>,
}

impl ApiError {
    pub(super) fn new(
        status: StatusCode,
        code: &'static str,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, code, description: description.into() }
    }

    /// The word for it, in the answer and in the metrics.
    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    /// Whether the same request may be taken in a moment.
    pub(super) fn is_temporary(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    pub(super) fn bad_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", description)
    }

    pub(super) fn not_found(description: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", description)
    }

    /// No credential, or one that reaches too little.
    pub(super) fn unauthorized(description: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", description)
    }

    /// A temporary trouble: never one of the codes after which Smooch gives up.
    pub(super) fn unavailable(code: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, description)
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        Self::unavailable(refused.code(), refused.to_string())
    }
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        tracing::error!(%error, "look-up failed: {error}");
        Self::unavailable("unavailable", "The database is not available; try again")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = serde_json::json!({ "error": { "code": self.code, "description": self.description } });
        let mut response = json(self.status, error.to_string());
        if self.is_temporary() {
            // 1 to 3 s, so that senders who were refused together do not come back together.
            let seconds = 1 + jiff::Timestamp::now().subsec_nanosecond().unsigned_abs() / 1000 % 3;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// An answer of JSON text.
pub(super) fn json(status: StatusCode, text: impl Into<axum::body::Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
