//! The history of an app user, and its state in the past.

mod as_of;
mod effect;
mod group;
mod journal_pages;

use std::collections::BTreeSet;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;

use super::answers::{answer, raw_array, to_json};
use super::api_request::ApiRequest;
use super::error::ApiError;
use super::page_links::PageLinks;
use super::parameters::{limit, number};
use super::reads;
use crate::clock::now_ms;
use crate::directory::DirectoryReader;
use crate::domain::command::Name;
use crate::domain::{AppId, SmoochId, Visibility};
use crate::rebuild::history_entry::HistoryEntry;
use crate::rebuild::history_replay::HistoryReplay;
use crate::store::{AuditAction, AuditEntry, Seq, Source};
pub(super) use as_of::{PastRequest, then};
pub(super) use effect::{EntryEffect, effect_of};
use journal_pages::{JournalPages, Subject, each};

const DEFAULT_LIMIT: usize = 25;
const MOST: usize = 1000;

/// The most merges of a page with a preview of the un-merge: each is a look-up.
const MOST_PREVIEWS: usize = 100;

/// GET `…/appusers/{id}/history`: every event that touched the app user or a member of its group, the
/// newest first, with its changes; for a merge also the other app user, the reason, and a preview of the
/// un-merge. `limit` is 1 to 1000, by default 25; `after` continues from the previous page. A call to
/// rollcall's own API is shown with its request. `include=body` adds the bodies as received; the audit log tells
/// which of them an operator saw. If the
/// journal was trimmed, `oldest` is the first retained entry and `oldestBody` the first one with a body.
pub(super) async fn list(request: ApiRequest) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    let asked = HistoryRequest::read(&request)?;
    let (app, name, most) =
        (request.caller.app.clone(), request.user().await?, request.shared.settings.limits.history_events);
    let read = move |reader: &mut DirectoryReader| Ok(page(reader, &app, &name, most, &asked));
    let (answered, after, shown) = reads::HISTORY.run(&request.shared.readers, read).await??;
    if let Some(by) = request.reading_operator().filter(|_| !shown.entries.is_empty()) {
        let entry = AuditEntry::of(now_ms(), by, AuditAction::ShowBody);
        let (app, count) = (Some(request.caller.app.clone()), Some(shown.entries.len() as u64));
        let (ids, entries) = (shown.ids.into_iter().collect(), shown.entries);
        request.shared.audit.add(AuditEntry { app, ids, entries, count, ..entry }).await?;
    }
    let after = after.map(|after| after.to_string());
    let links = PageLinks::of(&request, &["after"], None, after.as_deref().map(|after| ("after", after)));
    Ok(links.head(answer(StatusCode::OK, &HistoryAnswer { links: Some(&links), ..answered })))
}

/// The entries whose bodies a page shows as asked for, and the app users of these.
#[derive(Default)]
struct ShownBodies {
    entries: Vec<Seq>,
    ids: BTreeSet<SmoochId>,
}

/// The requested page, the start of the next one, and the bodies that it shows. A journal of up to `most` events is read
/// from its beginning.
fn page(
    reader: &mut DirectoryReader,
    app: &AppId,
    name: &Name,
    most: usize,
    asked: &HistoryRequest,
) -> Result<(HistoryAnswer<'static>, Option<Seq>, ShownBodies), ApiError> {
    let subject = Subject::find(reader, app, name)?;
    let mut past = JournalPages::of(reader, app, &subject.connected, &subject.group);
    let whole = past.read(most)?;
    while past.touching.range(..asked.after).count() <= asked.limit && past.more()? {}
    let mut page: BTreeSet<Seq> =
        past.touching.range(..asked.after).rev().take(asked.limit + 1).copied().collect();
    let more = page.len() > asked.limit && page.pop_first().is_some();
    let (horizon, base) = past.base(&BTreeSet::new())?;
    let mut fold = HistoryReplay::new(app, base);
    let mut told = Vec::new();
    let seqs = match page.last() {
        Some(newest) if whole => {
            let folded = past.seqs.range(horizon.folded + 1..).take_while(|seq| *seq <= newest);
            folded.chain(&page).copied().collect()
        }
        _ => page.clone(),
    };
    each(reader, app, seqs, horizon, |entry, body, event| {
        if page.contains(&entry.seq) {
            let learned = event.filter(|_| whole).map(|event| fold.apply_with_diff(entry, event, &[]));
            let body = Some(body).filter(|body| !body.is_empty());
            let body = body.filter(|_| asked.bodies || entry.source != Source::Webhook);
            told.push((entry.clone(), learned, body.cloned()));
        } else if let Some(event) = event {
            fold.apply(event);
        }
    })?;
    let merges =
        told.iter().rev().filter_map(|(_, learned, _)| learned.as_ref()).flat_map(|learned| &learned.merges);
    let merged: Vec<_> =
        merges.map(|merge| (&merge.surviving, &merge.discarded)).take(MOST_PREVIEWS).collect();
    let mut previews = reader.preview_unmerges(app, &merged)?.into_iter();
    let (mut texts, mut bodies) = (Vec::new(), ShownBodies::default());
    for (entry, learned, body) in told.iter().rev() {
        let mut shown = HistoryEntry::of(entry);
        if let Some(learned) = learned {
            let merges =
                learned.merges.iter().map(|merge| merge.text(previews.next().as_ref(), asked.visibility));
            shown = shown.with_diff(learned, merges.collect(), asked.visibility);
        }
        if let Some(body) = body {
            if asked.bodies {
                bodies.entries.push(entry.seq);
                bodies.ids.extend(entry.user_ids().map(SmoochId::from));
            }
            shown = shown.with_body(entry, body, asked.bodies, asked.visibility);
        }
        texts.push(to_json(&shown));
    }
    let next = page.first().copied().filter(|_| more);
    let is_trimmed = horizon.folded > 0;
    let answered = HistoryAnswer {
        history: raw_array(texts),
        has_more: more,
        after: next.map(|last| last.to_string()),
        oldest: is_trimmed.then_some(horizon.oldest),
        oldest_body: is_trimmed.then_some(horizon.folded + 1),
        links: None,
    };
    Ok((answered, next, bodies))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HistoryAnswer<'a> {
    history: Box<RawValue>,
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_body: Option<Seq>,
    links: Option<&'a PageLinks>,
}

struct HistoryRequest {
    limit: usize,
    after: Seq,
    bodies: bool,
    visibility: Visibility,
}

impl HistoryRequest {
    fn read(request: &ApiRequest) -> Result<Self, ApiError> {
        let visibility = request.caller.visibility;
        let mut asked = Self { limit: DEFAULT_LIMIT, after: Seq::MAX, bodies: false, visibility };
        for (key, value) in &request.query {
            match (key.as_str(), value.as_str()) {
                ("limit", value) => asked.limit = limit("limit", value, MOST)?,
                ("after", value) => {
                    asked.after = number(value)
                        .ok_or_else(|| ApiError::bad_request("after is not a place in a history"))?;
                }
                ("include", "body") => {
                    request.caller.must_see_people(|| "include=body".to_owned())?;
                    asked.bodies = true;
                }
                ("include", _) => return Err(ApiError::bad_request("include may be body")),
                _ => {}
            }
        }
        Ok(asked)
    }
}
