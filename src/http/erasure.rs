//! Somebody is erased, and told what was erased where.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};

use super::answers::{self, raw};
use super::api_request::ApiRequest;
use super::error::{ApiError, json};
use super::query::{boolean, value};
use super::reads;
use super::state::HttpState;
use crate::domain::command::{Action, Name};
use crate::domain::{SmoochId, timestamp};
use crate::store::sqlite::{self, SqliteReader};
use crate::store::{Reader, Receipt};

/// How long a call waits for the end; whoever asks again goes on waiting.
const WAIT: Duration = Duration::from_secs(4);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);

/// What a DELETE asks for.
pub(super) enum DeleteMode {
    /// That the app user is gone, as at Smooch.
    Removal,
    /// That it is erased; `only` the `_id` that is named.
    Erasure { only: bool },
}

impl DeleteMode {
    /// `erase=true`, and with it `only=true`. What the call does not know was refused before.
    pub(super) fn read(query: &[(String, String)]) -> Result<Self, ApiError> {
        let flag = |name| value(query, name).map(|value| boolean(name, value)).transpose();
        match (flag("erase")?.unwrap_or(false), flag("only")?) {
            (true, only) => Ok(Self::Erasure { only: only.unwrap_or(false) }),
            // Also `only=false`: the caller means to erase.
            (false, Some(_)) => Err(ApiError::bad_request("only goes with erase=true")),
            (false, None) => Ok(Self::Removal),
        }
    }
}

/// DELETE `…/appusers/{id}?erase=true`: whoever is one person with `{id}` is forgotten, here and in the journal;
/// with `only=true` just that `_id` and who is merged into it. 200 with the receipt once nothing is left; 202
/// with what was erased so far if that takes longer: the same call again tells more.
pub(super) async fn erase(request: &ApiRequest, only: bool) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    let user = request.user()?;
    let id = whom(request, &user, only).await?;
    request.ask(Action::Erase { user, only }).await?;
    let until = Instant::now() + WAIT;
    loop {
        request.shared.queue.tick();
        let (app, erased) = (request.caller.app.clone(), id.clone());
        let look = move |reader: &mut SqliteReader| reader.receipt(&app, &erased);
        let receipt = reads::RECEIPT.run(&request.shared.readers, look).await?;
        let is_done = receipt.as_ref().is_some_and(|receipt| receipt.done.is_some());
        if is_done || Instant::now() >= until {
            let missing = || ApiError::unavailable("unavailable", "The receipt is not there yet; try again");
            let receipt = receipt.ok_or_else(missing)?;
            let files = if is_done {
                RemainingFiles::cleared(&request.shared).await
            } else {
                RemainingFiles::default()
            };
            let is_complete = is_done && files.leftovers.is_empty();
            let status = if is_complete { StatusCode::OK } else { StatusCode::ACCEPTED };
            return Ok(json(status, report(&receipt, is_complete, &files)));
        }
        sleep(LOOK).await;
    }
}

/// The `_id` by which the receipt is found.
async fn whom(request: &ApiRequest, user: &Name, only: bool) -> Result<SmoochId, ApiError> {
    let (app, name) = (request.caller.app.clone(), user.clone());
    let find = move |reader: &mut SqliteReader| {
        let named = SmoochId::from(&*name.text);
        let view = reader.by_name(&app, &name)?;
        let is_id = view.as_ref().is_some_and(|view| view.ids().any(|id| *id == named));
        Ok(view.filter(|_| !(only && is_id)).map_or(named, |view| view.id))
    };
    reads::APP_USER.run(&request.shared.readers, find).await
}

/// What lies beside the database, each file by its name.
#[derive(Default)]
struct RemainingFiles {
    /// What unfinished work has left, and why it is still there.
    leftovers: Vec<String>,
    /// Whole databases that were kept on purpose.
    copies: Vec<String>,
}

impl RemainingFiles {
    /// Removes what unfinished work has left, and looks what is there then.
    async fn cleared(shared: &HttpState) -> Self {
        let (database, backups) = (shared.files.database.clone(), shared.files.backups.clone());
        let look = move || {
            let folders: Vec<_> = backups.into_iter().collect();
            (sqlite::remove_leftovers(&database, &folders), sqlite::kept_copies(&database))
        };
        let Ok(((left, removed), copies)) = tokio::task::spawn_blocking(look).await else {
            return Self { leftovers: vec!["(not looked for)".to_owned()], ..Self::default() };
        };
        for path in removed {
            tracing::info!(path = %path.display(), "removed an unfinished file of a killed process");
        }
        let leftovers = left.into_iter().map(|left| {
            let name = left.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match left.error {
                Some(error) => {
                    tracing::warn!(path = %left.path.display(), error, "an unfinished file cannot be removed: {error}");
                    format!("{name}: {error}")
                }
                None => format!("{name}: in use"),
            }
        });
        Self { leftovers: leftovers.collect(), copies }
    }
}

/// The answer to an erasure.
#[derive(Serialize)]
struct ErasureAnswer<'a> {
    erasure: ErasureReport<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErasureReport<'a> {
    seq: u64,
    time: Box<RawValue>,
    #[serde(rename = "_ids")]
    ids: Vec<&'a str>,
    erased: ErasedCounts,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    leftovers: &'a [String],
    remains: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErasedCounts {
    records: u64,
    identifiers: u64,
    journal_entries: u64,
    journal_entries_reduced: u64,
    trimmed_records: u64,
    changes: u64,
    kept_answers: u64,
    quarantined: u64,
}

fn report(receipt: &Receipt, is_complete: bool, files: &RemainingFiles) -> String {
    let mut remains = "The _ids above, with the numbers and times of what was erased, so that nothing comes back. \
                   Backups, exports and copies made before hold the person still: delete or erase them as well."
        .to_owned();
    if !files.copies.is_empty() {
        remains.push_str(&format!(" Beside the database: {}.", files.copies.join(", ")));
    }
    let counts = &receipt.counts;
    answers::text(&ErasureAnswer {
        erasure: ErasureReport {
            seq: receipt.seq,
            time: raw(&*timestamp::json_from_ms(receipt.time)),
            ids: receipt.ids.iter().map(SmoochId::as_str).collect(),
            erased: ErasedCounts {
                records: counts.records,
                identifiers: counts.identifiers,
                journal_entries: counts.journal_entries,
                journal_entries_reduced: counts.journal_reduced,
                trimmed_records: counts.base,
                changes: counts.changes,
                kept_answers: counts.answers,
                quarantined: counts.quarantine,
            },
            complete: is_complete,
            completed_at: receipt
                .done
                .filter(|_| is_complete)
                .map(|done| raw(&*timestamp::json_from_ms(done))),
            leftovers: &files.leftovers,
            remains,
        },
    })
}
