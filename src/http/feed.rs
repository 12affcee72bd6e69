//! The change feed: everything that happened to the app users of an app, in order, and what a
//! follower who knows nothing begins with.
//!
//! The rules of a follower are in `docs/api.md`. An `appUser` is shown as it is when it is read, so it may be
//! ahead of its change, never behind it: a follower that has applied all changes has the directory.
//!
//! The snapshot is read a page at a time while the directory changes. It names the change from which the
//! follower then goes on, the last one told before its first page: whatever a page shows too late or not at
//! all is in a later change.
//!
//! Numbers belong to an epoch (`store/epoch.rs`). A follower gets both as one text and gives it back, so a
//! follower of another epoch is recognised and has to begin again.

mod cursors;
mod envelope;
mod stream;
mod throttle;

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, header};
use axum::response::Response;
use tokio::time::{Instant, sleep_until};

use super::api_request::ApiRequest;
use super::error::ApiError;
use super::parameters::limit;
use super::{HttpState, reads};
use crate::domain::{AppId, View};
use crate::metrics::Metrics;
use crate::store::sqlite::SqliteReader;
use crate::store::{Changes, Reader};
use cursors::{ChangeCursor, FeedCursor, SnapshotCursor};
use envelope::Envelope;
use throttle::Throttle;

const DEFAULT_LIMIT: usize = 100;
const MOST: usize = 1000;
/// How a stream is asked for.
const STREAM: &str = "text/event-stream";
/// The longest wait for a change, in s.
const LONGEST_WAIT: u64 = 60;

/// GET `…/changes`: what changed after the change `since`, by default everything; the next page is that
/// since `next`. `limit` is 1 to 1000, by default 100, and a page of large app users has fewer. `wait` is
/// how long to wait for a change if there is none yet: 0 to 60 s. With `snapshot=true` all app users, a
/// page `after` the other, and in `next` where to go on once they are read. 410 for a `since` that the feed
/// cannot go on after, with the `oldest` change that is kept and the `epoch`.
///
/// With `Accept: text/event-stream` the same as a stream; with `Accept: application/cloudevents-batch+json`, or
/// `envelope=cloudevents`, each change as a CloudEvent.
pub(super) async fn changes(request: ApiRequest) -> Result<Response, ApiError> {
    request.caller.must_be_app()?;
    let asked = FeedRequest::read(&request)?;
    if accepts(&request.headers, STREAM) {
        return stream::open(request, asked).await;
    }
    match &asked.from {
        FeedCursor::Change(since) => poll(&request, *since, &asked).await,
        FeedCursor::Snapshot(place) => {
            let page =
                SnapshotPage::read(&request.shared, &request.caller.app, place.clone(), asked.limit).await?;
            Ok(asked.envelope.snapshot(&request, &page))
        }
    }
}

async fn poll(request: &ApiRequest, since: ChangeCursor, asked: &FeedRequest) -> Result<Response, ApiError> {
    let until = Instant::now() + asked.wait;
    let _counted = FollowerGuard::begin(&request.shared.metrics);
    let mut commits = request.shared.commits.subscribe();
    let mut draining = request.shared.draining.subscribe();
    loop {
        commits.mark_unchanged();
        let page = read(&request.shared, &request.caller.app, since, asked.limit).await?;
        if !page.changes.is_empty() || Instant::now() >= until || *draining.borrow() {
            return Ok(asked.envelope.page(request, since.seq, &page));
        }
        tokio::select! {
            _ = commits.changed() => {}
            _ = draining.wait_for(|draining| *draining) => {}
            () = sleep_until(until) => {}
        }
    }
}

/// The changes after `since`, if the feed can go on after it.
async fn read(
    shared: &HttpState,
    app: &AppId,
    since: ChangeCursor,
    limit: usize,
) -> Result<Changes, ApiError> {
    let of = app.clone();
    let page = reads::CHANGES.run(shared, move |reader| reader.changes(&of, since.seq, limit)).await?;
    shared.presence.mark_told();
    since.check(&page).map(|()| page)
}

/// A page of the snapshot.
struct SnapshotPage {
    /// Where it begins.
    from: SnapshotCursor,
    users: Vec<View>,
    more: bool,
}

impl SnapshotPage {
    async fn read(
        shared: &HttpState,
        app: &AppId,
        place: Option<SnapshotCursor>,
        limit: usize,
    ) -> Result<Self, ApiError> {
        let app = app.clone();
        let read = move |reader: &mut SqliteReader| {
            // The number first: what changes between the two is told again, and nothing is missed.
            let feed = reader.changes(&app, 0, 0)?;
            let start = || SnapshotCursor { epoch: feed.epoch.epoch, seq: feed.last, id: String::new() };
            let from = place.unwrap_or_else(start);
            let mut users = reader.list(&app, from.id(), limit + 1)?;
            let more = users.len() > limit;
            users.truncate(limit);
            Ok((Self { from, users, more }, feed))
        };
        let (page, feed) = reads::SNAPSHOT.run(shared, read).await?;
        shared.presence.mark_told();
        // A follower that reads so slowly that what follows is not kept any more need not read on.
        page.from.since().check(&feed).map(|()| page)
    }

    /// The place after an app user of the page.
    fn after(&self, user: &View) -> SnapshotCursor {
        SnapshotCursor { id: user.id.as_str().to_owned(), ..self.from.clone() }
    }

    /// Where the next page begins, if there is one.
    fn next(&self) -> Option<SnapshotCursor> {
        self.users.last().filter(|_| self.more).map(|last| self.after(last))
    }
}

/// What a follower asks for.
struct FeedRequest {
    from: FeedCursor,
    limit: usize,
    wait: Duration,
    envelope: Envelope,
    /// The events of a stream have their kinds as types.
    types: bool,
}

impl FeedRequest {
    fn read(request: &ApiRequest) -> Result<Self, ApiError> {
        let mut envelope = accepts(&request.headers, envelope::BATCH);
        let (mut since, mut snapshot, mut after, mut types) = (None, false, None, None);
        let (mut size, mut wait) = (DEFAULT_LIMIT, None);
        for (key, value) in &request.query {
            match key.as_str() {
                "since" => since = Some(ChangeCursor::read(value)?),
                "limit" => size = limit(key, value, MOST)?,
                "wait" => wait = Some(seconds(value)?),
                "snapshot" => snapshot = truth(key, value)?,
                "types" => types = Some(truth(key, value)?),
                "envelope" if value == "cloudevents" => envelope = true,
                "envelope" => return Err(ApiError::bad_request("envelope may be cloudevents")),
                "after" => after = Some(SnapshotCursor::read(value).ok_or_else(not_a_cursor)?),
                // What the call does not know was refused before.
                _ => {}
            }
        }
        let from = match (since, snapshot, after) {
            (since, false, None) => FeedCursor::Change(since.unwrap_or_default()),
            (None, true, after) => FeedCursor::Snapshot(after),
            (Some(_), true, _) => return Err(ApiError::bad_request("since and snapshot exclude each other")),
            (_, false, Some(_)) => return Err(ApiError::bad_request("after is for snapshot=true")),
        };
        // What would have no effect is refused: its caller believes that it has.
        if types.is_some() && !accepts(&request.headers, STREAM) {
            return Err(ApiError::bad_request(format!("types is for a stream: ask with Accept: {STREAM}")));
        }
        if wait.is_some() && snapshot {
            let why =
                "wait is for changes: a snapshot is there at once, so wait and snapshot exclude each other";
            return Err(ApiError::bad_request(why));
        }
        let (wait, types) = (wait.unwrap_or(0), types.unwrap_or(true));
        let envelope = Envelope::new(envelope, &request.caller.app);
        Ok(Self { from, limit: size, wait: Duration::from_secs(wait), envelope, types })
    }
}

fn seconds(value: &str) -> Result<u64, ApiError> {
    let wait = value.parse().ok().filter(|wait| *wait <= LONGEST_WAIT);
    wait.ok_or_else(|| ApiError::bad_request(format!("wait must be from 0 to {LONGEST_WAIT} seconds")))
}

fn truth(key: &str, value: &str) -> Result<bool, ApiError> {
    value.parse().map_err(|_| ApiError::bad_request(format!("{key} must be true or false")))
}

fn not_a_cursor() -> ApiError {
    ApiError::bad_request("after is not a cursor of the snapshot")
}

/// Whether a kind of answer is among those that are asked for.
fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = accepted.flat_map(|value| value.split(','));
    kinds.any(|kind| kind.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case(wanted))
}

/// What all followers share.
pub(super) struct FeedState {
    pace: Arc<Throttle>,
    heartbeat: Duration,
    stream_life: Duration,
}

impl FeedState {
    pub(super) fn new(settings: &crate::config::FeedSettings) -> Self {
        Self { pace: Arc::default(), heartbeat: settings.heartbeat, stream_life: settings.stream_life }
    }

    /// The same with other settings, for followers that begin from now on.
    pub(super) fn again(&self, settings: &crate::config::FeedSettings) -> Self {
        Self { pace: self.pace.clone(), ..Self::new(settings) }
    }
}

/// A follower, counted while it is there.
struct FollowerGuard(Arc<Metrics>);

impl FollowerGuard {
    fn begin(metrics: &Arc<Metrics>) -> Self {
        metrics.feed_readers.inc();
        Self(metrics.clone())
    }
}

impl Drop for FollowerGuard {
    fn drop(&mut self) {
        self.0.feed_readers.dec();
    }
}
