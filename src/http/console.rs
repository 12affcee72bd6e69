//! The calls of operators about the service as a whole, on the admin listener.

mod apps;
mod stats;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use super::state::HttpState;

/// Their routes.
pub(super) fn calls() -> Router<Arc<HttpState>> {
    Router::new().route("/apps", get(apps::list)).route("/stats", get(stats::count))
}
