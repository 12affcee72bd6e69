//! Adds entries to the audit log that tell of no change of the directory: sign-ins, exports, reloads, refusals.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time::sleep;

use super::queue::{Queue, SubmitError};
use crate::clock::now_ms;
use crate::request_context::RequestContext;
use crate::store::{Actor, AuditAction, AuditEntry, AuditOutcome, How};

/// Refusals that may have an entry at once, and the time after which there may be one more.
const REFUSALS: u32 = 60;
const ONE_MORE: Duration = Duration::from_secs(6);

/// How long after the first refusal without an entry their number is written.
const COUNTED_AFTER: Duration = Duration::from_secs(60);

/// Adds entries to the audit log. A clone shares the bound of refusals.
#[derive(Clone, Debug)]
pub struct AuditLog {
    queue: Queue,
    refusals: Arc<Mutex<RefusalBudget>>,
    /// Where entries are written that nobody waits for: what they tell may end on any thread.
    tasks: Handle,
}

impl AuditLog {
    /// Over the queue of the worker, in the runtime of the caller.
    pub fn new(queue: Queue) -> Self {
        let refusals = Arc::new(Mutex::new(RefusalBudget::new(Instant::now())));
        Self { queue, refusals, tasks: Handle::current() }
    }

    /// Resolves once an entry is on disk.
    ///
    /// # Errors
    /// It may not be stored; what it tells must not be done.
    pub async fn add(&self, entry: AuditEntry) -> Result<(), SubmitError> {
        self.queue.submit_audit(vec![entry]).await
    }

    /// Adds an entry of something that has been done. A failure is logged.
    pub fn add_later(&self, entry: AuditEntry) {
        let (log, request) = (self.clone(), RequestContext::current());
        self.tasks.spawn(request.cover(async move { log.add_or_log(entry).await }));
    }

    /// Adds what was done without a request, or failed.
    pub fn add_unasked(&self, how: How, action: AuditAction, is_done: bool) {
        let outcome = if is_done { AuditOutcome::Done } else { AuditOutcome::Failed };
        self.add_later(AuditEntry { outcome, ..AuditEntry::of(now_ms(), &Actor::unnamed(how), action) });
    }

    async fn add_or_log(&self, entry: AuditEntry) {
        let action = entry.action.as_str();
        if let Err(error) = self.add(entry).await {
            tracing::error!(%error, action, "an entry of the audit log ({action}) may not be stored: {error}");
        }
    }

    /// Adds an entry of a refusal. Of many in a short time, only the first have an entry; the others are counted, and
    /// one entry has their number.
    pub fn add_refusal(&self, entry: AuditEntry) {
        let entry = AuditEntry { outcome: AuditOutcome::Refused, ..entry };
        let taken = self.budget(|budget| budget.take(Instant::now()));
        match taken {
            Budgeted::Entry => self.add_later(entry),
            Budgeted::FirstLeftOut => {
                let log = self.clone();
                self.tasks.spawn(async move {
                    sleep(COUNTED_AFTER).await;
                    log.count_left_out().await;
                });
            }
            Budgeted::LeftOut => {}
        }
    }

    /// Writes the number of the refusals that have no entry, if there are any.
    pub async fn count_left_out(&self) {
        let left_out = self.budget(RefusalBudget::end_count);
        if left_out > 0 {
            let nobody = Actor::unnamed(How::Nothing);
            let entry = AuditEntry::of(now_ms(), &nobody, AuditAction::LeftOut);
            let outcome = AuditOutcome::Refused;
            self.add_or_log(AuditEntry { count: Some(left_out), outcome, ..entry }).await;
        }
    }

    fn budget<T>(&self, of: impl FnOnce(&mut RefusalBudget) -> T) -> T {
        of(&mut self.refusals.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Which refusals have an entry.
#[derive(Debug)]
struct RefusalBudget {
    /// How many may have one now.
    left: u32,
    since: Instant,
    left_out: u64,
}

/// What becomes of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Budgeted {
    Entry,
    /// It is counted, and begins the count.
    FirstLeftOut,
    /// It is counted.
    LeftOut,
}

impl RefusalBudget {
    fn new(now: Instant) -> Self {
        Self { left: REFUSALS, since: now, left_out: 0 }
    }

    fn take(&mut self, now: Instant) -> Budgeted {
        let more = now.saturating_duration_since(self.since).as_millis() / ONE_MORE.as_millis();
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        if more > 0 {
            self.left = self.left.saturating_add(more).min(REFUSALS);
            self.since = now;
        }
        if self.left > 0 {
            self.left -= 1;
            return Budgeted::Entry;
        }
        self.left_out += 1;
        if self.left_out == 1 { Budgeted::FirstLeftOut } else { Budgeted::LeftOut }
    }

    /// The refusals that were left out since the last count.
    fn end_count(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_flood_of_refusals_the_first_have_an_entry_and_the_others_are_counted() {
        let begin = Instant::now();
        let mut budget = RefusalBudget::new(begin);
        let taken: Vec<Budgeted> = (0..1000).map(|_| budget.take(begin)).collect();
        let of = |kind: Budgeted| taken.iter().filter(|taken| **taken == kind).count();
        assert_eq!([Budgeted::Entry, Budgeted::FirstLeftOut, Budgeted::LeftOut].map(of), [60, 1, 939]);
        assert_eq!(budget.take(begin + ONE_MORE / 2), Budgeted::LeftOut);
        assert_eq!((budget.end_count(), budget.end_count()), (941, 0));
        assert_eq!(budget.take(begin + ONE_MORE), Budgeted::Entry, "a little later there is room for one");
        assert_eq!(budget.take(begin + ONE_MORE), Budgeted::FirstLeftOut);
        let day = (0..24 * 60 * 60).filter(|second| {
            let now = begin + ONE_MORE * 2 + Duration::from_secs(*second);
            budget.take(now) == Budgeted::Entry
        });
        assert!(day.count() <= 24 * 60 * 10, "ten a minute");
    }
}
