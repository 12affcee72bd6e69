//! The change feed as server-sent events.
//!
//! A follower pulls: a page is read from the database when the connection has room for it, so a slow one
//! costs a page of memory and nobody's time. Nothing is queued for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::stream::unfold;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::cursors::{ChangeCursor, FeedCursor, SnapshotCursor};
use super::envelope::Envelope;
use super::pages::{SnapshotPage, read_changes};
use super::request::FeedRequest;
use super::state::FollowerGuard;
use super::throttle::WriteLoad;
use crate::domain::AppId;
use crate::http::answers;
use crate::http::api_request::ApiRequest;
use crate::http::error::{ApiError, json};
use crate::http::state::HttpState;
use crate::store::Changed;

/// What goes out when nothing else has for a while, so that nobody in between gives up.
const HEARTBEAT: &str = ":\n\n";

/// What a stream begins with: how long to wait before a broken one is taken up again, in ms.
const BEGIN: &str = "retry: 2000\n\n";

/// What a stream ends with when the service stops.
const GOODBYE: &str = ": shutting down; come again\n\n";

/// What a stream ends with when it has lived long enough.
const PARTING: &str = ": come again\n\n";

/// Answers with the stream. `Last-Event-ID`, which a browser sends when it comes again, goes before the
/// query: it is a change, or a place in the snapshot.
pub(super) async fn open(request: ApiRequest, asked: FeedRequest) -> Result<Response, ApiError> {
    let from = match request.headers.get("last-event-id") {
        Some(id) => place(id)?,
        None => asked.from,
    };
    let (shared, app) = (request.shared, request.caller.app);
    // Refused while there is still a status to say so with.
    match &from {
        FeedCursor::Change(since) => drop(read_changes(&shared, &app, *since, 0).await?),
        FeedCursor::Snapshot(place) => drop(SnapshotPage::read(&shared, &app, place.clone(), 0).await?),
    }
    let follower = Follower {
        _counted: FollowerGuard::begin(&shared.metrics),
        commits: shared.commits.subscribe(),
        draining: shared.draining.subscribe(),
        begun: false,
        at: Some(from),
        until: Instant::now() + life(shared.feed.stream_life),
        limit: asked.limit,
        envelope: asked.envelope,
        types: asked.types,
        shared,
        app,
    };
    let chunks = unfold(follower, |mut follower| async {
        let chunk = follower.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(chunk)), follower))
    });
    let mut response = json(StatusCode::OK, Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn place(id: &HeaderValue) -> Result<FeedCursor, ApiError> {
    let text = id.to_str().unwrap_or("");
    match SnapshotCursor::read(text) {
        Some(after) => Ok(FeedCursor::Snapshot(Some(after))),
        None => ChangeCursor::read(text).map(FeedCursor::Change),
    }
}

/// Up to a tenth less than the longest life, so that streams which began together do not end together.
fn life(longest: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or_default() % 100;
    longest - longest / 1000 * random
}

struct Follower {
    _counted: FollowerGuard,
    shared: Arc<HttpState>,
    app: AppId,
    commits: watch::Receiver<u64>,
    draining: watch::Receiver<bool>,
    begun: bool,
    /// Nowhere once the stream has ended.
    at: Option<FeedCursor>,
    /// When it ends, to be taken up again: by then its credential may not be good any more, and there may
    /// be a better way to it.
    until: Instant,
    limit: usize,
    envelope: Envelope,
    /// Events have their kinds as types; else they are plain messages.
    types: bool,
}

impl Follower {
    /// What is to be sent next, as soon as there is something; nothing at the end of the stream.
    async fn next(&mut self) -> Option<String> {
        let at = self.at.clone()?;
        if !std::mem::replace(&mut self.begun, true) {
            return Some(BEGIN.to_owned());
        }
        if *self.draining.borrow() {
            return self.end(GOODBYE.to_owned());
        }
        if Instant::now() >= self.until {
            return self.end(PARTING.to_owned());
        }
        match at {
            FeedCursor::Snapshot(place) => self.snapshot(place).await,
            FeedCursor::Change(since) => self.changes(since).await,
        }
    }

    fn storing(&self) -> WriteLoad {
        WriteLoad { commits: self.shared.commits.count(), waiting: self.shared.queue.bytes() > 0 }
    }

    fn end(&mut self, last: String) -> Option<String> {
        self.at = None;
        Some(last)
    }

    fn event(&self, id: &str, kind: &str, data: &str) -> String {
        if self.types {
            format!("id: {id}\nevent: {kind}\ndata: {data}\n\n")
        } else {
            format!("id: {id}\ndata: {data}\n\n")
        }
    }

    async fn snapshot(&mut self, place: Option<SnapshotCursor>) -> Option<String> {
        let told = async {
            let is_first = place.is_none();
            let page = SnapshotPage::read(&self.shared, &self.app, place, self.limit).await?;
            let mut text = String::new();
            if is_first {
                text = self.event(&page.from.cursor(), "begin", &self.envelope.begin(&page.from));
            }
            for user in &page.users {
                let id = page.after(user).cursor();
                text.push_str(&self.event(&id, "user", &self.envelope.user(&id, user)));
            }
            let next = page.next().map(|after| FeedCursor::Snapshot(Some(after)));
            let next = next.unwrap_or_else(|| {
                let data = self.envelope.follow(&page.from);
                text.push_str(&self.event(&page.from.next(), "follow", &data));
                FeedCursor::Change(page.from.since())
            });
            Ok((text, next))
        };
        match self.shared.feed.pace.page(|| self.storing(), told).await {
            Ok((text, next)) => {
                self.at = Some(next);
                Some(text)
            }
            Err(error) => self.broken(&error),
        }
    }

    async fn changes(&mut self, since: ChangeCursor) -> Option<String> {
        // However often other apps wake it meanwhile.
        let heartbeat = Instant::now() + self.shared.feed.heartbeat;
        loop {
            self.commits.mark_unchanged();
            let told = async {
                let page = read_changes(&self.shared, &self.app, since, self.limit).await?;
                let epoch = page.epoch.epoch;
                let event = |changed: &Changed| {
                    let kind = changed.change.kind.as_str();
                    let data = self.envelope.change(epoch, changed);
                    self.event(&ChangeCursor::name(epoch, changed.seq), kind, &data)
                };
                let text: String = page.changes.iter().map(event).collect();
                let since = |last: &Changed| ChangeCursor { epoch: Some(epoch), seq: last.seq };
                Ok(page.changes.last().map(|last| (text, since(last))))
            };
            match self.shared.feed.pace.page(|| self.storing(), told).await {
                Ok(Some((text, last))) => {
                    self.at = Some(FeedCursor::Change(last));
                    return Some(text);
                }
                Ok(None) => {}
                Err(error) => return self.broken(&error),
            }
            tokio::select! {
                _ = self.commits.changed() => {}
                _ = self.draining.wait_for(|draining| *draining) => {}
                () = sleep_until(heartbeat) => return Some(HEARTBEAT.to_owned()),
                () = sleep_until(self.until) => {}
            }
            if *self.draining.borrow() {
                return self.end(GOODBYE.to_owned());
            }
            if Instant::now() >= self.until {
                return self.end(PARTING.to_owned());
            }
        }
    }

    /// The stream ends with what went wrong: `gone` for whoever was so slow that the changes to go on from
    /// are not kept any more. Whoever comes again is told the same with its status.
    fn broken(&mut self, error: &ApiError) -> Option<String> {
        let last = match error.oldest() {
            Some((oldest, epoch)) => {
                let epoch = epoch.map(|epoch| epoch.to_string());
                LastEvent { kind: "gone", oldest: Some(oldest), epoch, code: None }
            }
            None => LastEvent { kind: "end", oldest: None, epoch: None, code: Some(error.code()) },
        };
        // Without an id: the cursor of the follower stays as it was.
        let typed = if self.types { format!("event: {}\n", last.kind) } else { String::new() };
        self.end(format!("{typed}data: {}\n\n", answers::text(&last)))
    }
}

/// The data of the event that ends a stream after an error.
#[derive(Serialize)]
struct LastEvent {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}
