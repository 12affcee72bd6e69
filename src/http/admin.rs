//! Health and metrics for the operator: liveness, readiness, counters.

use std::path::Path;
use std::time::Duration;

use axum::extract::RawQuery;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use super::answers::{json, member};
use super::error::ApiError;
use super::reads;
use super::state::State;
use crate::domain::{AppId, SmoochId};
use crate::ingest::app_activity::AppStatus;
use crate::store::rows::RemakingProgress;

/// GET `/livez`: the process runs. Checks nothing else.
pub(super) async fn alive() -> Response {
    json(StatusCode::OK, member("alive", true))
}

/// GET `/readyz`: 200 if webhooks would be stored: not draining, room in the queue, the database answers.
/// `?verbose` gives one line of text a check, also for checks that do not affect readiness.
pub(super) async fn ready(shared: State, RawQuery(query): RawQuery) -> Response {
    let (depth, capacity) = (shared.queue.depth(), shared.queue.capacity());
    let look = reads::READINESS
        .run(&shared.readers, |reader| reader.find_by_id(&AppId::from(""), &SmoochId::from("")));
    let answers = matches!(timeout(Duration::from_secs(2), look).await, Ok(Ok(_)));
    let not_stored = match shared.presence.lost() {
        Some(_) => Some("a file of the database was moved, removed or replaced"),
        None => shared.metrics.storing_fails().then_some("the last batch could not be stored"),
    };
    let checks = [
        ("serving", *shared.draining.borrow(), "shutting down"),
        ("queue", depth * 10 > capacity * 9, "the queue is nearly full"),
        ("storing", not_stored.is_some(), not_stored.unwrap_or_default()),
        ("database", !answers, "the database does not answer"),
    ];
    let trouble = checks.iter().find(|(_, fails, _)| *fails).map(|(.., trouble)| *trouble);
    let asked = query.unwrap_or_default();
    if asked.split('&').any(|part| part == "verbose" || part.starts_with("verbose=")) {
        let line = |(check, fails, trouble): (&str, bool, &str)| {
            if fails { format!("[-]{check}: {trouble}\n") } else { format!("[+]{check} ok\n") }
        };
        let mut lines = checks.map(line).concat();
        lines.push_str(&format!("    {depth} of {capacity} deliveries wait\n"));
        let remaking =
            reads::REMAKING.run(&shared.readers, |reader| reader.read_remaking()).await.unwrap_or_default();
        for RemakingProgress { table, done, total } in remaking {
            lines.push_str(&format!("[!]{table}: being made anew, {done} of {total}\n"));
        }
        let left = shared.metrics.to_relearn.get();
        if left > 0 {
            lines.push_str(&format!("[!]journal: being learned again by newer rules, {left} entries left\n"));
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
    let last = told.last.and_then(|last| jiff::Timestamp::from_millisecond(last).ok());
    let last = last.map_or_else(|| "no webhook yet".to_owned(), |last| format!("last webhook {last:.0}"));
    let silent = if told.silent { "silent, " } else { "" };
    format!("{mark}app {}: {silent}{last}\n", told.app)
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
