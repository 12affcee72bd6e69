//! The calls of operators about the service as a whole, on the admin listener.

mod apps;
pub(super) mod backups;
mod health;
mod settings;
mod stats;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::jobs;
use super::state::HttpState;

/// Their routes.
pub(super) fn calls() -> Router<Arc<HttpState>> {
    Router::new()
        .route("/apps", get(apps::list))
        .route("/health", get(health::get))
        .route("/settings", get(settings::get))
        .route("/reload", post(settings::reload))
        .route("/backups", get(backups::list).post(jobs::start_backup))
        .route("/backups/{name}/verify", post(jobs::start_verification))
        .route("/stats", get(stats::count))
}
