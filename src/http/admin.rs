//! Health and metrics for the operator: liveness, readiness, counters.

use std::path::Path;

use super::answers::{json, member};
use super::error::ApiError;
use super::readiness::{Readiness, ReadyCheck, work_in_progress};
use super::reads;
use super::state::State;
use crate::ingest::app_activity::AppStatus;
use axum::extract::RawQuery;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// GET `/livez`: the process runs. Checks nothing else.
pub(super) async fn alive() -> Response {
    json(StatusCode::OK, member("alive", true))
}

/// GET `/readyz`: 200 if webhooks would be stored: not draining, room in the queue, the database answers.
/// `?verbose` gives one line of text a check, also for checks that do not affect readiness.
pub(super) async fn ready(shared: State, RawQuery(query): RawQuery) -> Response {
    let readiness = Readiness::of(&shared).await;
    let trouble = readiness.trouble();
    let asked = query.unwrap_or_default();
    if asked.split('&').any(|part| part == "verbose" || part.starts_with("verbose=")) {
        let line = |check: &ReadyCheck| match check.trouble {
            Some(trouble) => format!("[-]{}: {trouble}\n", check.name),
            None => format!("[+]{} ok\n", check.name),
        };
        let mut lines: String = readiness.checks.iter().map(line).collect();
        lines.push_str(&format!("    {} of {} deliveries wait\n", readiness.depth, readiness.capacity));
        for (name, said) in work_in_progress(&shared).await {
            lines.push_str(&format!("[!]{name}: {said}\n"));
        }
        shared.app_activity.statuses().iter().for_each(|told| lines.push_str(&format_app_status(told)));
        lines.push_str(if trouble.is_some() { "not ready\n" } else { "ready\n" });
        let status = if trouble.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        let mut response = (status, [(header::CACHE_CONTROL, "no-store")], lines).into_response();
        if trouble.is_some() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        return response;
    }
    match trouble {
        Some(trouble) => ApiError::unavailable("not_ready", trouble).into_response(),
        None => json(StatusCode::OK, member("ready", true)),
    }
}

/// The line of an app: `[!]` where it is silent. Silence does not affect readiness.
fn format_app_status(told: &AppStatus) -> String {
    let mark = if told.silent { "[!]" } else { "[+]" };
    format!("{mark}app {}: {}\n", told.app, last_webhook(told))
}

/// When the last webhook of an app came, and whether it is silent.
pub(super) fn last_webhook(told: &AppStatus) -> String {
    let last = told.last.and_then(|last| jiff::Timestamp::from_millisecond(last).ok());
    let last = last.map_or_else(|| "no webhook yet".to_owned(), |last| format!("last webhook {last:.0}"));
    let silent = if told.silent { "silent, " } else { "" };
    format!("{silent}{last}")
}

/// GET `/metrics`: all metrics, as OpenMetrics text.
pub(super) async fn metrics(shared: State) -> Response {
    let (metrics, files) = (&shared.metrics, &shared.files);
    let bytes = |path: &Path| path.metadata().map_or(0, |file| file.len());
    for (gauge, level) in [
        (&metrics.queue_jobs, shared.queue.depth() as u64),
        (&metrics.queue_bytes, shared.queue.bytes() as u64),
        (&metrics.queue_capacity, shared.queue.capacity() as u64),
        (&metrics.bodies_bytes, shared.bodies.bytes() as u64),
        (&metrics.database_bytes, bytes(&files.database)),
        (&metrics.wal_bytes, bytes(&files.wal)),
        (&metrics.wal_limit, files.wal_limit),
    ] {
        gauge.set(level as i64);
    }
    let census = shared.metric_counts.last(&shared.readers).await.map(|counted| counted.census);
    if let Some(census) = &census {
        metrics.set_counts(census.users, census.quarantined, census.quarantined_bytes);
    }
    for AppStatus { app, last, silent } in shared.app_activity.statuses() {
        let counted = census.as_ref().and_then(|census| census.apps.get(&app));
        let feed = counted.map(|counted| (counted.feed.oldest, counted.feed.last));
        metrics.set_app(app.as_str(), last, silent, feed);
    }
    reads::set_levels(&shared.readers, metrics);
    let remaking =
        reads::REMAKING.run(&shared.readers, |reader| reader.read_remaking()).await.unwrap_or_default();
    for table in ["seen", "search"] {
        let progress = remaking.iter().find(|progress| progress.table == table);
        let missing = progress.map_or(0, |progress| (progress.total - progress.done).max(1));
        metrics.set_missing_rows(table, missing);
    }
    let mut response = metrics.text().into_response();
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
