//! The change feed: all changes of an app's users, in order, and a snapshot for new followers.
//!
//! The protocol of a follower is in `docs/api.md`. An `appUser` is shown in its current state, so it may
//! be ahead of its change, never behind it: a follower that has applied all changes has the directory.
//!
//! The snapshot is read a page at a time while the directory changes. It names the change that the
//! follower continues from: the last one before its first page. A change that a page misses or shows
//! early comes after that.
//!
//! Change numbers belong to an epoch (`store/epoch.rs`). A follower receives both as one cursor and sends
//! it back, so a follower of another epoch is detected and starts again.

mod audited;
mod cursors;
mod envelope;
mod pages;
mod request;
mod stream;
pub(super) mod throttle;

use axum::response::Response;
use tokio::time::{Instant, sleep_until};

use super::accept::accepts;
use super::api_request::ApiRequest;
use super::error::ApiError;
use super::event_stream::STREAM;
use audited::audit_page;
use cursors::{ChangeCursor, FeedCursor};
use pages::{FollowerGuard, SnapshotPage, read_changes};
use request::FeedRequest;

/// GET `…/changes`: the changes after `since`, by default all; the next page is that since `next`.
/// `limit` is 1 to 1000, by default 100; a page of large app users has fewer. `wait` is the time to wait
/// for a change if there is none yet: 0 to 60 s. `snapshot=true` gives all app users in pages, each
/// `after` the one before, and in the last `next` the cursor to continue from. 410 for a `since` that the
/// feed cannot continue after, with the `oldest` retained change and the `epoch`.
///
/// `Accept: text/event-stream` gives a stream; `Accept: application/cloudevents-batch+json` or
/// `envelope=cloudevents` gives each change as a CloudEvent.
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
            audit_page(&request, page.users.len()).await?;
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
            audit_page(request, page.changes.len()).await?;
            return Ok(asked.envelope.page(request, since.seq, &page));
        }
        tokio::select! {
            _ = commits.changed() => {}
            _ = draining.wait_for(|draining| *draining) => {}
            () = sleep_until(until) => {}
        }
    }
}
