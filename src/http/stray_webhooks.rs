//! Webhooks at another address than the target, or with another method than POST. The sender gets the
//! usual answer, and the operator a log line and a metric: Smooch never resends a webhook that is
//! answered 404.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::body;
use super::error::ApiError;
use super::request_id::note_route;
use super::signature::{self, WebhookCredential};
use super::state::{HttpState, State};
use crate::clock::now_ms;
use crate::domain::AppId;
use crate::metrics::WebhookOutcome;

/// The reason of a webhook at a wrong address, in the log and in the metrics.
const WRONG_PATH: &str = "wrong_path";
/// The reason of a webhook that was not posted.
const WRONG_METHOD: &str = "wrong_method";

/// True if only a webhook looks like this request: it has a webhook secret and no credential of the REST
/// interface.
fn may_be_a_webhook(headers: &HeaderMap) -> bool {
    signature::has_credential(headers)
        && !headers.contains_key(header::AUTHORIZATION)
        && !headers.contains_key("app-token")
}

/// Middleware for every request outside the webhook target.
pub(super) async fn detect_stray_webhook(shared: State, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let only_looks = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    let app = if !only_looks && may_be_a_webhook(request.headers()) {
        let (parts, body) = request.into_parts();
        let (sender, body) = match sender(&shared, &parts.headers, body).await {
            Ok(known) => known,
            Err(refusal) => return refusal.into_response(),
        };
        let about = sender.map(|app| (app, parts.method.clone(), peer(&parts.extensions)));
        request = Request::from_parts(parts, body);
        about
    } else {
        None
    };
    let mut response = next.run(request).await;
    if let Some((app, method, source)) = app
        && response.status().is_client_error()
    {
        let status = response.status().as_u16();
        shared.metrics.refuse(WebhookOutcome::refused, WRONG_PATH);
        if shared.metrics.may_log_refusal(WRONG_PATH) {
            tracing::warn!(
                reason = WRONG_PATH, app = %app, source, %method, status,
                "a webhook with the right secret came to an address that is not the target, and was answered \
                 {status}: at Smooch the target must end in /webhooks or /webhooks/{{appId}}"
            );
        }
    }
    note_route(&mut response, route.as_ref().map(MatchedPath::as_str));
    response
}

/// Refuses another method at the target: 405, which Smooch retries.
pub(super) async fn refuse_method(shared: State, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if may_be_a_webhook(&parts.headers) {
        let sent = sender(&shared, &parts.headers, body).await;
        if let Ok((Some(app), _)) = sent {
            let (method, source) = (&parts.method, peer(&parts.extensions));
            shared.metrics.refuse(WebhookOutcome::refused, WRONG_METHOD);
            if shared.metrics.may_log_refusal(WRONG_METHOD) {
                tracing::warn!(
                    reason = WRONG_METHOD, app = %app, source, %method,
                    "a webhook with the right secret came with {method}: the target takes POST"
                );
            }
        }
    }
    ApiError::method_not_allowed().into_response()
}

fn peer(extensions: &axum::http::Extensions) -> String {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_string()).unwrap_or_default()
}

/// The app whose secret a request has, if any, and the body. The body is read only to verify a
/// well-formed, fresh signature.
async fn sender(
    shared: &HttpState,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Option<AppId>, Body), ApiError> {
    match shared.secrets.find_credential(headers, now_ms() / 1000, shared.settings.ingest.signature_tolerance)
    {
        Err(_) => Ok((None, body)),
        Ok(WebhookCredential::Secret(app)) => Ok((Some(app.clone()), body)),
        Ok(signature) => {
            let bounds = shared.body_limits(shared.settings.limits.webhook_body);
            let bytes = body::read(headers, body, bounds, &mut shared.bodies.share(false)).await?;
            let app = shared.secrets.verify(&signature, &bytes).ok().cloned();
            Ok((app, bytes.into()))
        }
    }
}
