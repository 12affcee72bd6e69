//! Somebody is erased, and told what was erased where.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use tokio::time::{Instant, sleep};

use super::call::Call;
use super::error::{ApiError, json};
use crate::domain::SmoochId;
use crate::domain::command::{Action, Name};
use crate::store::sqlite::SqliteReader;
use crate::store::{Erased, Reader, Receipt};
use crate::wire::iso;
use crate::wire::json::write_string;

/// How long a call waits for the end; whoever asks again goes on waiting.
const WAIT: Duration = Duration::from_secs(4);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);

/// What a DELETE asks for.
pub(super) enum Asked {
    /// That the app user is gone, as at Smooch.
    Removal,
    /// That it is erased; `only` the `_id` that is named.
    Erasure { only: bool },
}

impl Asked {
    /// `erase=true`, and with it `only=true`. Whatever else is there is not looked at.
    pub(super) fn read(query: &[(String, String)]) -> Result<Self, ApiError> {
        let truth = |name: &str| match query.iter().find(|(key, _)| key == name) {
            None => Ok(false),
            Some((_, value)) => {
                value.parse().map_err(|_| ApiError::bad_request(format!("{name} must be true or false")))
            }
        };
        match (truth("erase")?, truth("only")?) {
            (true, only) => Ok(Self::Erasure { only }),
            (false, true) => Err(ApiError::bad_request("only goes with erase=true")),
            (false, false) => Ok(Self::Removal),
        }
    }
}

/// DELETE `…/appusers/{id}?erase=true`: whoever is one person with `{id}` is forgotten, here and in the journal;
/// with `only=true` just that `_id` and who is merged into it. 200 with the receipt once nothing is left; 202
/// with what was erased so far if that takes longer: the same call again tells more.
pub(super) async fn erase(call: &Call, only: bool) -> Result<Response, ApiError> {
    call.caller.must_be_app()?;
    let user = call.user()?;
    let id = whom(call, &user, only).await?;
    call.ask(Action::Erase { user, only }).await?;
    let until = Instant::now() + WAIT;
    loop {
        call.shared.queue.tick();
        let (app, erased) = (call.caller.app.clone(), id.clone());
        let look = move |reader: &mut SqliteReader| reader.receipt(&app, &erased);
        let receipt = call.shared.readers.run(look).await?;
        let complete = receipt.as_ref().is_some_and(|receipt| receipt.done.is_some());
        if complete || Instant::now() >= until {
            let missing = || ApiError::unavailable("unavailable", "The receipt is not there yet; try again");
            let status = if complete { StatusCode::OK } else { StatusCode::ACCEPTED };
            return Ok(json(status, text(&receipt.ok_or_else(missing)?)));
        }
        sleep(LOOK).await;
    }
}

/// The `_id` by which the receipt is found.
async fn whom(call: &Call, user: &Name, only: bool) -> Result<SmoochId, ApiError> {
    let (app, name) = (call.caller.app.clone(), user.clone());
    let find = move |reader: &mut SqliteReader| {
        let named = SmoochId::from(&*name);
        let by_id = reader.by_id(&app, &named)?;
        let is_id = by_id.is_some();
        let view = if is_id { by_id } else { reader.by_user_id(&app, &name)? };
        Ok(view.filter(|_| !(only && is_id)).map_or(named, |view| view.id))
    };
    Ok(call.shared.readers.run(find).await?)
}

/// `{"erasure":{"seq","time","_ids","erased","complete","completedAt"?,"remains"}}`.
fn text(receipt: &Receipt) -> String {
    let ids: Vec<String> = receipt.ids.iter().map(|id| quoted(id.as_str())).collect();
    let completed = receipt.done.map(|done| format!(",\"completedAt\":{}", iso(done))).unwrap_or_default();
    let remains = "The _ids above, with the numbers and times of what was erased, so that nothing comes back. \
                   Backups, exports and copies made before hold the person still: delete or erase them as well.";
    format!(
        "{{\"erasure\":{{\"seq\":{},\"time\":{},\"_ids\":[{}],\"erased\":{},\"complete\":{}{completed},\"remains\":{}}}}}",
        receipt.seq,
        iso(receipt.time),
        ids.join(","),
        counts(&receipt.counts),
        receipt.done.is_some(),
        quoted(remains),
    )
}

fn counts(counts: &Erased) -> String {
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
