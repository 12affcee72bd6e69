//! The change feed as server-sent events.
//!
//! A follower pulls: a page is read from the database when the connection has room for it. A slow
//! follower costs a page of memory and no queue.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::HeaderValue;
use axum::response::Response;
use futures_util::stream::unfold;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::audited::FEED;
use super::cursors::{ChangeCursor, FeedCursor, SnapshotCursor};
use super::envelope::Envelope;
use super::pages::{FollowerGuard, SnapshotPage, read_changes};
use super::request::FeedRequest;
use crate::directory::feed::FeedChange;
use crate::domain::AppId;
use crate::http::api_request::ApiRequest;
use crate::http::audit::AuditedExport;
use crate::http::error::ApiError;
use crate::http::event_stream::{BEGIN, END_COMMENT, STOP_COMMENT, last_event, respond, stream_lifetime};
use crate::http::state::HttpState;

/// The heartbeat of a silent stream, so that no proxy closes it.
const HEARTBEAT: &str = ":\n\n";

/// Answers with the stream. `Last-Event-ID`, which a browser sends on reconnect, takes precedence over
/// the query: it is a change or a position in the snapshot.
pub(super) async fn open(request: ApiRequest, asked: FeedRequest) -> Result<Response, ApiError> {
    let from = match request.headers.get("last-event-id") {
        Some(id) => place(id, &request.caller.app)?,
        None => asked.from,
    };
    let (shared, app) = (request.shared.clone(), request.caller.app.clone());
    // A refusal still has a status here.
    match &from {
        FeedCursor::Change(since) => drop(read_changes(&shared, &app, *since, 0).await?),
        FeedCursor::Snapshot(place) => drop(SnapshotPage::read(&shared, &app, place.clone(), 0).await?),
    }
    let mut audited =
        AuditedExport::begin(&request.shared.audit, request.reading_operator(), Some(&app), FEED).await?;
    if let FeedCursor::Change(_) = from {
        // Whatever is sent of the changes is whole.
        audited.iter_mut().for_each(AuditedExport::finish);
    }
    let follower = Follower {
        audited,
        _counted: FollowerGuard::begin(&shared.metrics),
        commits: shared.commits.subscribe(),
        draining: shared.draining.subscribe(),
        begun: false,
        at: Some(from),
        until: Instant::now() + stream_lifetime(shared.settings.feed.stream_life),
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
    Ok(respond(chunks))
}

fn place(id: &HeaderValue, app: &AppId) -> Result<FeedCursor, ApiError> {
    let text = id.to_str().unwrap_or("");
    match SnapshotCursor::read(text, app)? {
        Some(after) => Ok(FeedCursor::Snapshot(Some(after))),
        None => ChangeCursor::read(text).map(FeedCursor::Change),
    }
}

struct Follower {
    /// Of an operator: the entry in the audit log.
    audited: Option<AuditedExport>,
    _counted: FollowerGuard,
    shared: Arc<HttpState>,
    app: AppId,
    commits: watch::Receiver<u64>,
    draining: watch::Receiver<bool>,
    begun: bool,
    /// None once the stream has ended.
    at: Option<FeedCursor>,
    /// The end of its lifetime. A reconnect checks the credential again and may take a better route.
    until: Instant,
    limit: usize,
    envelope: Envelope,
    /// Events have their kinds as types; else they are plain messages.
    types: bool,
}

impl Follower {
    /// The next bytes, once there are some; none at the end of the stream.
    async fn next(&mut self) -> Option<String> {
        if !std::mem::replace(&mut self.begun, true) {
            return Some(BEGIN.to_owned());
        }
        // The deadline holds however often other apps wake the stream.
        let heartbeat = Instant::now() + self.shared.settings.feed.heartbeat;
        loop {
            let at = self.at.clone()?;
            if *self.draining.borrow() {
                return self.end(STOP_COMMENT.to_owned());
            }
            if Instant::now() >= self.until {
                return self.end(END_COMMENT.to_owned());
            }
            let since = match at {
                FeedCursor::Snapshot(place) => return self.snapshot(place).await,
                FeedCursor::Change(since) => since,
            };
            self.commits.mark_unchanged();
            if let Some(text) = self.changes(since).await {
                return Some(text);
            }
            tokio::select! {
                _ = self.commits.changed() => {}
                _ = self.draining.wait_for(|draining| *draining) => {}
                () = sleep_until(heartbeat) => return Some(HEARTBEAT.to_owned()),
                () = sleep_until(self.until) => {}
            }
        }
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
            let events = self.envelope.snapshot_events(&page).into_iter();
            let events = events.filter(|(_, kind, _)| is_first || *kind != "begin");
            let text: String = events.map(|(id, kind, data)| self.event(&id, kind, &data)).collect();
            let next = match page.next() {
                Some(after) => FeedCursor::Snapshot(Some(after)),
                None => FeedCursor::Change(page.from.since()),
            };
            Ok((text, page.users.len(), next))
        };
        let (commits, queue) = (&self.shared.commits, &self.shared.queue);
        match self.shared.feed_throttle.page(commits, queue, told).await {
            Ok((text, count, next)) => {
                let is_end = matches!(next, FeedCursor::Change(_));
                self.audit(count, is_end);
                self.at = Some(next);
                Some(text)
            }
            Err(error) => self.end_with_error(&error),
        }
    }

    /// The changes after `since`; none if there are none yet.
    async fn changes(&mut self, since: ChangeCursor) -> Option<String> {
        let told = async {
            let page = read_changes(&self.shared, &self.app, since, self.limit).await?;
            let epoch = page.epoch.epoch;
            let event = |changed: &FeedChange| {
                let kind = changed.change.kind.as_str();
                let data = self.envelope.change(epoch, changed);
                self.event(&ChangeCursor::name(epoch, changed.seq), kind, &data)
            };
            let text: String = page.changes.iter().map(event).collect();
            let since = |last: &FeedChange| ChangeCursor { epoch: Some(epoch), seq: last.seq };
            Ok(page.changes.last().map(|last| (text, page.changes.len(), since(last))))
        };
        let (commits, queue) = (&self.shared.commits, &self.shared.queue);
        match self.shared.feed_throttle.page(commits, queue, told).await {
            Ok(page) => {
                let (text, count, last) = page?;
                self.audit(count, false);
                self.at = Some(FeedCursor::Change(last));
                Some(text)
            }
            Err(error) => self.end_with_error(&error),
        }
    }

    /// Counts app users for the audit log; at the end of the snapshot nothing is missing any more.
    fn audit(&mut self, count: usize, is_whole: bool) {
        if let Some(audited) = &mut self.audited {
            audited.count(count);
            if is_whole {
                audited.finish();
            }
        }
    }

    /// Ends the stream with the error: `gone` if the follower was so slow that the changes after its
    /// cursor are deleted.
    fn end_with_error(&mut self, error: &ApiError) -> Option<String> {
        self.end(last_event(error, self.types))
    }
}
