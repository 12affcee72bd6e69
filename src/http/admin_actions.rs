//! Changes that an operator makes through the admin listener.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::answers::{EMPTY, answer, json, member};
use super::audit::ByActor;
use super::error::ApiError;
use super::operator_apps::must_see_all_apps;
use super::operator_request::{OperatorRequest, number_in_path};
use super::quarantine::not_held;
use super::state::{ByOperator, HttpState, State};
use super::{body, reads, webhooks};
use crate::clock::now_ms;
use crate::directory::DirectoryReader;
use crate::domain::{AppId, UnusableReason, Visibility};
use crate::ingest::job::{RetryJob, WebhookResult};
use crate::rebuild::{self, Comparison};
use crate::smooch::json::without_mark;
use crate::store::rows::RowKey;
use crate::store::sqlite::DERIVED;
use crate::store::{Actor, AuditAction, AuditEntry, Seq};

/// The most bytes of a repair request.
const REBUILD_BYTES: usize = 8 << 20;

/// What became of a quarantined body that was parsed again.
struct Redriven {
    result: WebhookResult,
    /// Why it stays in quarantine: the reason code, and the detail.
    trouble: Option<(&'static str, String)>,
}

/// Parses a quarantined body again, by today's bounds, as if it came now; `None` if it is not in quarantine, or `may`
/// refuses its app.
pub(super) async fn prepare_redrive(
    shared: &HttpState,
    seq: Seq,
    by: Arc<Actor>,
    may: impl Fn(&AppId) -> bool,
) -> Result<Option<RetryJob>, ApiError> {
    let quarantined = move |reader: &mut DirectoryReader| reader.find_quarantined(seq);
    let held = reads::QUARANTINED.run(&shared.readers, quarantined).await?;
    let Some(held) = held.filter(|held| may(&held.app)) else { return Ok(None) };
    let now = now_ms();
    let read = webhooks::read(shared, &held.app, now, &held.body);
    let webhook = webhooks::split_usable(&held.app, now, held.body, read);
    Ok(Some(RetryJob { seq, held_since: held.received, webhook, by }))
}

/// Redrives one body; `None` as of [`prepare_redrive`].
async fn redrive_one(
    shared: &HttpState,
    seq: Seq,
    by: Arc<Actor>,
    may: impl Fn(&AppId) -> bool,
) -> Result<Option<Redriven>, ApiError> {
    let Some(retry) = prepare_redrive(shared, seq, by, may).await? else { return Ok(None) };
    let trouble = retry.webhook.unusable.first().map(|(reason, detail)| (*reason, detail.clone()));
    let Some(result) = shared.queue.retry_quarantined(retry).await? else { return Ok(None) };
    let (learned, unusable, erased) = (result.learned, result.quarantined, result.erased);
    tracing::info!(seq, learned, unusable, erased, "a body was redriven");
    // A failure in the worker has no reason of its own.
    let unapplied =
        || (UnusableReason::CannotApply.as_str(), "it cannot be applied; the log says why".to_owned());
    let trouble = (unusable > 0).then(|| trouble.unwrap_or_else(unapplied));
    Ok(Some(Redriven { result, trouble }))
}

/// POST `/quarantine/{seq}/redrive`: parses a quarantined body again, by today's bounds, and applies it
/// as if it came now. 200 `{"seq","learned","kept","repeated","unusable","reason"?,"detail"?}`; if no
/// part is unusable, the body leaves the quarantine. 404 if it is not there.
pub(super) async fn redrive(
    request: OperatorRequest,
    ByActor(by): ByActor,
    Path(seq): Path<String>,
) -> Result<Response, ApiError> {
    let seq = number_in_path(&seq)?;
    let redriven = redrive_one(&request.shared, seq, by, |app| request.operator.sees(app)).await?;
    let Redriven { result, trouble } = redriven.ok_or_else(not_held)?;
    let mut answered = json!({
        "kept": result.kept,
        "learned": result.learned,
        "repeated": result.repeated,
        "seq": seq,
        "unusable": result.quarantined,
    });
    if let Some((reason, detail)) = trouble {
        answered["reason"] = reason.into();
        match request.visibility() {
            Visibility::Whole => answered["detail"] = detail.into(),
            Visibility::Masked => answered["masked"] = json!(["detail"]),
        }
    }
    Ok(answer(StatusCode::OK, &answered))
}

/// DELETE `/quarantine/{seq}`: deletes a body from the quarantine. 200 `{}`; 404 if it is not there.
pub(super) async fn delete_quarantined(
    request: OperatorRequest,
    ByActor(by): ByActor,
    Path(seq): Path<String>,
) -> Result<Response, ApiError> {
    let (seq, shared) = (number_in_path(&seq)?, &request.shared);
    let quarantined = move |reader: &mut DirectoryReader| reader.find_quarantined(seq);
    let held = reads::QUARANTINED.run(&shared.readers, quarantined).await?;
    held.filter(|held| request.operator.sees(&held.app)).ok_or_else(not_held)?;
    match shared.queue.drop_quarantined(vec![seq], by).await? {
        0 => Err(not_held()),
        _ => {
            tracing::info!(seq, "a body in quarantine was given up");
            Ok(json(StatusCode::OK, EMPTY))
        }
    }
}

#[derive(Deserialize)]
struct RebuildRequest {
    /// The table and the key of each row.
    rows: Vec<(String, Vec<String>)>,
    /// Derived tables to rebuild.
    derived: Option<Vec<String>>,
}

/// POST `/rebuild` `{"rows":[[table,[key,…]],…]}`: repairs these rows of the directory from the fold of
/// the journal that `rollcall rebuild` stores beside the database. The worker folds the new entries and
/// replaces the rows that differ, in one transaction. 200 `{"replaced"}`; 404 if there is no such fold.
///
/// `"rows":[]` with `"derived":[name,…]` rebuilds these derived tables in small steps. 200
/// `{"replaced":0,"remaking":[name,…],"failed":[name,…]}`: the tables that are not whole yet, and those
/// that failed.
pub(super) async fn rebuild(
    shared: State,
    Extension(operator): ByOperator,
    ByActor(by): ByActor,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    must_see_all_apps(&operator)?;
    let mut share = shared.bodies.share(true);
    let body = body::read(&headers, body, shared.body_limits(REBUILD_BYTES), &mut share).await?;
    let malformed = || ApiError::bad_request("The body must be {\"rows\":[[table,[key,…]],…]}");
    let asked: RebuildRequest = serde_json::from_slice(without_mark(&body)).map_err(|_| malformed())?;
    let rows = asked.rows.iter().map(|(table, key)| RowKey::from_parts(table, key));
    let keys: Vec<_> = rows.collect::<Option<_>>().ok_or_else(malformed)?;
    if let Some(names) = asked.derived.filter(|_| keys.is_empty()) {
        return rebuild_derived(&shared, &by, &names).await;
    }
    let database = shared.files.database.clone();
    if !rebuild::rebuild_folder(&database).exists() {
        return Err(ApiError::not_found("There is no replay of the journal beside the database"));
    }
    // Nearly all folding is done here, so that the worker does not block on it.
    let caught_up = tokio::task::spawn_blocking({
        let database = database.clone();
        move || Comparison::open(&database).map(|mut comparison| comparison.catch_up(&mut |_| ()))
    });
    let caught_up = caught_up.await.map_err(|error| error.to_string());
    let caught_up = caught_up.and_then(|opened| opened.map_err(|error| error.to_string()));
    if let Err(why) = caught_up.and_then(|ran| ran.map_err(|error| error.to_string())) {
        tracing::error!("the journal cannot be folded: {why}");
        return Err(ApiError::unavailable("unavailable", "The journal cannot be folded now; see the log"));
    }
    let rows = keys.len();
    let differing = Box::new(move || rebuild::find_differing_rows(&database, &keys));
    let replaced = shared.queue.submit_repair(differing, Some(by)).await?;
    tracing::warn!(rows, replaced, "rows of the directory were put right from the journal");
    Ok(json(StatusCode::OK, member("replaced", replaced)))
}

/// Starts the rebuild of derived tables; answers with those that are not whole yet.
async fn rebuild_derived(shared: &HttpState, by: &Actor, names: &[String]) -> Result<Response, ApiError> {
    if !names.iter().all(|name| DERIVED.iter().any(|derived| derived.name == name)) {
        return Err(ApiError::bad_request("There is no such derived table"));
    }
    if !names.is_empty() {
        let entry = AuditEntry::of(now_ms(), by, AuditAction::Rebuild);
        let (detail, count) = (Some(names.join(", ")), Some(names.len() as u64));
        shared.audit.add(AuditEntry { detail, count, ..entry }).await?;
    }
    names.iter().for_each(|name| _ = shared.damaged_tables.raise(name));
    shared.queue.tick();
    // Requested tables are read first: each moves from there to the other sets.
    let asked: Vec<&str> = shared.damaged_tables.raised().collect();
    let begun = reads::REMAKING.run(&shared.readers, |reader| reader.read_remaking()).await?;
    let begun = begun.into_iter().map(|progress| progress.table);
    let all: BTreeSet<&str> = asked.into_iter().chain(begun).collect();
    let failed: Vec<&str> = shared.damaged_tables.failed().collect();
    Ok(answer(StatusCode::OK, &json!({ "failed": failed, "remaking": all, "replaced": 0 })))
}
