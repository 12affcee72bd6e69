//! For whoever runs it: is it alive, is it ready, what has it done.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use super::State;
use super::error::{ApiError, json};
use crate::domain::{AppId, SmoochId};
use crate::metrics::Levels;
use crate::store::Reader;

/// GET `/livez`: the process runs. Looks at nothing else.
pub(super) async fn alive() -> Response {
    json(StatusCode::OK, "{\"alive\":true}")
}

/// GET `/readyz`: webhooks would be stored: not draining, room in the queue, the database answers.
pub(super) async fn ready(shared: State) -> Response {
    let full = shared.queue.depth() * 10 > shared.queue.capacity() * 9;
    let look = shared.readers.run(|reader| reader.by_id(&AppId::from(""), &SmoochId::from("")));
    let answers = || async { matches!(timeout(Duration::from_secs(2), look).await, Ok(Ok(_))) };
    let trouble = if *shared.draining.borrow() {
        "shutting down"
    } else if full {
        "the queue is nearly full"
    } else if shared.metrics.storing_fails() {
        "the last batch could not be stored"
    } else if !answers().await {
        "the database does not answer"
    } else {
        return json(StatusCode::OK, "{\"ready\":true}");
    };
    ApiError::unavailable("not_ready", trouble).into_response()
}

/// GET `/metrics`: everything counted, as OpenMetrics text.
pub(super) async fn metrics(shared: State) -> Response {
    let levels = Levels {
        queue_jobs: shared.queue.depth(),
        queue_bytes: shared.queue.bytes(),
        queue_capacity: shared.queue.capacity(),
        bodies_bytes: shared.bodies.bytes(),
    };
    let mut response = shared.metrics.text(&levels).into_response();
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
