//! The single writer: a thread that owns the store and commits in groups.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use async_channel::Receiver;
use hashbrown::HashSet;

use super::queue::{Delivered, Job, Receipt, Refused};
use super::walks::Walks;
use crate::domain::{AppId, Digest, Directory, Event, Fact, Key, Recent, SmoochId, TooLarge};
use crate::metrics::Metrics;
use crate::store::{Batch, Entry, Error, Keys, Outcome, Quarantined, Saved, Store, Txn};

/// Bodies beyond which a batch takes no further job, in bytes.
const BATCH_BYTES: usize = 8 << 20;

/// Bytes of detail kept with a body in quarantine.
const MOST_DETAIL: usize = 2048;

/// How a batch is put together.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most jobs in a batch.
    pub batch_jobs: usize,
    /// The most `_id`s one merged app user may have.
    pub group_members: usize,
}

/// Why a batch came to nothing.
enum Failure {
    /// Something in it cannot be applied, whenever it is tried.
    Job(String),
    /// The store cannot take it now, or not by this process.
    Store(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Unfit(detail) => Self::Job(detail),
            error => Self::Store(error),
        }
    }
}

impl From<TooLarge> for Failure {
    fn from(error: TooLarge) -> Self {
        Self::Job(error.to_string())
    }
}

/// Stores what comes until the queue is closed and empty, then closes the store.
///
/// An error means that nothing more may be acknowledged: the store is abandoned, and the process
/// must end.
pub fn run<S: Store>(
    mut store: S,
    jobs: &Receiver<Job>,
    options: &Options,
    metrics: &Metrics,
) -> Result<(), Error> {
    let ended = batches(&mut store, jobs, options, metrics);
    if ended.is_err() {
        store.abandon();
        // Whoever is still waiting is told so: a channel keeps what nobody will receive.
        jobs.close();
        while jobs.try_recv().is_ok() {}
    }
    ended
}

fn batches<S: Store>(
    store: &mut S,
    jobs: &Receiver<Job>,
    options: &Options,
    metrics: &Metrics,
) -> Result<(), Error> {
    let mut walks = Walks::default();
    while let Ok(first) = jobs.recv_blocking() {
        let mut bytes = first.delivered.body.len();
        let mut batch = vec![first];
        while batch.len() < options.batch_jobs
            && bytes < BATCH_BYTES
            && let Ok(job) = jobs.try_recv()
        {
            bytes += job.delivered.body.len();
            batch.push(job);
        }
        metrics.batch_jobs.observe(batch.len() as f64);
        handle(store, batch, &mut walks, options, metrics)?;
        match store.rest() {
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => tracing::warn!(%error, "upkeep of the database failed: {error}"),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Stores a batch; where something in it cannot be applied, each of its jobs alone; and the one
/// that cannot be applied even so, in quarantine.
fn handle<S: Store>(
    store: &mut S,
    batch: Vec<Job>,
    walks: &mut Walks,
    options: &Options,
    metrics: &Metrics,
) -> Result<(), Error> {
    let delivered: Vec<&Delivered> = batch.iter().map(|job| &job.delivered).collect();
    let stored = match (attempt(store, &delivered, walks, options, metrics), delivered.as_slice()) {
        (Err(Failure::Job(detail)), [one]) => {
            tracing::warn!(detail, "a delivery cannot be applied; it goes to quarantine");
            let unusable = Delivered {
                app: one.app.clone(),
                body: one.body.clone(),
                headers: one.headers.clone(),
                events: Vec::new(),
                unusable: vec![("cannot_apply", detail)],
                received: one.received,
            };
            attempt(store, &[&unusable], walks, options, metrics)
        }
        (Err(Failure::Job(_)), _) => {
            return batch.into_iter().try_for_each(|job| handle(store, vec![job], walks, options, metrics));
        }
        (stored, _) => stored,
    };
    match stored {
        Ok(receipts) => answer(batch, receipts.into_iter().map(Ok)),
        // Dropping the batch tells each of its requests that it is not known to be stored.
        Err(Failure::Store(error)) if error.is_fatal() => return Err(error),
        Err(failure) => {
            let (refused, error) = match failure {
                Failure::Store(Error::Full(error)) => (Refused::NoRoom, error),
                Failure::Store(error) => (Refused::Unavailable, error.to_string()),
                Failure::Job(detail) => (Refused::Unavailable, detail),
            };
            tracing::error!(error, jobs = batch.len(), "batch not stored: {error}");
            metrics.not_stored();
            answer(batch, std::iter::repeat(Err(refused)));
        }
    }
    Ok(())
}

/// Tells each waiting request what became of it.
fn answer(batch: Vec<Job>, answers: impl Iterator<Item = Result<Receipt, Refused>>) {
    for (job, answer) in batch.into_iter().zip(answers) {
        // Whoever has hung up will try again, and be told that it is stored.
        _ = job.done.send(answer);
    }
}

/// One transaction. A panic in it is the fault of one of its jobs.
fn attempt<S: Store>(
    store: &mut S,
    batch: &[&Delivered],
    walks: &mut Walks,
    options: &Options,
    metrics: &Metrics,
) -> Result<Vec<Receipt>, Failure> {
    let stored = catch_unwind(AssertUnwindSafe(|| transact(store, batch, walks, options, metrics)));
    stored.unwrap_or_else(|_| Err(Failure::Job("the worker panicked over it".to_owned())))
}

fn transact<S: Store>(
    store: &mut S,
    delivered: &[&Delivered],
    walks: &mut Walks,
    options: &Options,
    metrics: &Metrics,
) -> Result<Vec<Receipt>, Failure> {
    let mut txn = store.begin()?;
    let directory = txn.load(&keys(delivered), options.group_members)?;
    let batch = empty(directory, now_ms());
    let mut work = Work { batch, next_seq: txn.next_seq(), digests: HashSet::new(), walks };
    let mut receipts = Vec::with_capacity(delivered.len());
    for given in delivered {
        receipts.push(work.delivery(&mut txn, given)?);
    }
    let batch = work.batch;
    // Otherwise all of it was stored before.
    let mut saved = Saved::default();
    if !batch.entries.is_empty() || !batch.quarantined.is_empty() {
        saved = txn.save(&batch)?;
        let began = Instant::now();
        txn.commit()?;
        walks.note(&batch.entries);
        metrics.commit_seconds.observe(began.elapsed().as_secs_f64());
        metrics.stored();
        store.remember(batch.directory);
    }
    count(metrics, &saved, &receipts);
    Ok(receipts)
}

fn count(metrics: &Metrics, saved: &Saved, receipts: &[Receipt]) {
    metrics.created.inc_by(saved.created);
    metrics.merged.inc_by(saved.merged);
    metrics.removed.inc_by(saved.removed);
    metrics.identity_conflicts.inc_by(saved.identity_conflicts);
    metrics.quarantine_dropped.inc_by(saved.quarantine_dropped);
    let sum = |count: fn(&Receipt) -> usize| receipts.iter().map(count).sum::<usize>();
    metrics.id_conflicts.inc_by(sum(|receipt| receipt.contradicting) as u64);
    metrics.events("learned", sum(|receipt| receipt.learned));
    metrics.events("kept", sum(|receipt| receipt.kept));
    metrics.events("repeated", sum(|receipt| receipt.repeated));
    metrics.events("quarantined", sum(|receipt| receipt.quarantined));
}

fn empty(directory: Directory, now: i64) -> Batch {
    Batch { directory, entries: Vec::new(), bodies: Vec::new(), quarantined: Vec::new(), now }
}

/// Everything a batch can touch.
fn keys(delivered: &[&Delivered]) -> Keys {
    let mut keys = Keys::default();
    for given in delivered {
        let key = |user: &SmoochId| (given.app.clone(), user.clone());
        for (_, event) in &given.events {
            keys.users.extend(subjects(&given.app, event));
            for fact in &event.facts {
                let users = fact.users();
                let user = users.into_iter().flatten().next();
                keys.claims.extend(
                    user.into_iter().flat_map(|user| fact.claims().map(|client| (key(user), client.clone()))),
                );
                if matches!(fact, Fact::Removed { .. } | Fact::Merged { .. }) {
                    keys.ends.extend(users.into_iter().flatten().map(key));
                }
            }
        }
    }
    keys
}

/// Whose journal an event belongs to: its app users', or, without any, the app's own.
fn subjects(app: &AppId, event: &Event) -> Vec<Key> {
    let users: Vec<Key> = event.users().into_iter().map(|user| (app.clone(), user.clone())).collect();
    if users.is_empty() { vec![(app.clone(), SmoochId::from(SmoochId::APP))] } else { users }
}

/// A batch being worked out.
struct Work<'w> {
    batch: Batch,
    next_seq: u64,
    /// The events of this batch.
    digests: HashSet<(AppId, Digest)>,
    walks: &'w mut Walks,
}

impl Work<'_> {
    fn delivery(&mut self, txn: &mut impl Txn, given: &Delivered) -> Result<Receipt, Failure> {
        let mut receipt = Receipt::default();
        let mut body = None;
        for (place, event) in &given.events {
            provoke(&event.trigger);
            let subjects = subjects(&given.app, event);
            if self.repeated(txn, &subjects[0], event, given.received)? {
                receipt.repeated += 1;
                continue;
            }
            let known = self.batch.directory.record(&subjects[0]);
            receipt.contradicting +=
                usize::from(known.is_some_and(|known| known.recent.contradicts(&event.stamp)));
            self.batch.directory.learn(&given.app, event)?;
            let outcome = if event.facts.is_empty() { Outcome::Kept } else { Outcome::Learned };
            receipt.learned += usize::from(outcome == Outcome::Learned);
            receipt.kept += usize::from(outcome == Outcome::Kept);
            let body = *body.get_or_insert_with(|| {
                self.batch.bodies.push(given.body.clone());
                self.batch.bodies.len() - 1
            });
            self.journal(&subjects, given, event, outcome, (body, *place));
        }
        receipt.quarantined = given.unusable.len();
        self.batch.quarantined.extend(quarantined(given));
        Ok(receipt)
    }

    /// Whether the event was journalled within the time in which its sender may repeat it. Beyond
    /// that, learning it again changes nothing.
    fn repeated(
        &mut self,
        txn: &mut impl Txn,
        subject: &Key,
        event: &Event,
        received: i64,
    ) -> Result<bool, Error> {
        let Some(record) = self.batch.directory.record(subject) else { return Ok(false) };
        match record.recent.holds(&event.stamp, seconds(received)) {
            Some(answer) => Ok(answer),
            None => {
                let since = received - i64::from(Recent::WINDOW) * 1000;
                if self.digests.contains(&(subject.0.clone(), event.stamp.digest)) {
                    return Ok(true);
                }
                let head = self.stored_head(subject);
                let read = |from, most| txn.journalled(subject, from, since, most);
                self.walks.hold((subject, head), &event.stamp.digest, since, read)
            }
        }
    }

    /// The subject's last entry before this batch.
    fn stored_head(&self, subject: &Key) -> Option<u64> {
        let entry = self.batch.directory.entry(subject)?;
        match &entry.before {
            Some(before) => before.as_ref()?.head,
            None => entry.now.head,
        }
    }

    fn journal(
        &mut self,
        subjects: &[Key],
        given: &Delivered,
        event: &Event,
        outcome: Outcome,
        (body, place): (usize, usize),
    ) {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.digests.insert((given.app.clone(), event.stamp.digest));
        let mut users = Vec::with_capacity(subjects.len());
        for (n, (app, user)) in subjects.iter().enumerate() {
            let record = self.batch.directory.edit(app, user);
            users.push((user.clone(), record.head.replace(seq)));
            if n == 0 {
                record.recent.note(&event.stamp, seconds(given.received));
            }
        }
        self.batch.entries.push(Entry {
            seq,
            app: given.app.clone(),
            received: given.received,
            event_time: event.stamp.known_time(),
            trigger: Arc::from(&*event.trigger),
            outcome,
            digest: event.stamp.digest,
            users,
            body,
            place,
        });
    }
}

/// A body goes to quarantine once, however many of its events cannot be used.
fn quarantined(given: &Delivered) -> Option<Quarantined> {
    let (reason, first) = given.unusable.first()?;
    let mut detail = first.clone();
    let mut listed = 1;
    for (_, more) in &given.unusable[1..] {
        if detail.len() + more.len() > MOST_DETAIL {
            break;
        }
        detail.push_str("; ");
        detail.push_str(more);
        listed += 1;
    }
    if listed < given.unusable.len() {
        detail.push_str(&format!("; and {} more", given.unusable.len() - listed));
    }
    Some(Quarantined {
        app: given.app.clone(),
        received: given.received,
        reason: (*reason).to_owned(),
        detail,
        headers: given.headers.clone(),
        body: given.body.clone(),
    })
}

fn seconds(ms: i64) -> u32 {
    u32::try_from(ms / 1000).unwrap_or(0)
}

/// The time, in ms since 1970.
pub fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// In builds with debug assertions, a trigger named by `ROLLCALL_PANIC_ON` panics the worker: the
/// one way to test what becomes of its neighbours.
fn provoke(trigger: &str) {
    #[cfg(debug_assertions)]
    {
        static PANIC_ON: std::sync::LazyLock<Option<String>> =
            std::sync::LazyLock::new(|| std::env::var("ROLLCALL_PANIC_ON").ok());
        assert!(PANIC_ON.as_deref() != Some(trigger), "provoked");
    }
    _ = trigger;
}
