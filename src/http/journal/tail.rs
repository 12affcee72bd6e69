//! The journal as it grows, as server-sent events.
//!
//! A reader pulls: entries are read from the database when the connection has room for them. More than some a second are
//! passed over, and only counted: nobody can read them, and they would cost the webhooks time.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::stream::unfold;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::entry_answer::EntryAnswer;
use super::request::JournalRequest;
use crate::directory::DirectoryReader;
use crate::directory::entries::{EntryQuery, EntrySpan};
use crate::directory::journal::BodySummary;
use crate::domain::Visibility;
use crate::http::answers::to_json;
use crate::http::error::ApiError;
use crate::http::event_stream::{BEGIN, END_COMMENT, STOP_COMMENT, last_event, respond, stream_lifetime};
use crate::http::operator_request::OperatorRequest;
use crate::http::parameters::number;
use crate::http::reads;
use crate::ingest::app_activity::DeliveryCounts;
use crate::store::readers::LaneReader as _;
use crate::store::{self, Entry, Seq};

/// The most entries that are sent in a second.
const MOST_A_SECOND: usize = 50;

/// The most entries that are looked at in a second.
const LOOKED_A_SECOND: usize = 5_000;

/// How many numbers behind the last entry a stream goes on at most.
const CATCH_UP: Seq = 1_000;

/// Entries of a chunk while a stream catches up.
const PIECE: usize = 100;

/// Between two reads of new entries.
const PAUSE: Duration = Duration::from_millis(100);

const SECOND: Duration = Duration::from_secs(1);

/// GET `/journal/tail`: new entries that meet the conditions as events `entry`, whose `id` is the number; at most 50 a
/// second. What is passed over is counted in events `skipped`. Each second an event `rate` has the deliveries since the one before, by
/// outcome.
/// With `Last-Event-ID` the stream continues after that entry, with at most the last 1,000 numbers that it missed.
pub(in crate::http) async fn tail(
    request: OperatorRequest,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let asked = Arc::new(JournalRequest::read(&request)?);
    let known = headers.get("last-event-id").map(|id| {
        let id = id.to_str().ok().and_then(number);
        id.ok_or_else(|| ApiError::bad_request("Last-Event-ID must be the id of an event"))
    });
    let (known, shared) = (known.transpose()?, request.shared.clone());
    let ends =
        |reader: &mut DirectoryReader| Ok((reader.last_entry_seq()?, reader.compaction_point()?.oldest));
    let (last, oldest) = reads::JOURNAL_TAIL.run(&shared.readers, ends).await?;
    if known.is_some_and(|known| known > last) {
        let why =
            "Last-Event-ID is beyond the last entry: the database was restored or replaced. Begin without it";
        return Err(ApiError::gone(why, oldest, None));
    }
    let known = known.unwrap_or(last);
    let at = known.max(last.saturating_sub(CATCH_UP));
    let now = Instant::now();
    let tail = Tail {
        commits: shared.commits.subscribe(),
        draining: shared.draining.subscribe(),
        until: now + stream_lifetime(shared.settings.feed.stream_life),
        ended: false,
        begin: Some(format!("{BEGIN}{}", skipped(at, at - known))),
        at,
        last_before: last,
        is_due: at < last,
        is_behind: false,
        next_read: now,
        second: Second { began: now, sent: 0, looked: 0, before: asked.deliveries(&shared) },
        asked,
        request,
    };
    let chunks = unfold(tail, |mut tail| async {
        let chunk = tail.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(chunk)), tail))
    });
    Ok(respond(chunks))
}

/// The event that tells how many numbers were passed over up to `at`; nothing for none.
fn skipped(at: Seq, count: Seq) -> String {
    if count == 0 { String::new() } else { event(at, "skipped", &to_json(&SkippedEvent { n: count })) }
}

fn event(id: Seq, kind: &str, data: &str) -> String {
    format!("id: {id}\nevent: {kind}\ndata: {data}\n\n")
}

#[derive(Serialize)]
struct SkippedEvent {
    n: Seq,
}

struct Tail {
    request: OperatorRequest,
    asked: Arc<JournalRequest>,
    commits: watch::Receiver<u64>,
    draining: watch::Receiver<bool>,
    /// The end of its lifetime. A reconnect proves the operator again.
    until: Instant,
    ended: bool,
    /// The first bytes.
    begin: Option<String>,
    /// The last number that was sent, looked at, or passed over.
    at: Seq,
    /// The last entry before the stream began: up to it all are sent, however many.
    last_before: Seq,
    /// There may be new entries.
    is_due: bool,
    /// There are entries behind `at` that this second has no room for.
    is_behind: bool,
    next_read: Instant,
    second: Second,
}

/// What was done since the last event `rate`.
struct Second {
    began: Instant,
    sent: usize,
    looked: usize,
    before: DeliveryCounts,
}

/// New entries, as events.
struct NewEntries {
    text: String,
    count: usize,
    looked: usize,
    at: Seq,
    is_behind: bool,
}

impl Tail {
    /// The next bytes, once there are some; none at the end of the stream.
    async fn next(&mut self) -> Option<String> {
        if let Some(begin) = self.begin.take() {
            return Some(begin);
        }
        loop {
            if let Some(end) = self.end()? {
                return Some(end);
            }
            let (now, ends) = (Instant::now(), self.second.began + SECOND);
            let told = if now >= ends {
                self.rate().await
            } else if self.is_due && now >= self.next_read && self.room() > 0 {
                self.entries().await
            } else {
                Ok(String::new())
            };
            match told {
                Ok(text) if text.is_empty() => {}
                Ok(text) => return Some(text),
                Err(error) if error.is_temporary() => self.next_read = now + PAUSE,
                Err(error) => {
                    self.ended = true;
                    return Some(last_event(&error, true));
                }
            }
            let is_waiting = self.is_due && self.room() > 0;
            let wake = if is_waiting { self.next_read.min(ends) } else { ends }.min(self.until);
            tokio::select! {
                _ = self.commits.changed(), if !self.is_due => self.is_due = true,
                _ = self.draining.wait_for(|draining| *draining) => {}
                () = sleep_until(wake) => {}
            }
        }
    }

    /// The last bytes, if the stream ends now; none once it has ended.
    fn end(&mut self) -> Option<Option<String>> {
        let last = match () {
            () if self.ended => return None,
            () if *self.draining.borrow() => STOP_COMMENT,
            () if Instant::now() >= self.until => END_COMMENT,
            () => return Some(None),
        };
        self.ended = true;
        Some(Some(last.to_owned()))
    }

    fn is_catching_up(&self) -> bool {
        self.at < self.last_before
    }

    /// How many entries may be sent now.
    fn room(&self) -> usize {
        if self.is_catching_up() {
            PIECE
        } else if self.second.looked >= LOOKED_A_SECOND {
            0
        } else {
            MOST_A_SECOND.saturating_sub(self.second.sent)
        }
    }

    /// New entries, as far as there is room for them.
    async fn entries(&mut self) -> Result<String, ApiError> {
        self.commits.mark_unchanged();
        let is_catching_up = self.is_catching_up();
        let to = if is_catching_up { self.last_before } else { i64::MAX as Seq };
        let (asked, at, room) = (self.asked.clone(), self.at, self.room());
        let most = LOOKED_A_SECOND.saturating_sub(self.second.looked);
        let visibility = self.request.visibility();
        let read = move |reader: &mut DirectoryReader| {
            let mut found = Err(ApiError::from(store::Error::Interrupted));
            reader.in_one_snapshot(|reader| {
                found = new_entries(reader, &asked, (at, to), room, most, visibility);
            });
            Ok(found)
        };
        let found = reads::JOURNAL_TAIL.run(&self.request.shared.readers, read).await??;
        (self.at, self.is_behind) = (found.at, found.is_behind);
        self.is_due = found.is_behind || is_catching_up;
        if !is_catching_up {
            self.second.sent += found.count;
            self.second.looked += found.looked;
            self.next_read = Instant::now() + PAUSE;
        }
        Ok(found.text)
    }

    /// The end of a second: what was passed over, and the rates.
    async fn rate(&mut self) -> Result<String, ApiError> {
        let mut text = String::new();
        let is_full = self.is_due && self.room() == 0;
        if !self.is_catching_up() && (self.is_behind || is_full) {
            let last = |reader: &mut DirectoryReader| reader.last_entry_seq();
            let last = reads::JOURNAL_TAIL.run(&self.request.shared.readers, last).await?;
            text = skipped(last, last.saturating_sub(self.at));
            (self.at, self.is_behind) = (self.at.max(last), false);
        }
        let (now, counts) = (Instant::now(), self.asked.deliveries(&self.request.shared));
        text.push_str(&event(self.at, "rate", &to_json(&counts.since(self.second.before))));
        self.second = Second { began: now, sent: 0, looked: 0, before: counts };
        Ok(text)
    }
}

/// The entries behind `at` and up to `to`: at most `room` of them, after a look at no more than `most`.
fn new_entries(
    reader: &DirectoryReader,
    asked: &JournalRequest,
    (at, to): (Seq, Seq),
    room: usize,
    most: usize,
    visibility: Visibility,
) -> Result<NewEntries, ApiError> {
    let last = reader.last_entry_seq()?.min(to);
    let span = EntrySpan { from: at + 1, to: last, ..EntrySpan::default() };
    let query = EntryQuery { span, oldest_first: true, ..asked.resolve_coming(reader)? };
    let page = reader.scan_entries(&query, room, most)?;
    let bodies = reader.describe_bodies(&page.entries)?;
    let text = |(entry, body): (&Entry, &BodySummary)| {
        let shown = EntryAnswer::new(entry, body, visibility);
        event(entry.seq, "entry", &to_json(&shown))
    };
    Ok(NewEntries {
        text: page.entries.iter().zip(&bodies).map(text).collect(),
        count: page.entries.len(),
        looked: page.looked,
        at: page.next.as_ref().map_or(last.max(at), |next| next.last()),
        is_behind: page.next.is_some(),
    })
}
