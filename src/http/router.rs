//! All routes, on one screen.

use std::sync::Arc;

use axum::Router;
use axum::http::Uri;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};

#[cfg(feature = "console")]
use super::console_files;
use super::error::ApiError;
use super::host::{self, Hosts};
use super::state::HttpState;
use super::{
    addresses, admin, admin_actions, app_users, audit, console, devices, door, downloads, feed, history,
    import, jobs, journal, middleware, openapi, parameters, person_file, quarantine, segments, session,
    stray_webhooks, tombstone, users, webhooks,
};
use crate::config::Settings;
use crate::metrics::Metrics;

/// The public listener: webhooks and REST.
pub fn public_router(shared: Arc<HttpState>) -> Router {
    let webhooks = || post(webhooks::receive).get(webhooks::probe).fallback(stray_webhooks::refuse_method);
    let app_users = app_user_calls();
    let users = Router::new()
        .route("/users", get(users::list).post(users::create))
        .route("/users/{id}", get(users::get).patch(users::update).delete(app_users::delete))
        .route("/users/{id}/personalinformation", delete(users::delete_profile))
        .route("/users/{id}/clients", get(users::clients))
        .route("/users/{id}/devices", get(users::devices))
        .route("/users/{id}/devices/{device}", get(users::device));
    let with_app = |routes: &Router<_>| Router::new().nest("/apps/{app}", routes.clone());
    let app_users = with_app(&app_users).merge(app_users);
    let rest = Router::new()
        .nest("/v1", app_users.clone())
        .nest("/v1.1", app_users)
        .nest("/v2", with_app(&users))
        // Before the layer that answers a browser's OPTIONS.
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(shared.clone(), middleware::process_request));
    let others = Router::new()
        .route("/openapi.json", get(openapi::openapi))
        .route("/docs", get(openapi::page))
        .route("/docs/page.css", get(openapi::style))
        .route("/docs/tokens.css", get(openapi::tokens))
        .route("/docs/icon.svg", get(openapi::icon))
        .route("/docs/page.js", get(openapi::script))
        .merge(rest)
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(shared.clone(), stray_webhooks::detect_stray_webhook));
    let routes = Router::new()
        .route("/webhooks", webhooks())
        .route("/webhooks/{app}", webhooks())
        .merge(others)
        .with_state(shared);
    routes.clone().fallback(move |request| addresses::retry_normalized_path(routes, request))
}

/// The calls of v1 and v1.1, below their base.
fn app_user_calls() -> Router<Arc<HttpState>> {
    Router::new()
        .route("/init", post(devices::init))
        .route("/changes", get(feed::changes))
        .route("/appusers", get(app_users::list).post(app_users::create))
        .route(
            "/appusers/merge",
            post(app_users::merge).get(app_users::get).put(app_users::update).delete(app_users::delete),
        )
        .route("/appusers/{id}", get(app_users::get).put(app_users::update).delete(app_users::delete))
        .route("/appusers/{id}/history", get(history::list))
        .route("/appusers/{id}/unmerge", post(app_users::unmerge))
        .route("/appusers/{id}/profile", delete(app_users::delete_profile))
        .route("/appusers/{id}/channels", get(app_users::channels))
        .route("/appusers/{id}/events", post(app_users::track))
        .route("/appusers/{id}/devices/{device}", put(devices::update))
}

/// The public listener before the database is open: every call is answered 503 with `Retry-After`.
pub fn starting_router(metrics: Arc<Metrics>) -> Router {
    Router::new().fallback(|uri: Uri| async move {
        metrics.turn_away("starting");
        in_words_of(&uri, ApiError::unavailable("starting", "Starting; try again"))
    })
}

/// The admin listener before the database is open: alive, and not ready.
pub fn starting_admin_router(settings: &Settings) -> Router {
    let own = from_fn_with_state((Hosts::new(settings), Arc::default()), host::require_own_host);
    starting_router(Arc::default()).route("/livez", get(admin::alive)).layer(own)
}

/// The admin listener. Everything on it needs an operator, except what is `open`.
pub fn admin_router(shared: Arc<HttpState>) -> Router {
    let own = from_fn_with_state((shared.hosts.clone(), shared.metrics.clone()), host::require_own_host);
    let operators = from_fn_with_state(shared.clone(), door::require_operator);
    let own_pages = from_fn_with_state(shared.clone(), door::refuse_other_pages);
    // The users API, of which the caller is the app in the path, by an operator.
    let app_users = app_user_calls()
        .route("/persons/{id}", get(person_file::get))
        .route("/tombstones/{id}", get(tombstone::get));
    let users = Router::new()
        .nest("/v1", Router::new().nest("/apps/{app}", app_users))
        .method_not_allowed_fallback(no_method)
        .layer(from_fn(middleware::process_operator_request))
        .with_state(Arc::new(shared.for_operators()));
    let calls = Router::new()
        .route("/quarantine/{seq}/redrive", post(admin_actions::redrive))
        .route("/quarantine/{seq}", delete(admin_actions::delete_quarantined))
        .route("/journal", get(journal::list))
        .route("/journal/tail", get(journal::tail))
        .route("/journal/{seq}", get(journal::show))
        .route("/journal/{seq}/body", get(journal::body))
        .route("/quarantine", get(quarantine::list))
        .route("/quarantine/redrive", post(jobs::redrive))
        .route("/quarantine/drop", post(jobs::drop))
        .route("/journal/replay", post(jobs::replay))
        .route("/jobs", get(jobs::list).post(jobs::create))
        .route("/jobs/{id}", get(jobs::show).delete(jobs::cancel))
        .route("/jobs/{id}/failures", get(jobs::failures))
        .route("/jobs/{id}/file", get(jobs::file))
        .route("/segments", get(segments::list).post(segments::create))
        .route("/segments/{id}", get(segments::show).put(segments::update).delete(segments::delete))
        .route("/quarantine/{seq}", get(quarantine::show))
        .route("/quarantine/{seq}/body", get(quarantine::body))
        .route("/rebuild", post(admin_actions::rebuild))
        .route("/import", post(import::receive))
        .route("/session", get(session::show).delete(session::end))
        .route("/session/code", post(session::make_code))
        .merge(console::calls())
        .route("/audit", get(audit::list))
        .route_layer(from_fn(parameters::refuse_unknown_parameters))
        .merge(users);
    let files = calls.clone().with_state(shared.clone());
    let follow =
        move |shared, operator, method, code| downloads::follow(files, shared, operator, (method, code));
    let downloads = Router::new()
        .route("/downloads", post(downloads::make))
        .route("/downloads/{code}", get(follow))
        .route_layer(from_fn(parameters::refuse_unknown_parameters));
    let guarded = calls.merge(downloads).route_layer(operators);
    // Whoever signs in is nobody yet.
    let sign_in = Router::new()
        .route("/session", post(session::begin))
        .route_layer(from_fn(parameters::refuse_unknown_parameters));
    let open = Router::new()
        .route("/livez", get(admin::alive))
        .route("/readyz", get(admin::ready))
        .route("/healthz", get(admin::ready))
        .route("/metrics", get(admin::metrics));
    #[cfg(feature = "console")]
    let open = open.merge(console_files::routes());
    Router::new()
        .merge(guarded.merge(sign_in).route_layer(own_pages))
        .merge(open)
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(own)
        .with_state(shared)
}

async fn no_route(uri: Uri) -> Response {
    in_words_of(&uri, ApiError::not_found("There is nothing at this address"))
}

/// A refusal in the error format of the requested version.
fn in_words_of(uri: &Uri, refusal: ApiError) -> Response {
    if uri.path().starts_with("/v2/") { refusal.in_v2() } else { refusal.into_response() }
}

async fn no_method() -> ApiError {
    ApiError::method_not_allowed()
}
