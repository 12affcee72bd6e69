//! Middleware of the REST interface: metrics, the error format of the version, and CORS.

use axum::extract::{MatchedPath, Request};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::cors::{self, BrowserAccess};
use super::error::ApiError;
use super::state::State;
use super::{body, not_offered};

/// Counts a request by its route, never its path, and by status.
pub(super) async fn process_request(shared: State, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let v2 = request.uri().path().starts_with("/v2/");
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let origin = cors::allowed_origin(&shared.settings.server.cors_origins, request.headers());
    let browser = BrowserAccess::default();
    let mut response = match body::refuse_compressed(request.headers()) {
        Some(refusal) => refusal.into_response(),
        None if origin.is_some() && cors::is_preflight(&request) => cors::preflight(&browser),
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
    if let Some(origin) = origin {
        browser.expose(origin, &mut response);
    }
    shared.metrics.asked(route.unwrap_or_default(), response.status().as_u16());
    response
}
