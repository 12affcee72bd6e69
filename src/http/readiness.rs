//! Whether webhooks would be stored.

use std::time::Duration;

use tokio::time::timeout;

use super::reads;
use super::state::HttpState;
use crate::domain::{AppId, SmoochId};
use crate::store::rows::RemakingProgress;

/// The time limit of the database's answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// A check of the service.
pub(super) struct ReadyCheck {
    pub(super) name: &'static str,
    /// What is wrong.
    pub(super) trouble: Option<&'static str>,
    /// What to do then.
    pub(super) remedy: &'static str,
}

/// The checks of `/readyz`.
pub(super) struct Readiness {
    pub(super) checks: [ReadyCheck; 4],
    /// Waiting deliveries.
    pub(super) depth: usize,
    pub(super) capacity: usize,
}

impl Readiness {
    pub(super) async fn of(shared: &HttpState) -> Self {
        let (depth, capacity) = (shared.queue.depth(), shared.queue.capacity());
        let look = reads::READINESS
            .run(&shared.readers, |reader| reader.find_by_id(&AppId::from(""), &SmoochId::from("")));
        let answers = matches!(timeout(ANSWERS_WITHIN, look).await, Ok(Ok(_)));
        let not_stored = match shared.presence.lost() {
            Some(_) => Some("a file of the database was moved, removed or replaced"),
            None => shared.metrics.storing_fails().then_some("the last batch could not be stored"),
        };
        let check = |name, trouble, remedy| ReadyCheck { name, trouble, remedy };
        let checks = [
            check(
                "serving",
                shared.draining.borrow().then_some("shutting down"),
                "start the service again once it has stopped",
            ),
            check(
                "queue",
                (depth * 10 > capacity * 9).then_some("the queue is nearly full"),
                "see what the disk is busy with; rollcall_store_commit_duration_seconds has the time of a commit",
            ),
            check("storing", not_stored, "see the log of the service, and the space on the disk"),
            check(
                "database",
                (!answers).then_some("the database does not answer"),
                "see the log of the service, and what the disk is busy with",
            ),
        ];
        Self { checks, depth, capacity }
    }

    /// What is wrong first of all.
    pub(super) fn trouble(&self) -> Option<&'static str> {
        self.checks.iter().find_map(|check| check.trouble)
    }
}

/// Work that does not affect readiness, each with a name and a text: derived tables that are being rebuilt, and a journal
/// that is being learned again.
pub(super) async fn work_in_progress(shared: &HttpState) -> Vec<(&'static str, String)> {
    let remaking = reads::REMAKING.run(&shared.readers, |reader| reader.read_remaking()).await;
    let remade = remaking.unwrap_or_default().into_iter();
    let remade = remade.map(|RemakingProgress { table, done, total }| {
        (table, format!("being made anew, {done} of {total}"))
    });
    let left = shared.metrics.to_relearn.get();
    let learned =
        (left > 0).then(|| ("journal", format!("being learned again by newer rules, {left} entries left")));
    remade.chain(learned).collect()
}
