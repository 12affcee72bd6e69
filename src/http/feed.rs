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
mod pages;
mod request;
pub(super) mod state;
mod stream;
mod throttle;

use axum::response::Response;
use tokio::time::{Instant, sleep_until};

use super::accept::accepts;
use super::api_request::ApiRequest;
use super::error::ApiError;
use cursors::{ChangeCursor, FeedCursor};
use pages::{SnapshotPage, read_changes};
use request::{FeedRequest, STREAM};
use state::FollowerGuard;

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
        let page = read_changes(&request.shared, &request.caller.app, since, asked.limit).await?;
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
