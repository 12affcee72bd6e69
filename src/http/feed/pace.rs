//! Webhooks go first: their sender gives up after a while, a follower does not.
//!
//! Each page costs the processor about the same whoever reads it, so a hundred followers at the heels of a
//! directory that changes all the time could take most of it. Streams therefore read one page at a time,
//! all together, and rest between two as long as something waits to be stored.

use std::future::Future;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// So many times as long as a page took, no other is read while something waits to be stored.
const REST: u32 = 9;

/// The longest rest, so that a page that took long on a busy machine does not hold up the next for long.
const LONGEST_REST: Duration = Duration::from_millis(20);

/// The turns of the streams, in the order in which they ask.
#[derive(Default)]
pub(super) struct Pace(Mutex<Option<Instant>>);

impl Pace {
    /// Reads a page when it is this stream's turn. `busy` tells whether something waits to be stored.
    pub(super) async fn page<T>(&self, busy: impl Fn() -> bool, read: impl Future<Output = T>) -> T {
        let mut next = self.0.lock().await;
        if let Some(next) = next.filter(|_| busy()) {
            sleep_until(next).await;
        }
        let began = Instant::now();
        let page = read.await;
        *next = Some(Instant::now() + (began.elapsed() * REST).min(LONGEST_REST));
        page
    }
}
