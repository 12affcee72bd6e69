//! Erasure of an app user, answered with its receipt.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};

use super::answers::{json, member, raw};
use super::api_request::ApiRequest;
use super::error::ApiError;
use super::jobs;
use super::parameters::{boolean, value};
use super::reads;
use super::state::HttpState;
use crate::directory::DirectoryReader;
use crate::domain::command::{Action, Name};
use crate::domain::{SmoochId, timestamp};
use crate::store::Receipt;
use crate::store::sqlite;

/// The time that a call waits for completion; a repeated call waits again.
const WAIT: Duration = Duration::from_secs(4);
/// The interval between two looks at the receipt.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

pub(super) enum DeleteMode {
    /// Removes the app user, as at Smooch.
    Removal,
    /// Erases it; with `only`, just the named `_id`.
    Erasure { only: bool },
}

impl DeleteMode {
    /// `erase=true`, and with it `only=true`. Unknown parameters were refused before.
    pub(super) fn read(query: &[(String, String)]) -> Result<Self, ApiError> {
        let flag = |name| value(query, name).map(|value| boolean(name, value)).transpose();
        match (flag("erase")?.unwrap_or(false), flag("only")?) {
            (true, only) => Ok(Self::Erasure { only: only.unwrap_or(false) }),
            // Also `only=false`: the caller intends to erase.
            (false, Some(_)) => Err(ApiError::bad_request("only goes with erase=true")),
            (false, None) => Ok(Self::Removal),
        }
    }
}

/// DELETE `…/appusers/{id}?erase=true`: erases the merge group of `{id}` from the directory and the
/// journal; with `only=true` just that `_id` and the users merged into it. 200 with the receipt once the
/// erasure is complete; 202 with the counts so far if it takes longer: repeat the call for the rest.
pub(super) async fn erase(request: &ApiRequest, only: bool) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    let user = request.user().await?;
    let id = resolve_receipt_id(request, &user, only).await?;
    request.ask(Action::Erase { user, only }).await?;
    let until = Instant::now() + WAIT;
    loop {
        request.shared.queue.tick();
        let (app, erased) = (request.caller.app.clone(), id.clone());
        let look = move |reader: &mut DirectoryReader| reader.find_receipt(&app, &erased);
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
            return Ok(json(status, member("erasure", report(&receipt, is_complete, &files))));
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// The `_id` that the receipt is stored under.
async fn resolve_receipt_id(request: &ApiRequest, user: &Name, only: bool) -> Result<SmoochId, ApiError> {
    let (app, name) = (request.caller.app.clone(), user.clone());
    let find = move |reader: &mut DirectoryReader| {
        let view = reader.find_by_name(&app, &name)?;
        let id = view.map(|view| if only { view.id_named(&name) } else { view.id });
        Ok(id.unwrap_or_else(|| (&*name.text).into()))
    };
    reads::APP_USER.run(&request.shared.readers, find).await
}

/// Files beside the database that may hold erased data, by name.
#[derive(Default)]
struct RemainingFiles {
    /// Files of unfinished work, and why they are still there.
    leftovers: Vec<String>,
    /// Complete databases stored on purpose, such as backups.
    copies: Vec<String>,
}

impl RemainingFiles {
    /// Deletes the files of unfinished work; lists those that remain.
    async fn cleared(shared: &HttpState) -> Self {
        jobs::delete_outdated_files(shared).await;
        let (database, backups) = (shared.files.database.clone(), shared.settings.backup.folder.clone());
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

/// A receipt as answers show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErasureReport<'a> {
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

impl<'a> ErasureReport<'a> {
    /// What the database has of an erasure, without a look at the files beside it.
    pub(super) fn of_database(receipt: &'a Receipt) -> Self {
        static NONE: RemainingFiles = RemainingFiles { leftovers: Vec::new(), copies: Vec::new() };
        report(receipt, receipt.done.is_some(), &NONE)
    }
}

fn report<'a>(receipt: &'a Receipt, is_complete: bool, files: &'a RemainingFiles) -> ErasureReport<'a> {
    let mut remains = "The _ids above, with the numbers and times of what was erased, so that nothing comes back. \
                   Backups, exports and copies made before hold the person still: delete or erase them as well."
        .to_owned();
    if !files.copies.is_empty() {
        remains.push_str(&format!(" Beside the database: {}.", files.copies.join(", ")));
    }
    let counts = &receipt.counts;
    let erased = ErasedCounts {
        records: counts.records,
        identifiers: counts.identifiers,
        journal_entries: counts.journal_entries,
        journal_entries_reduced: counts.journal_reduced,
        trimmed_records: counts.base,
        changes: counts.changes,
        kept_answers: counts.answers,
        quarantined: counts.quarantine,
    };
    let time = |ms| raw(&*timestamp::json_from_ms(ms));
    ErasureReport {
        seq: receipt.seq,
        time: time(receipt.time),
        ids: receipt.ids.iter().map(SmoochId::as_str).collect(),
        erased,
        complete: is_complete,
        completed_at: receipt.done.filter(|_| is_complete).map(time),
        leftovers: &files.leftovers,
        remains,
    }
}
