//! Webhooks go first: their sender gives up after a while, a follower does not.
//!
//! Each page costs the processor about the same whoever reads it, so a hundred followers at the heels of a
//! directory that changes all the time could take most of it. Streams therefore read one page at a time,
//! all together, and rest between two as long as something is being stored.

use std::future::Future;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// So many times as long as a page took, no other is read while something is being stored.
const REST: u32 = 9;

/// The longest rest, so that a page that took long on a busy machine does not hold up the next for long.
const LONGEST_REST: Duration = Duration::from_millis(20);

/// The turns of the streams, in the order in which they ask.
#[derive(Default)]
pub(super) struct Throttle(Mutex<LastPage>);

/// The page that was read last.
#[derive(Default)]
struct LastPage {
    /// Until when to rest after it.
    rest: Option<Instant>,
    /// The commits before it.
    commits: u64,
}

/// What is being stored.
pub(super) struct WriteLoad {
    /// How many commits there were.
    pub(super) commits: u64,
    /// Something waits for one.
    pub(super) waiting: bool,
}

impl Throttle {
    /// Reads a page when it is this stream's turn.
    pub(super) async fn page<T>(&self, storing: impl Fn() -> WriteLoad, read: impl Future<Output = T>) -> T {
        let mut last = self.0.lock().await;
        let now = storing();
        // Everybody who is woken by one commit reads at once.
        if let Some(rest) = last.rest.filter(|_| now.waiting || now.commits != last.commits) {
            sleep_until(rest).await;
        }
        let (began, commits) = (Instant::now(), storing().commits);
        let page = read.await;
        *last = LastPage { rest: Some(Instant::now() + (began.elapsed() * REST).min(LONGEST_REST)), commits };
        page
    }
}
