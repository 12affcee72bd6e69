//! Every URL on one screen, and what the handlers share.

mod addresses;
mod admin;
mod admin_actions;
mod api_request;
mod app_users;
mod auth;
mod body;
mod devices;
mod erasure;
mod error;
mod export;
mod export_format;
mod feed;
mod history;
mod host;
mod import;
pub mod jwt;
mod list_request;
pub mod listen;
mod metric_counts;
mod middleware;
mod not_offered;
pub mod openapi;
mod page_links;
mod parameters;
mod path_segments;
mod reads;
mod request_id;
mod signature;
mod stray_webhooks;
mod users;
mod webhooks;

use crate::store::Reader;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use tokio::sync::watch;

use crate::config::{ServerSettings, Settings, StoreUrl};
use crate::domain::AppId;
use crate::ingest::app_activity::AppActivity;
use crate::ingest::commit_notifier::CommitNotifier;
use crate::ingest::queue::Queue;
use crate::metrics::Metrics;
use crate::store::readers::Readers;
use crate::store::sqlite::{DamagedTables, Presence, SqliteReader};
use auth::Apps;
use body::Budget;
use error::ApiError;
pub use export::filtered;
use host::Hosts;
pub use import::PIECE;
use metric_counts::MetricCounts;
use middleware::{AllowedOrigins, RateLimits};
use signature::Secrets;
pub use webhooks::QUARANTINED;

/// What the handlers share.
pub struct HttpState {
    apps: Apps,
    secrets: Secrets,
    queue: Queue,
    readers: Readers<SqliteReader>,
    commits: CommitNotifier,
    feed: feed::FeedState,
    /// When each app was last heard.
    pub app_activity: AppActivity,
    census: MetricCounts,
    presence: Presence,
    damaged_tables: DamagedTables,
    files: DatabaseFiles,
    metrics: Arc<Metrics>,
    bounds: RequestLimits,
    bodies: Budget,
    rates: RateLimits,
    origins: AllowedOrigins,
    hosts: Hosts,
    /// What init tells of each app, as JSON.
    inits: HashMap<AppId, String>,
    /// Set once the service is told to stop.
    pub draining: watch::Sender<bool>,
}

/// The files of the database.
#[derive(Clone)]
struct DatabaseFiles {
    database: PathBuf,
    wal: PathBuf,
    /// The most bytes that the second may have.
    wal_limit: u64,
    /// Where backups are made.
    backups: Option<PathBuf>,
}

impl DatabaseFiles {
    fn new(settings: &Settings) -> Self {
        let StoreUrl::Sqlite(path) = &settings.store.url;
        // Where a link leads to, because the log is beside that.
        let database = path.canonicalize().unwrap_or_else(|_| path.clone());
        let mut wal = database.clone().into_os_string();
        wal.push("-wal");
        let (wal_limit, backups) = (settings.store.wal_limit, settings.backup.folder.clone());
        Self { database, wal: wal.into(), wal_limit, backups }
    }
}

/// What a request may cost.
struct RequestLimits {
    webhook_body: usize,
    rest_body: usize,
    body_timeout: Duration,
    json_depth: usize,
    webhook_events: usize,
    history_events: usize,
    signature_tolerance: Duration,
    future_tolerance: Duration,
}

impl HttpState {
    /// Prepares the credentials of the settings, so that no request has to.
    pub fn new(
        settings: &Settings,
        queue: Queue,
        readers: Readers<SqliteReader>,
        commits: CommitNotifier,
        presence: Presence,
        damaged_tables: DamagedTables,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            apps: Apps::new(&settings.apps, &settings.account_keys),
            secrets: Secrets::new(&settings.apps),
            queue,
            readers,
            commits,
            feed: feed::FeedState::new(&settings.feed),
            app_activity: AppActivity::new(silences(settings)),
            census: MetricCounts::new(settings.apps.iter().map(|app| app.id.as_str().into())),
            presence,
            damaged_tables,
            files: DatabaseFiles::new(settings),
            metrics,
            bounds: RequestLimits::from(settings),
            bodies: Budget::new(settings.limits.bodies_in_flight),
            rates: RateLimits::new(settings.limits.requests_per_second, settings.limits.request_burst),
            origins: AllowedOrigins::new(&settings.server.cors_origins),
            hosts: Hosts::new(&settings.server),
            inits: inits(settings),
            draining: watch::Sender::new(false),
        }
    }

    /// Remembers when each app was last heard before this start.
    pub async fn recall(&self) {
        let apps: Vec<AppId> = self.app_activity.statuses().into_iter().map(|told| told.app).collect();
        match reads::LAST_WEBHOOKS.run_beside(self, move |reader| reader.heard(&apps)).await {
            Ok(heard) => heard.iter().for_each(|(app, at)| self.app_activity.record_webhook(app, *at)),
            Err(error) => {
                let why = error.description();
                tracing::warn!("it is not known when the apps were last heard: {why}");
            }
        }
    }

    /// The same with the credentials and limits of other settings. Requests that have begun go on with those
    /// they began with; both draw on the same queue, readers and room.
    pub fn with(&self, settings: &Settings) -> Self {
        let limits = &settings.limits;
        Self {
            apps: Apps::new(&settings.apps, &settings.account_keys),
            secrets: Secrets::new(&settings.apps),
            queue: self.queue.clone(),
            readers: self.readers.clone(),
            commits: self.commits.clone(),
            feed: self.feed.again(&settings.feed),
            app_activity: self.app_activity.with_settings(silences(settings)),
            census: self.census.of(settings.apps.iter().map(|app| app.id.as_str().into())),
            presence: self.presence.clone(),
            damaged_tables: self.damaged_tables.clone(),
            files: DatabaseFiles { backups: settings.backup.folder.clone(), ..self.files.clone() },
            metrics: self.metrics.clone(),
            bounds: RequestLimits::from(settings),
            bodies: self.bodies.resized(limits.bodies_in_flight),
            rates: self.rates.again(limits.requests_per_second, limits.request_burst),
            origins: AllowedOrigins::new(&settings.server.cors_origins),
            hosts: self.hosts.again(&settings.server),
            inits: inits(settings),
            draining: self.draining.clone(),
        }
    }
}

impl From<&Settings> for RequestLimits {
    fn from(settings: &Settings) -> Self {
        Self {
            webhook_body: settings.limits.webhook_body,
            rest_body: settings.limits.rest_body,
            body_timeout: settings.server.body_timeout,
            json_depth: settings.limits.json_depth,
            webhook_events: settings.limits.webhook_events,
            history_events: settings.limits.history_events,
            signature_tolerance: settings.ingest.signature_tolerance,
            future_tolerance: settings.ingest.future_tolerance,
        }
    }
}

/// How long each app may be silent.
fn silences(settings: &Settings) -> impl Iterator<Item = (AppId, Option<Duration>)> {
    settings.apps.iter().map(|app| (app.id.as_str().into(), app.silent_after))
}

fn inits(settings: &Settings) -> HashMap<AppId, String> {
    settings.apps.iter().map(|app| (app.id.as_str().into(), devices::app_text(app))).collect()
}

type State = axum::extract::State<Arc<HttpState>>;

/// The public listener: webhooks and REST.
pub fn public(shared: Arc<HttpState>) -> Router {
    let webhooks = || post(webhooks::receive).get(webhooks::probe).fallback(stray_webhooks::other_method);
    let app_users = Router::new()
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
        .route("/appusers/{id}/devices/{device}", put(devices::update));
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
        // Before the layer, which answers the OPTIONS of browsers.
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(shared.clone(), middleware::process_request));
    let others = Router::new()
        .route("/openapi.json", get(openapi::openapi))
        .route("/docs", get(openapi::page))
        .route("/docs/page.css", get(openapi::style))
        .route("/docs/page.js", get(openapi::script))
        .merge(rest)
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(shared.clone(), stray_webhooks::notice));
    let routes = Router::new()
        .route("/webhooks", webhooks())
        .route("/webhooks/{app}", webhooks())
        .merge(others)
        .with_state(shared);
    routes.clone().fallback(move |request| addresses::retry_normalized_path(routes, request))
}

/// The public listener before there is a database: whoever asks is told to come again.
pub fn starting(metrics: Arc<Metrics>) -> Router {
    Router::new().fallback(|uri: Uri| async move {
        metrics.turn_away("starting");
        in_words_of(&uri, ApiError::unavailable("starting", "Starting; try again"))
    })
}

/// The admin listener before there is a database: alive, and not ready.
pub fn admin_starting(server: &ServerSettings) -> Router {
    let own = from_fn_with_state(Hosts::new(server), host::only_own);
    starting(Arc::default()).route("/livez", get(admin::alive)).layer(own)
}

/// The admin listener: health, metrics, and what an operator changes.
pub fn admin(shared: Arc<HttpState>) -> Router {
    let own = from_fn_with_state(shared.hosts.clone(), host::only_own);
    let changing = Router::new()
        .route("/quarantine/{seq}/redrive", post(admin_actions::redrive))
        .route("/quarantine/{seq}", delete(admin_actions::give_up))
        .route("/rebuild", post(admin_actions::rebuild))
        .route("/import", post(import::receive))
        .layer(from_fn(admin_actions::no_web_page));
    Router::new()
        .merge(changing)
        .route("/livez", get(admin::alive))
        .route("/readyz", get(admin::ready))
        .route("/healthz", get(admin::ready))
        .route("/metrics", get(admin::metrics))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn(parameters::only_known))
        .layer(own)
        .with_state(shared)
}

async fn no_route(uri: Uri) -> Response {
    in_words_of(&uri, ApiError::not_found("There is nothing at this address"))
}

/// A refusal in the shape of the version that was asked.
fn in_words_of(uri: &Uri, refusal: ApiError) -> Response {
    if uri.path().starts_with("/v2/") { refusal.in_v2() } else { refusal.into_response() }
}

async fn no_method() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "This address does not take that method",
    )
}

/// The refusal of a compressed body: inflating is how a small body becomes a large one.
fn compressed(headers: &HeaderMap) -> Option<ApiError> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    encodings.find(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))?;
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Some(ApiError::new(status, "unsupported_media_type", "Compressed bodies are not read"))
}
