//! Gives webhooks priority over followers: a sender gives up after a while, a follower does not.
//!
//! A page costs about the same processor time for every follower, so a hundred followers of a busy
//! directory could take most of it. Streams therefore read one page at a time, all together, and pause
//! between two while commits are under way.

use std::future::Future;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::ingest::commit_notifier::CommitNotifier;
use crate::ingest::queue::Queue;

/// The pause after a page while commits are under way, as a multiple of the time that the page took.
const PAUSE_FACTOR: u32 = 9;

/// The longest pause, so that one slow page does not delay the next for long.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// The queue of the streams, first come, first served.
#[derive(Default)]
pub(in crate::http) struct Throttle(Mutex<LastPage>);

/// The page that was read last.
#[derive(Default)]
struct LastPage {
    /// The end of the pause after it.
    rest: Option<Instant>,
    /// The number of commits before it.
    commits: u64,
}

impl Throttle {
    /// Reads a page when it is this stream's turn.
    pub(super) async fn page<T>(
        &self,
        commits: &CommitNotifier,
        queue: &Queue,
        read: impl Future<Output = T>,
    ) -> T {
        let mut last = self.0.lock().await;
        let is_storing = queue.bytes() > 0 || commits.count() != last.commits;
        // Streams woken by the same commit read without a pause.
        if let Some(rest) = last.rest.filter(|_| is_storing) {
            sleep_until(rest).await;
        }
        let (began, commits) = (Instant::now(), commits.count());
        let page = read.await;
        *last = LastPage {
            rest: Some(Instant::now() + (began.elapsed() * PAUSE_FACTOR).min(LONGEST_PAUSE)),
            commits,
        };
        page
    }
}
