//! Every URL on one screen, and what the handlers share.

mod admin;
mod app_users;
mod auth;
mod body;
mod error;
pub mod jwt;
pub mod listen;
mod signature;
mod webhooks;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower::ServiceExt;

use crate::config::Settings;
use crate::ingest::queue::Queue;
use crate::metrics::Metrics;
use crate::store::readers::Readers;
use crate::store::sqlite::SqliteReader;
use auth::Apps;
use body::Budget;
use error::ApiError;
use signature::Secrets;

/// What the handlers share.
pub struct Shared {
    apps: Apps,
    secrets: Secrets,
    queue: Queue,
    readers: Readers<SqliteReader>,
    metrics: Arc<Metrics>,
    bounds: Bounds,
    bodies: Budget,
    /// Set once the service is told to stop.
    pub draining: AtomicBool,
}

/// What a request may cost.
struct Bounds {
    webhook_body: usize,
    rest_body: usize,
    body_timeout: Duration,
    json_depth: usize,
    webhook_events: usize,
    signature_tolerance: Duration,
    future_tolerance: Duration,
}

impl Shared {
    /// Prepares the credentials of the settings, so that no request has to.
    pub fn new(
        settings: &Settings,
        queue: Queue,
        readers: Readers<SqliteReader>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let bounds = Bounds {
            webhook_body: settings.limits.webhook_body,
            rest_body: settings.limits.rest_body,
            body_timeout: settings.server.body_timeout,
            json_depth: settings.limits.json_depth,
            webhook_events: settings.limits.webhook_events,
            signature_tolerance: settings.ingest.signature_tolerance,
            future_tolerance: settings.ingest.future_tolerance,
        };
        let (apps, secrets) = (Apps::new(&settings.apps), Secrets::new(&settings.apps));
        let bodies = Budget::new(settings.limits.bodies_in_flight);
        Self { apps, secrets, queue, readers, metrics, bounds, bodies, draining: AtomicBool::new(false) }
    }
}

type State = axum::extract::State<Arc<Shared>>;

/// The public listener: webhooks and REST.
pub fn public(shared: Arc<Shared>) -> Router {
    let webhooks = || post(webhooks::receive).get(webhooks::probe);
    let users = Router::new()
        .route("/appusers", get(app_users::list))
        .route("/appusers/{id}", get(app_users::get))
        .route("/apps/{app}/appusers", get(app_users::list))
        .route("/apps/{app}/appusers/{id}", get(app_users::get))
        .layer(middleware::from_fn_with_state(shared.clone(), count));
    let routes = Router::new()
        .route("/webhooks", webhooks())
        .route("/webhooks/{app}", webhooks())
        .nest("/v1", users.clone())
        .nest("/v1.1", users)
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .with_state(shared);
    routes.clone().fallback(move |request| in_any_case(routes, request))
}

/// What no route fits, once more with `appusers` as the routes have it: old clients write `appUsers`.
async fn in_any_case(routes: Router, request: Request) -> Response {
    let Some(uri) = lower_case(request.uri()) else { return no_route().await.into_response() };
    let (parts, body) = request.into_parts();
    let mut again = Request::new(body);
    (*again.method_mut(), *again.uri_mut(), *again.headers_mut()) = (parts.method, uri, parts.headers);
    routes.oneshot(again).await.into_response()
}

/// The address with its segment `appusers` in lower case, and every other byte as it was; `None` if
/// there is nothing to change.
fn lower_case(uri: &Uri) -> Option<Uri> {
    let mut segments = uri.path().split('/').skip(1);
    let base = segments.next()?;
    let mut before = 1 + base.len() + 1;
    let mut word = segments.next()?;
    if word == "apps" {
        before += word.len() + 1 + segments.next()?.len() + 1;
        word = segments.next()?;
    }
    if !word.eq_ignore_ascii_case("appusers") || word == "appusers" {
        return None;
    }
    let target = uri.path_and_query()?.as_str();
    let (before, rest) = (target.get(..before)?, target.get(before + word.len()..)?);
    format!("{before}appusers{rest}").parse().ok()
}

/// The public listener before there is a database: whoever asks is told to come again.
pub fn starting(metrics: Arc<Metrics>) -> Router {
    Router::new().fallback(|| async move {
        metrics.turn_away("starting");
        ApiError::unavailable("starting", "Starting; try again")
    })
}

/// The admin listener before there is a database: alive, and not ready.
pub fn admin_starting() -> Router {
    starting(Arc::default()).route("/livez", get(admin::alive))
}

/// The admin listener: health and metrics.
pub fn admin(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/livez", get(admin::alive))
        .route("/readyz", get(admin::ready))
        .route("/healthz", get(admin::ready))
        .route("/metrics", get(admin::metrics))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .with_state(shared)
}

async fn no_route() -> ApiError {
    ApiError::not_found("There is nothing at this address")
}

async fn no_method() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "This address does not take that method",
    )
}

/// Counts a REST request by its route, never its path, and by status. Whatever has no use for its body
/// still refuses one that it would refuse elsewhere.
async fn count(shared: State, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let (parts, body) = request.into_parts();
    let bounds = body::Bounds { bytes: shared.bounds.rest_body, time: shared.bounds.body_timeout };
    let refusal = match compressed(&parts.headers) {
        Some(refusal) => Err(refusal),
        None => body::pass(&parts.headers, body, bounds, |_| Ok(())).await,
    };
    let response = match refusal {
        Err(refusal) => refusal.into_response(),
        Ok(()) => next.run(Request::from_parts(parts, Body::empty())).await,
    };
    shared.metrics.asked(route.unwrap_or_default(), response.status().as_u16());
    response
}

/// The refusal of a compressed body: inflating is how a small body becomes a large one.
fn compressed(headers: &HeaderMap) -> Option<ApiError> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    encodings.find(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))?;
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Some(ApiError::new(status, "unsupported_media_type", "Compressed bodies are not read"))
}
