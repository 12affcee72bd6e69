//! The journal for operators: its entries, what each of them changed, and their bodies.

mod detail;
mod entry_answer;
mod request;
mod tail;

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;

use super::answers::{answer, raw, to_json};
use super::attachment::attachment;
use super::error::ApiError;
use super::operator_request::{OperatorRequest, number_in_path};
use super::reads;
use crate::clock::now_ms;
use crate::config::RetentionSettings;
use crate::directory::DirectoryReader;
use crate::directory::journal::{EntryContent, EntryState};
use crate::domain::{SmoochId, Visibility};
use crate::ingest::maintenance::reparse_event;
use crate::operators::Operator;
use crate::smooch::journal_entry::note;
use crate::store::readers::LaneReader as _;
use crate::store::{self, AuditEntry, Entry, Seq, Source};
use entry_answer::EntryAnswer;
use request::JournalRequest;
pub(super) use request::{UserFilter, bound};
pub(super) use tail::tail;

/// The most entries that one page looks at.
const MOST_LOOKED: usize = 20_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JournalPage<'e> {
    entries: Vec<EntryAnswer<'e>>,
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    looked: usize,
}

/// GET `/journal`: entries that meet the conditions, the newest first. `limit` is 1 to 200, by default 50; `after`
/// continues from the page before. A page looks at no more than 20,000 entries and may have few or none, and go on.
pub(super) async fn list(request: OperatorRequest) -> Result<Response, ApiError> {
    let asked = JournalRequest::read(&request)?;
    let visibility = request.visibility();
    let read = move |reader: &mut DirectoryReader| {
        let mut found = Err(ApiError::from(store::Error::Interrupted));
        reader.in_one_snapshot(|reader| {
            found = asked.resolve(reader).and_then(|query| {
                let page = reader.read_entries(&query, asked.after.as_ref(), asked.limit, MOST_LOOKED)?;
                let bodies = reader.describe_bodies(&page.entries)?;
                let after = page.next.map(|place| asked.cursor(&place));
                let entries = page.entries.iter().zip(&bodies);
                let entries = entries.map(|(entry, body)| EntryAnswer::new(entry, body, visibility));
                let (entries, has_more) = (entries.collect(), after.is_some());
                Ok(answer(StatusCode::OK, &JournalPage { entries, has_more, after, looked: page.looked }))
            });
        });
        Ok(found)
    };
    reads::JOURNAL_PAGE.run(&request.shared.readers, read).await?
}

/// Entries as a list shows them.
pub(super) fn show_entries(
    reader: &mut DirectoryReader,
    entries: &[Entry],
    visibility: Visibility,
) -> store::Result<Box<RawValue>> {
    let bodies = reader.describe_bodies(entries)?;
    let shown = entries.iter().zip(&bodies).map(|(entry, body)| EntryAnswer::new(entry, body, visibility));
    Ok(raw(to_json(&shown.collect::<Vec<_>>())))
}

/// GET `/journal/{seq}`: the entry, what it changed and merged, the entry before it of each of its app users, and the
/// others of its body. 404 for a number that was never given, 410 for one that is not kept, with the `oldest` that is.
pub(super) async fn show(request: OperatorRequest, Path(seq): Path<String>) -> Result<Response, ApiError> {
    let seq = number_in_path(&seq)?;
    let (operator, visibility) = (request.operator.clone(), request.visibility());
    let most = request.shared.settings.limits.history_events;
    let read = move |reader: &mut DirectoryReader| {
        Ok(find(reader, &operator, seq).and_then(|entry| detail::show(reader, &entry, visibility, most)))
    };
    Ok(answer(StatusCode::OK, &reads::JOURNAL_ENTRY.run(&request.shared.readers, read).await??))
}

/// GET `/journal/{seq}/body`: the bytes as received: of a webhook, or of a call to our own API. 404 where there were
/// none; 410 where they are not kept.
pub(super) async fn body(request: OperatorRequest, Path(seq): Path<String>) -> Result<Response, ApiError> {
    request.must_see_people()?;
    let seq = number_in_path(&seq)?;
    let (operator, retention) = (request.operator.clone(), request.shared.settings.retention.clone());
    let read = move |reader: &mut DirectoryReader| {
        let found = find(reader, &operator, seq);
        Ok(found.and_then(|entry| received(reader, &entry, &retention).map(|bytes| (entry, bytes))))
    };
    let (entry, bytes) = reads::JOURNAL_BODY.run(&request.shared.readers, read).await??;
    // A body that the audit log may not tell of is not shown.
    let ids = entry.user_ids().map(SmoochId::from).collect();
    request.audit_body(&entry.app, |shown| AuditEntry { ids, entries: vec![seq], ..shown }).await?;
    Ok(attachment(&format!("journal-{seq}.json"), bytes))
}

/// The entry with this number, if the operator may see it.
fn find(reader: &DirectoryReader, operator: &Operator, seq: Seq) -> Result<Entry, ApiError> {
    match reader.find_entry(seq)? {
        EntryState::Present(entry) if operator.sees(&entry.app) => Ok(*entry),
        EntryState::Present(_) | EntryState::NotGiven => {
            Err(ApiError::not_found("The journal has no entry with this number"))
        }
        EntryState::Trimmed { oldest } => {
            let why = "The entry is not kept any more (`history_age` and `history_entries` of [retention])";
            Err(ApiError::gone(why, oldest, None))
        }
        EntryState::Erased => {
            let oldest = reader.compaction_point()?.oldest;
            Err(ApiError::gone("The entry was deleted with the app users it was about", oldest, None))
        }
    }
}

/// The bytes in which an entry was received.
fn received(
    reader: &DirectoryReader,
    entry: &Entry,
    retention: &RetentionSettings,
) -> Result<Bytes, ApiError> {
    let body = reader.read_bodies(std::slice::from_ref(entry), reparse_event)?.swap_remove(0).1;
    let content = EntryContent::of(entry, &body);
    if let Some(bytes) = content.bytes() {
        return Ok(bytes);
    }
    let oldest = reader.compaction_point()?.folded + 1;
    Err(match content {
        EntryContent::Deleted => ApiError::gone(not_kept(entry, retention), oldest, None),
        EntryContent::FactsOnly => ApiError::gone(note(&body, entry.source == Source::Api), oldest, None),
        _ => ApiError::not_found("The call had no body"),
    })
}

/// Which limit took the body of an entry.
fn not_kept(entry: &Entry, retention: &RetentionSettings) -> String {
    let age = u128::try_from(now_ms().saturating_sub(entry.received)).unwrap_or(0);
    let limits = [
        ("retention.bodies_age", retention.bodies_age.is_some_and(|most| age > most.as_millis())),
        ("retention.history_age", retention.history_age.is_some_and(|most| age > most.as_millis())),
        ("retention.bodies_bytes", retention.bodies_bytes.is_some()),
        ("retention.history_entries", retention.history_entries.is_some()),
    ];
    let by = limits.into_iter().find(|(_, applies)| *applies);
    let by = by.map_or("a limit of [retention] that was in force", |(name, _)| name);
    format!("The body is not kept any more ({by})")
}
