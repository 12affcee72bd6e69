//! Somebody is erased, and told what was erased where.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use tokio::time::{Instant, sleep};

use super::api_request::ApiRequest;
use super::error::{ApiError, json};
use super::query::{boolean, value};
use super::reads;
use super::state::HttpState;
use crate::domain::command::{Action, Name};
use crate::domain::{SmoochId, timestamp};
use crate::smooch::json::write_string;
use crate::store::sqlite::{self, SqliteReader};
use crate::store::{ErasureCounts, Reader, Receipt};

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
            let beside = if is_done {
                RemainingFiles::cleared(&request.shared).await
            } else {
                RemainingFiles::default()
            };
            let is_complete = is_done && beside.leftovers.is_empty();
            let status = if is_complete { StatusCode::OK } else { StatusCode::ACCEPTED };
            return Ok(json(status, text(&receipt, is_complete, &beside)));
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

/// `{"erasure":{"seq","time","_ids","erased","complete","completedAt"?,"leftovers"?,"remains"}}`.
fn text(receipt: &Receipt, is_complete: bool, beside: &RemainingFiles) -> String {
    let list = |names: &mut dyn Iterator<Item = &str>| names.map(quoted).collect::<Vec<_>>().join(",");
    let ids = list(&mut receipt.ids.iter().map(SmoochId::as_str));
    let done = receipt.done.filter(|_| is_complete);
    let completed =
        done.map(|done| format!(",\"completedAt\":{}", timestamp::json_from_ms(done))).unwrap_or_default();
    let leftovers = match beside.leftovers.as_slice() {
        [] => String::new(),
        left => format!(",\"leftovers\":[{}]", list(&mut left.iter().map(String::as_str))),
    };
    let mut remains = "The _ids above, with the numbers and times of what was erased, so that nothing comes back. \
                   Backups, exports and copies made before hold the person still: delete or erase them as well."
        .to_owned();
    if !beside.copies.is_empty() {
        remains.push_str(&format!(" RemainingFiles the database: {}.", beside.copies.join(", ")));
    }
    format!(
        "{{\"erasure\":{{\"seq\":{},\"time\":{},\"_ids\":[{ids}],\"erased\":{},\"complete\":{is_complete}{completed}{leftovers},\"remains\":{}}}}}",
        receipt.seq,
        timestamp::json_from_ms(receipt.time),
        counts(&receipt.counts),
        quoted(&remains),
    )
}

fn counts(counts: &ErasureCounts) -> String {
    let all = [
        ("records", counts.records),
        ("identifiers", counts.identifiers),
        ("journalEntries", counts.journal_entries),
        ("journalEntriesReduced", counts.journal_reduced),
        ("trimmedRecords", counts.base),
        ("changes", counts.changes),
        ("keptAnswers", counts.answers),
        ("quarantined", counts.quarantine),
    ];
    let all: Vec<String> = all.iter().map(|(name, count)| format!("\"{name}\":{count}")).collect();
    format!("{{{}}}", all.join(","))
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    write_string(text, &mut out);
    out
}
