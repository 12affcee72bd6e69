//! The calls of operators about the service as a whole, on the admin listener.

mod apps;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use super::state::HttpState;

/// Their routes.
pub(super) fn calls() -> Router<Arc<HttpState>> {
    Router::new().route("/apps", get(apps::list))
}
