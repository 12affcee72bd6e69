//! The single writer: a thread that owns the store and commits in groups.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::time::Instant;

use async_channel::{Receiver, TryRecvError};

use super::batch::BatchBuilder;
use super::batch_error::BatchError;
use super::commit_notifier::CommitNotifier;
use super::duplicate_check::JournalIndex;
use super::heartbeat::WorkerHeartbeat;
use super::load_plan::plan_load;
use super::maintenance::Maintenance;
use super::queue::{
    CommandResult, ImportResult, Job, RepairJob, Reply, RetryJob, SubmitError, Task, WebhookJob,
    WebhookResult,
};
use crate::clock::now_ms;
use crate::domain::command::Refusal;
use crate::metrics::Metrics;
use crate::request_context::RequestContext;
use crate::store::{Error, Retention, Saved, Store, Txn};

/// Bodies beyond which a batch takes no further job, in bytes.
const BATCH_BYTES: usize = 8 << 20;

/// How a batch is put together.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// The most jobs in a batch.
    pub batch_jobs: usize,
    /// The most `_id`s one merged app user may have.
    pub group_members: usize,
    /// How much is kept.
    pub retention: Retention,
    /// Told of every commit.
    pub commits: CommitNotifier,
    /// Felt by whoever watches over the worker.
    pub heartbeat: WorkerHeartbeat,
}

/// Stores what comes until the queue is closed and empty, then closes the store.
///
/// An error means that nothing more may be acknowledged: the store is abandoned, and the process
/// must end.
pub fn run<S: Store>(
    mut store: S,
    jobs: &Receiver<Job>,
    options: &WorkerOptions,
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
    options: &WorkerOptions,
    metrics: &Metrics,
) -> Result<(), Error> {
    let mut duplicates = JournalIndex::default();
    let mut maintenance = Maintenance::new(options.retention);
    loop {
        let first = match jobs.try_recv() {
            Err(TryRecvError::Empty) if maintenance.is_due() => {
                options.heartbeat.begin();
                maintenance.step(store, metrics)?;
                options.heartbeat.end();
                continue;
            }
            Err(TryRecvError::Empty) => jobs.recv_blocking().ok(),
            received => received.ok(),
        };
        // Only where the files are whole is all on disk that was acknowledged.
        let Some(first) = first else {
            rest(store)?;
            return warn_unless_fatal(store.finish(), "the last checkpoint is left to the next start");
        };
        options.heartbeat.begin();
        let mut bytes = first.bytes();
        let mut batch = vec![first];
        while batch.len() < options.batch_jobs
            && bytes < BATCH_BYTES
            && let Ok(job) = jobs.try_recv()
        {
            bytes += job.bytes();
            batch.push(job);
        }
        let waiting = batch.len();
        batch.retain(|job| !matches!(job.task, Task::Tick));
        if batch.len() < waiting {
            maintenance.mark_due();
        }
        if batch.is_empty() {
            rest(store)?;
            options.heartbeat.end();
            continue;
        }
        metrics.batch_jobs.observe(batch.len() as f64);
        handle(store, batch, &mut duplicates, options, metrics)?;
        rest(store)?;
        maintenance.after_batch(store, metrics)?;
        options.heartbeat.end();
    }
}

/// Looks after the store between two batches.
fn rest<S: Store>(store: &mut S) -> Result<(), Error> {
    warn_unless_fatal(store.rest(), "maintenance of the database failed")
}

/// Logs an error after which the store can be used.
fn warn_unless_fatal(done: Result<(), Error>, failed: &str) -> Result<(), Error> {
    match done {
        Err(error) if !error.is_fatal() => tracing::warn!(%error, "{failed}: {error}"),
        done => return done,
    }
    Ok(())
}

/// Handles a batch. What is logged of one job alone is logged of its request.
fn handle<S: Store>(
    store: &mut S,
    batch: Vec<Job>,
    duplicates: &mut JournalIndex,
    options: &WorkerOptions,
    metrics: &Metrics,
) -> Result<(), Error> {
    let request = if let [job] = batch.as_slice() { job.request.clone() } else { RequestContext::default() };
    request.cover_here(|| keep(store, batch, duplicates, options, metrics))
}

/// Stores a batch; where something in it cannot be applied, each of its jobs alone; and the one
/// that cannot be applied even so, in quarantine.
fn keep<S: Store>(
    store: &mut S,
    batch: Vec<Job>,
    duplicates: &mut JournalIndex,
    options: &WorkerOptions,
    metrics: &Metrics,
) -> Result<(), Error> {
    let tasks: Vec<&Task> = batch.iter().map(|job| &job.task).collect();
    let alone =
        tasks.len() > 1 && tasks.iter().any(|task| matches!(task, Task::Repair(_) | Task::SetRules(_)));
    if alone {
        return batch.into_iter().try_for_each(|job| handle(store, vec![job], duplicates, options, metrics));
    }
    let stored = match (attempt(store, &tasks, duplicates, options, metrics), tasks.as_slice()) {
        (
            Err(BatchError::Job(_) | BatchError::Group(_) | BatchError::Store(Error::Unreadable { .. })),
            [_, _, ..],
        ) => {
            return batch
                .into_iter()
                .try_for_each(|job| handle(store, vec![job], duplicates, options, metrics));
        }
        (Err(failure), [Task::Webhook(one)]) => match failure.about_the_job() {
            Ok(detail) => {
                attempt(store, &[&Task::Webhook(unusable(one, detail))], duplicates, options, metrics)
            }
            Err(failure) => Err(failure),
        },
        (Err(failure), [Task::Retry(one)]) => match failure.about_the_job() {
            Ok(detail) => {
                let (seq, held_since) = (one.seq, one.held_since);
                let webhook = unusable(&one.webhook, detail);
                let task = Task::Retry(RetryJob { seq, held_since, webhook });
                attempt(store, &[&task], duplicates, options, metrics)
            }
            Err(failure) => Err(failure),
        },
        (Err(BatchError::Group(_)), [Task::Import(_)]) => Ok(vec![Reply::Imported(ImportResult::TooLarge)]),
        (Err(BatchError::Group(_)), _) => {
            Ok(vec![Reply::Answered(CommandResult::Fresh(Box::new(Err(Refusal::TooManyMembers))))])
        }
        (Err(BatchError::Job(detail)), _) => {
            tracing::error!(detail, "a command cannot be carried out: {detail}");
            answer(batch, std::iter::repeat_with(|| Err(SubmitError::Internal)));
            return Ok(());
        }
        (stored, _) => stored,
    };
    match stored {
        Ok(results) => answer(batch, results.into_iter().map(Ok)),
        // Dropping the batch tells each of its requests that it is not known to be stored.
        Err(BatchError::Store(error)) if error.is_fatal() => return Err(error),
        Err(failure) => {
            let (refused, error) = match failure {
                BatchError::Store(Error::Full(error)) => (SubmitError::StorageFull, error),
                BatchError::Store(error) => (SubmitError::Unavailable, error.to_string()),
                BatchError::Job(detail) => (SubmitError::Unavailable, detail),
                BatchError::Group(error) => (SubmitError::Unavailable, error.to_string()),
            };
            tracing::error!(error, jobs = batch.len(), "batch not stored: {error}");
            metrics.not_stored();
            answer(batch, std::iter::repeat_with(|| Err(refused)));
        }
    }
    Ok(())
}

/// What is left of a delivery that cannot be applied: a body for the quarantine.
fn unusable(job: &WebhookJob, detail: String) -> WebhookJob {
    tracing::warn!(detail, "a delivery cannot be applied");
    WebhookJob {
        app: job.app.clone(),
        body: job.body.clone(),
        headers: job.headers.clone(),
        events: Vec::new(),
        unusable: vec![("cannot_apply", detail)],
        received: job.received,
    }
}

/// Tells each waiting request what became of it.
fn answer(batch: Vec<Job>, answers: impl Iterator<Item = Result<Reply, SubmitError>>) {
    for (job, answer) in batch.into_iter().zip(answers) {
        // Whoever has hung up will try again, and be told that it is stored.
        _ = job.done.send(answer);
    }
}

/// Stores a batch. A table that is made of others is no reason not to: where one is damaged, it is made anew, and the
/// batch is stored then.
fn attempt<S: Store>(
    store: &mut S,
    batch: &[&Task],
    duplicates: &mut JournalIndex,
    options: &WorkerOptions,
    metrics: &Metrics,
) -> Result<Vec<Reply>, BatchError> {
    let mut tried = Vec::new();
    loop {
        match attempt_once(store, batch, duplicates, options, metrics) {
            Err(BatchError::Store(Error::Derived { name, why })) => mend(store, &mut tried, name, &why)?,
            Err(BatchError::Store(error)) => {
                store.note(&error);
                return Err(error.into());
            }
            stored => return stored,
        }
    }
}

/// Makes a table anew, and before it those that it is made of and that turn out to be damaged: each once.
fn mend<S: Store>(
    store: &mut S,
    tried: &mut Vec<&'static str>,
    table: &'static str,
    why: &str,
) -> Result<(), Error> {
    if tried.contains(&table) {
        return Err(Error::Damaged(format!("{table}, even after it was made anew: {why}")));
    }
    tracing::error!(table, why, "{table} is damaged, and is made anew: {why}");
    tried.push(table);
    match store.make_anew(table) {
        Err(Error::Derived { name, why }) => {
            mend(store, tried, name, &why)?;
            store.make_anew(table)
        }
        made => made,
    }
}

/// One transaction. A panic in it is the fault of one of its jobs.
fn attempt_once<S: Store>(
    store: &mut S,
    batch: &[&Task],
    duplicates: &mut JournalIndex,
    options: &WorkerOptions,
    metrics: &Metrics,
) -> Result<Vec<Reply>, BatchError> {
    let stored = catch_unwind(AssertUnwindSafe(|| transact(store, batch, duplicates, options, metrics)));
    stored.unwrap_or_else(|_| Err(BatchError::Job("the worker panicked over it".to_owned())))
}

fn transact<S: Store>(
    store: &mut S,
    tasks: &[&Task],
    duplicates: &mut JournalIndex,
    options: &WorkerOptions,
    metrics: &Metrics,
) -> Result<Vec<Reply>, BatchError> {
    if let [Task::Repair(replacing)] = tasks {
        let replaced = replace(store, replacing, options)?;
        return Ok(vec![Reply::Repaired(replaced)]);
    }
    if let [Task::SetRules(rules)] = tasks {
        store.learned(*rules)?;
        return Ok(vec![Reply::Ticked]);
    }
    let mut txn = store.begin()?;
    let directory = txn.load(&plan_load(tasks), options.group_members)?;
    let mut builder = BatchBuilder::new(directory, &txn, duplicates);
    let mut replies = Vec::with_capacity(tasks.len());
    for task in tasks {
        replies.push(match task {
            Task::Webhook(job) => Reply::Stored(builder.add_webhook(&mut txn, job)?),
            Task::Command(job, call) => {
                Reply::Answered(builder.add_command(&mut txn, job, call.as_deref())?)
            }
            Task::Retry(job) => Reply::Retried(builder.add_retry(&mut txn, job)?),
            Task::Drop(seqs) => Reply::Dropped(builder.add_drop(&mut txn, seqs)?),
            Task::Import(job) => Reply::Imported(builder.add_import(&txn, job)?),
            // They never share a batch.
            Task::Repair(_) => Reply::Repaired(0),
            Task::SetRules(_) | Task::Tick => Reply::Ticked,
        });
    }
    let batch = builder.batch;
    // Otherwise all of it was stored before, or changes nothing.
    let mut saved = Saved::default();
    if !batch.is_empty() {
        saved = txn.save(&batch)?;
        let began = Instant::now();
        txn.commit()?;
        duplicates.add_committed(&batch.entries);
        metrics.commit_seconds.observe(began.elapsed().as_secs_f64());
        metrics.stored();
        store.remember(batch.directory);
        options.commits.notify();
    }
    count(metrics, &saved, &replies);
    Ok(replies)
}

/// Replaces rows of the directory by what the journal says: how many. It is told once nothing is under way,
/// so that the two are of one moment.
fn replace<S: Store>(
    store: &mut S,
    replacing: &RepairJob,
    options: &WorkerOptions,
) -> Result<usize, BatchError> {
    let mut differing = replacing.0.lock().unwrap_or_else(PoisonError::into_inner);
    let rows = differing().map_err(|error| {
        // Whatever is wrong with the other directory says nothing about this one.
        Error::Unavailable(format!("the journal cannot be folded: {error}"))
    })?;
    if rows.is_empty() {
        return Ok(0);
    }
    let mut txn = store.begin()?;
    txn.replace(&rows, now_ms())?;
    txn.commit()?;
    options.commits.notify();
    Ok(rows.len())
}

fn count(metrics: &Metrics, saved: &Saved, replies: &[Reply]) {
    metrics.created.inc_by(saved.created);
    metrics.merged.inc_by(saved.merged);
    metrics.removed.inc_by(saved.removed);
    metrics.erased.inc_by(saved.erased);
    metrics.identity_conflicts.inc_by(saved.identity_conflicts);
    metrics.quarantine_dropped.inc_by(saved.quarantine_dropped);
    let results = || {
        replies.iter().filter_map(|reply| match reply {
            Reply::Stored(result) | Reply::Retried(Some(result)) => Some(result),
            _ => None,
        })
    };
    let sum = |count: fn(&WebhookResult) -> usize| results().map(count).sum::<usize>();
    metrics.id_conflicts.inc_by(sum(|result| result.contradicting) as u64);
    metrics.events("learned", sum(|result| result.learned));
    metrics.events("kept", sum(|result| result.kept));
    metrics.events("repeated", sum(|result| result.repeated));
    metrics.events("quarantined", sum(|result| result.quarantined));
    metrics.events("erased", sum(|result| result.erased));
}
