//! POST `/journal/replay`, and the steps of its job: webhooks of the journal are applied again, the oldest first, into this
//! directory.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::begin::{Asked, DryRun, SAMPLE, begin, read_body};
use super::replay_request::EntryFilter;
use super::spec::{EntrySelection, JobSpec};
use super::step::{MOST_BYTES, NextStep, StepBounds};
use crate::clock::now_ms;
use crate::directory::DirectoryReader;
use crate::directory::journal::EntryContent;
use crate::http::answers::answer;
use crate::http::error::ApiError;
use crate::http::journal::show_entries;
use crate::http::operator_request::OperatorRequest;
use crate::http::state::HttpState;
use crate::http::{reads, webhooks};
use crate::ingest::job::{JobPart, PartWork};
use crate::store::{Entry, JobKind, JobState, OperatorJob, Seq, Source};

/// Entries that one read looks at.
const LOOKED: usize = 20_000;

/// Entries of a count that one read takes.
const COUNTED: usize = 2_000;

/// What a replay is asked for with. An unknown member is refused: without it, more might be meant.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReplayRequest {
    filter: EntryFilter,
    #[serde(default)]
    dry_run: bool,
    expect: Option<u64>,
}

/// Entries that a selection has, in order.
struct SelectedEntries {
    entries: Vec<Entry>,
    /// The last one that was looked at; `None` at the end.
    next: Option<Seq>,
}

/// POST `/journal/replay`: applies webhooks of the journal again, 202 with the job. With `dryRun`, 200 with how many there
/// are and the first of them.
pub(in crate::http) async fn replay(
    request: OperatorRequest,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let ReplayRequest { filter, dry_run, expect } = read_body(&request, &headers, body).await?;
    let selection = filter.select(&request).await?;
    let (mut count, mut sample, mut after) = (0, Vec::new(), None);
    let read = reads::REPLAY_SELECTION.begin(&request.shared.readers)?;
    loop {
        let of = selection.clone();
        let found = read.run(move |reader| of.read(reader, after, COUNTED)).await?;
        count += found.entries.len() as u64;
        let more = SAMPLE - sample.len();
        sample.extend(found.entries.into_iter().take(more));
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    let asked = Asked { dry_run, expect };
    if asked.dry_run {
        let visibility = request.visibility();
        let shown = read.run(move |reader| show_entries(reader, &sample, visibility)).await?;
        return Ok(answer(StatusCode::OK, &DryRun { count, sample: shown }));
    }
    asked.must_expect(count)?;
    let apps = selection.apps.clone();
    let app = selection.users.as_ref().map(|(app, _)| app.clone());
    let only = |apps: BTreeSet<_>| if apps.len() == 1 { apps.into_iter().next() } else { None };
    let app = app.or_else(|| apps.and_then(only));
    begin(&request, JobKind::Replay, app, &JobSpec::Entries(selection), count).await
}

impl EntrySelection {
    /// At most `limit` entries behind a number.
    fn read(
        &self,
        reader: &mut DirectoryReader,
        after: Option<Seq>,
        limit: usize,
    ) -> crate::store::Result<SelectedEntries> {
        let page = reader.read_entries(&self.query(after), None, limit, LOOKED)?;
        let next = page.next.map(|next| next.last());
        let is_selected = |entry: &Entry| entry.source == Source::Webhook && self.has_number(entry.seq);
        let entries = page.entries.into_iter().filter(is_selected).collect();
        Ok(SelectedEntries { entries, next })
    }
}

/// The next step of a replay.
pub(super) async fn next_step(
    shared: &Arc<HttpState>,
    job: &OperatorJob,
    selection: &EntrySelection,
    bounds: StepBounds,
) -> Result<NextStep, ApiError> {
    let (after, limit, of) = (job.cursor.parse::<Seq>().ok(), bounds.limit(bounds.parts), selection.clone());
    let read = move |reader: &mut DirectoryReader| {
        let SelectedEntries { entries, next } = of.read(reader, after, limit)?;
        let bodies = reader.read_contents(&entries)?;
        Ok((entries, bodies, next))
    };
    let (entries, contents, next) = reads::REPLAYED.run(&shared.readers, read).await?;
    let (mut parts, mut bytes, mut is_whole) = (Vec::new(), 0, true);
    for (entry, content) in entries.into_iter().zip(contents) {
        let size = if let Some(EntryContent::Webhook(body)) = &content { body.len() } else { 0 };
        if !parts.is_empty() && bytes + size > MOST_BYTES {
            is_whole = false;
            break;
        }
        bytes += size;
        let about = entry.seq.to_string();
        parts.push(Arc::new(JobPart { cursor: about.clone(), about, work: part(shared, &entry, content) }));
    }
    let last = parts.last().map_or(&*job.cursor, |part| &*part.cursor).to_owned();
    let next = next.filter(|_| is_whole);
    let end = (is_whole && next.is_none()).then_some((JobState::Done, None));
    Ok(NextStep { cursor: next.map_or(last, |next| next.to_string()), parts, end })
}

/// What is applied again of an entry: its event alone, as today's rules read it from the body.
fn part(shared: &HttpState, entry: &Entry, content: Option<EntryContent>) -> PartWork {
    let failed = |reason: &str| PartWork::Failed(reason.to_owned());
    let body = match content {
        Some(EntryContent::Webhook(body)) => body,
        Some(_) => return failed("not_kept"),
        None => return failed("damaged"),
    };
    let now = now_ms();
    let read = webhooks::read(shared, &entry.app, now, &body);
    let mut webhook = webhooks::split_usable(&entry.app, now, body, read);
    webhook.events.retain(|(place, _)| *place == entry.place);
    webhook.unusable.clear();
    match webhook.events.is_empty() {
        true => failed("unusable"),
        false => PartWork::Replay(webhook, entry.received),
    }
}
