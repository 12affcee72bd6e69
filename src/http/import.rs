//! Imports records and app users for an operator.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::OriginalUri;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures_util::stream::{StreamExt, iter};
use serde_json::json;

use super::answers::answer;
use super::audit::ByActor;
use super::error::ApiError;
use super::operator_apps::{must_see, unknown_app};
use super::state::{ByOperator, HttpState, State};
use super::{body, parameters};
use crate::clock::now_ms;
use crate::domain::{AppId, CallMade, NAME_BYTES};
use crate::ingest::job::{ImportJob, ImportResult};
use crate::ingest::queue::SubmitError;
use crate::operators::Operator;
use crate::smooch;
use crate::smooch::json::is_blank;
use crate::store::Actor;

/// The most bytes of one piece, and so of one line.
pub const PIECE: usize = 16 << 20;

/// Lines that wait for the worker at once: enough for a full batch, few compared with the queue.
const WINDOW: usize = 256;

/// POST `/import?app=&default=` with JSON lines, as `rollcall export` writes them or one app user each:
/// imports them. Lines belong to `app`; a line without an app belongs to `default` if `app` is absent.
/// 200 `{"imported","known","wrong":[{"line","why"}]}`, `line` from 1: the number of new lines, of known
/// lines, and the rejected ones. 503 if not all lines are known to be stored: send the same again, known
/// lines are not stored twice.
pub(super) async fn receive(
    shared: State,
    Extension(operator): ByOperator,
    ByActor(by): ByActor,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let query = parameters::read(&uri)?;
    let (app, default) = (parameters::value(&query, "app"), parameters::value(&query, "default"));
    if !operator.personal_data {
        let why = "An import has the data of people: it needs personal_data = true, which this operator does not have";
        return Err(ApiError::forbidden(why));
    }
    if let Some(app) = app.or(default) {
        must_see(&operator, &app.into())?;
    }
    if let Some(unknown) = app.map(AppId::from).filter(|app| !shared.inits.contains_key(app)) {
        return Err(unknown_app(&unknown, shared.inits.keys().filter(|app| operator.sees(app)).cloned()));
    }
    let mut share = shared.bodies.share(true);
    let body = body::read(&headers, body, shared.body_limits(PIECE), &mut share).await?;
    let lines = body.split(|byte| *byte == b'\n').zip(1_u64..);
    let lines = lines.filter(|(line, _)| !is_blank(line));
    let lines: Vec<(Bytes, u64)> = lines.map(|(line, number)| (body.slice_ref(line), number)).collect();
    let (shared, path, by, operator) = (&shared, &uri.to_string(), &by, &operator);
    let learn = |(line, number): (Bytes, u64)| async move {
        let learned = import_line(shared, (operator, by, path), (app, default), &line).await;
        (number, learned)
    };
    let mut learned = iter(lines).map(learn).buffered(WINDOW);
    let (mut imported, mut known, mut wrong) = (0_u64, 0_u64, Vec::new());
    let mut reject = |line: u64, why: &str| wrong.push(json!({ "line": line, "why": why }));
    while let Some((line, outcome)) = learned.next().await {
        match outcome? {
            Ok(ImportResult::Learned) => imported += 1,
            Ok(ImportResult::AlreadyKnown) => known += 1,
            Ok(ImportResult::TooLarge) => {
                reject(line, "it would make one app user of more _ids than ingest.group_members allows");
            }
            Ok(ImportResult::NamesErased) => {
                reject(line, "its userId is, or contains, the _id of an app user that was erased");
            }
            Err(why) => reject(line, &why),
        }
    }
    tracing::info!(imported, known, wrong = wrong.len(), "{imported} app users were imported");
    Ok(answer(StatusCode::OK, &json!({ "imported": imported, "known": known, "wrong": wrong })))
}

/// Imports one line; returns the reason if it is rejected for good.
async fn import_line(
    shared: &HttpState,
    (operator, by, path): (&Operator, &Arc<Actor>, &str),
    (asked, default): (Option<&str>, Option<&str>),
    line: &[u8],
) -> Result<Result<ImportResult, String>, ApiError> {
    let received = now_ms();
    let latest = received * 1000 + shared.settings.ingest.future_tolerance.as_micros() as i64;
    let bounds = smooch::ParseLimits {
        depth: shared.settings.limits.json_depth,
        events: 1,
        latest,
        name_bytes: NAME_BYTES,
    };
    let told = match smooch::import::parse_line(line, &bounds) {
        Ok(told) => told,
        Err(problem) => return Ok(Err(problem.to_string())),
    };
    let app = match (told.app, asked) {
        (Some(named), Some(asked)) if named != asked => {
            return Ok(Err(format!("app is {}, and not the one asked for", named.escape_default())));
        }
        (Some(named), _) => named,
        (None, Some(asked)) => asked.to_owned(),
        (None, None) if default.is_some() => default.unwrap_or_default().to_owned(),
        (None, None) => return Ok(Err("names no app, and none was asked for".to_owned())),
    };
    let app = AppId::from(app.as_str());
    if !operator.sees(&app) {
        return Ok(Err(format!("app is {}, which the operator does not see", app.as_str().escape_default())));
    }
    if !shared.inits.contains_key(&app) {
        let name = app.as_str().escape_default();
        return Ok(Err(format!("app is {name}, which is not in the settings of the service")));
    }
    let call = CallMade {
        method: "POST".to_owned(),
        path: Some(path.to_owned()),
        key: None,
        scope: "admin".to_owned(),
        operator: by.who.clone(),
        user_id: None,
        body: Some(String::from_utf8_lossy(line).into_owned()),
        erased: false,
    };
    let import = ImportJob { app, event: told.event, received, call, by: by.clone(), bytes: 2 * line.len() };
    match shared.queue.submit_import(import).await {
        Ok(imported) => Ok(Ok(imported)),
        Err(SubmitError::Internal) => Ok(Err("cannot be stored; the log of the service says why".to_owned())),
        Err(refused) => Err(refused.into()),
    }
}
