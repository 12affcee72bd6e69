//! Pages of the feed, read from the database: changes and the snapshot. Counts who reads them.

use std::sync::Arc;

use super::cursors::{ChangeCursor, SnapshotCursor};
use crate::directory::DirectoryReader;
use crate::directory::feed::FeedPage;
use crate::domain::{AppId, View};
use crate::http::error::ApiError;
use crate::http::reads;
use crate::http::state::HttpState;
use crate::metrics::Metrics;

/// Counts a follower for as long as it is connected.
pub(super) struct FollowerGuard(Arc<Metrics>);

impl FollowerGuard {
    pub(super) fn begin(metrics: &Arc<Metrics>) -> Self {
        metrics.feed_readers.inc();
        Self(metrics.clone())
    }
}

impl Drop for FollowerGuard {
    fn drop(&mut self) {
        self.0.feed_readers.dec();
    }
}

/// The changes after `since`, if the feed can continue after it.
pub(super) async fn read_changes(
    shared: &HttpState,
    app: &AppId,
    since: ChangeCursor,
    limit: usize,
) -> Result<FeedPage, ApiError> {
    let of = app.clone();
    let page =
        reads::CHANGES.run(&shared.readers, move |reader| reader.read_changes(&of, since.seq, limit)).await?;
    shared.presence.mark_told();
    since.check(&page).map(|()| page)
}

pub(super) struct SnapshotPage {
    /// The position of its first app user.
    pub(super) from: SnapshotCursor,
    pub(super) users: Vec<View>,
    pub(super) more: bool,
}

impl SnapshotPage {
    pub(super) async fn read(
        shared: &HttpState,
        app: &AppId,
        place: Option<SnapshotCursor>,
        limit: usize,
    ) -> Result<Self, ApiError> {
        let app = app.clone();
        let read = move |reader: &mut DirectoryReader| {
            // The number first: a change between the two reads is sent again, and none is missed.
            let feed = reader.read_changes(&app, 0, 0)?;
            let start = || {
                let (epoch, seq) = (feed.epoch.epoch, feed.last);
                SnapshotCursor { app: app.clone(), epoch, seq, id: String::new() }
            };
            let from = place.unwrap_or_else(start);
            let mut users = reader.list_users(&app, from.id(), limit + 1)?;
            let more = users.len() > limit;
            users.truncate(limit);
            Ok((Self { from, users, more }, feed))
        };
        let (page, feed) = reads::SNAPSHOT.run(&shared.readers, read).await?;
        shared.presence.mark_told();
        // A follower so slow that the changes after its snapshot are gone from the feed stops here.
        page.from.since().check(&feed).map(|()| page)
    }

    /// The position after an app user of the page.
    pub(super) fn after(&self, user: &View) -> SnapshotCursor {
        SnapshotCursor { id: user.id.as_str().to_owned(), ..self.from.clone() }
    }

    /// The position of the next page, if there is one.
    pub(super) fn next(&self) -> Option<SnapshotCursor> {
        self.users.last().filter(|_| self.more).map(|last| self.after(last))
    }
}
