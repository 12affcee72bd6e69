//! The worker: one thread that owns the store, takes jobs from the queue and commits them in batches.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use async_channel::{Receiver, TryRecvError};

use super::batch::BatchBuilder;
use super::commit_notifier::CommitNotifier;
use super::duplicate_check::JournalIndex;
use super::heartbeat::WorkerHeartbeat;
use super::job::{
    BatchError, CommandResult, ImportResult, RepairJob, Reply, RetryJob, Task, WebhookJob, WebhookResult,
};
use super::load_plan::plan_load;
use super::maintenance::Maintenance;
use super::queue::{Job, SubmitError};
use crate::clock::now_ms;
use crate::directory::DirectoryWriter;
use crate::directory::batch::Saved;
use crate::domain::UnusableReason;
use crate::domain::command::Refusal;
use crate::metrics::Metrics;
use crate::request_context::RequestContext;
use crate::store::{Actor, Error, Retention};

/// A batch of this many bytes takes no further job.
const BATCH_BYTES: usize = 8 << 20;

/// Limits of a batch, and who is notified of it.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Maximum number of jobs in a batch.
    pub batch_jobs: usize,
    /// Maximum number of `_id`s in one merged app user.
    pub group_members: usize,
    /// The retention of the journal and the quarantine.
    pub retention: Retention,
    /// Notified of every commit.
    pub commits: CommitNotifier,
    /// Watched by the supervisor.
    pub heartbeat: WorkerHeartbeat,
}

pub(super) type JobResult = Result<Reply, SubmitError>;

/// Commits jobs until the queue is closed and empty, then closes the directory. See [`Worker::run`].
///
/// # Errors
/// A fatal error: the store is abandoned, nothing more may be acknowledged, and the process must end.
pub fn run_worker(
    mut directory: DirectoryWriter,
    options: WorkerOptions,
    metrics: Arc<Metrics>,
    jobs: &Receiver<Job>,
) -> Result<(), Error> {
    let ended = Worker::new(&mut directory, options, metrics).run(jobs);
    let ended = ended.and_then(|()| {
        warn_unless_fatal(directory.finish(), "the last checkpoint failed; the next start repeats it")
    });
    if ended.is_err() {
        directory.abandon();
        // Dropping the jobs answers their requests; a channel would keep them.
        jobs.close();
        while jobs.try_recv().is_ok() {}
    }
    ended
}

/// Takes jobs from the queue and commits them in batches.
pub struct Worker<'d> {
    directory: &'d mut DirectoryWriter,
    duplicates: JournalIndex,
    maintenance: Maintenance,
    options: WorkerOptions,
    metrics: Arc<Metrics>,
}

impl<'d> Worker<'d> {
    /// A worker that writes this directory.
    pub fn new(directory: &'d mut DirectoryWriter, options: WorkerOptions, metrics: Arc<Metrics>) -> Self {
        let maintenance = Maintenance::new(options.retention);
        Self { directory, duplicates: JournalIndex::default(), maintenance, options, metrics }
    }

    /// Commits jobs until the queue is closed and empty.
    ///
    /// # Errors
    /// A fatal error: nothing more may be acknowledged.
    pub fn run(&mut self, jobs: &Receiver<Job>) -> Result<(), Error> {
        while let Some(first) = self.next_job(jobs)? {
            self.options.heartbeat.begin();
            let batch = self.next_batch(first, jobs);
            let is_tick = batch.is_empty();
            if !is_tick {
                self.metrics.batch_jobs.observe(batch.len() as f64);
                self.commit_or_split(batch)?;
            }
            self.after_commit()?;
            if !is_tick {
                self.maintenance.after_batch(self.directory, &self.metrics)?;
            }
            self.options.heartbeat.end();
        }
        self.after_commit()
    }

    /// Waits for a job, and runs maintenance while there is none. `None` once the queue is closed and empty.
    fn next_job(&mut self, jobs: &Receiver<Job>) -> Result<Option<Job>, Error> {
        loop {
            match jobs.try_recv() {
                Err(TryRecvError::Empty) if self.maintenance.is_due() => {
                    self.options.heartbeat.begin();
                    self.maintenance.step(self.directory, &self.metrics)?;
                    self.options.heartbeat.end();
                }
                Err(TryRecvError::Empty) => return Ok(jobs.recv_blocking().ok()),
                received => return Ok(received.ok()),
            }
        }
    }

    /// The batch that begins with `first`: the jobs that wait, up to the limits. Ticks are taken out of it.
    fn next_batch(&mut self, first: Job, jobs: &Receiver<Job>) -> Vec<Job> {
        let mut bytes = first.bytes();
        let mut batch = vec![first];
        while batch.len() < self.options.batch_jobs
            && bytes < BATCH_BYTES
            && let Ok(job) = jobs.try_recv()
        {
            bytes += job.bytes();
            batch.push(job);
        }
        let waiting = batch.len();
        batch.retain(|job| !matches!(job.task, Task::Tick));
        if batch.len() < waiting {
            self.maintenance.mark_due();
        }
        batch
    }

    /// Work of the store between two batches.
    fn after_commit(&mut self) -> Result<(), Error> {
        warn_unless_fatal(self.directory.after_commit(), "maintenance of the database failed")
    }

    /// Commits a batch and answers its jobs; if a job of it cannot be applied, commits each job alone. Log lines about
    /// a single job carry its request.
    fn commit_or_split(&mut self, batch: Vec<Job>) -> Result<(), Error> {
        let request =
            if let [job] = batch.as_slice() { job.request.clone() } else { RequestContext::default() };
        request.cover_here(|| {
            let tasks: Vec<&Task> = batch.iter().map(|job| &job.task).collect();
            let several = tasks.len() > 1;
            if several && tasks.iter().any(|task| matches!(task, Task::Repair(..) | Task::SetRules(_))) {
                return self.split(batch);
            }
            let committed = match self.commit_or_remake(&tasks) {
                Err(error) if several && error.may_be_of_one_job() => return self.split(batch),
                Err(error) if !several => self.handle_failed_job(tasks[0], error),
                committed => committed,
            };
            self.answer_batch(batch, committed)
        })
    }

    fn split(&mut self, batch: Vec<Job>) -> Result<(), Error> {
        batch.into_iter().try_for_each(|job| self.commit_or_split(vec![job]))
    }

    /// The reply to a job that cannot be applied. A webhook goes to quarantine.
    fn handle_failed_job(&mut self, task: &Task, error: BatchError) -> Result<Vec<JobResult>, BatchError> {
        match (task, error) {
            (Task::Webhook(job), error) => {
                let job = as_unusable(job, error.about_the_job()?);
                self.commit_or_remake(&[&Task::Webhook(job)])
            }
            (Task::Retry(job), error) => {
                let (seq, held_since, by) = (job.seq, job.held_since, job.by.clone());
                let webhook = as_unusable(&job.webhook, error.about_the_job()?);
                self.commit_or_remake(&[&Task::Retry(RetryJob { seq, held_since, webhook, by })])
            }
            (Task::Operator(task), error) => self.split_step(task, error),
            (Task::Import(_), BatchError::Group(_)) => Ok(vec![Ok(Reply::Imported(ImportResult::TooLarge))]),
            (_, BatchError::Group(_)) => {
                Ok(vec![Ok(Reply::Answered(CommandResult::Fresh(Box::new(Err(Refusal::TooManyMembers)))))])
            }
            (_, BatchError::Job(detail)) => {
                tracing::error!(detail, "a command cannot be carried out: {detail}");
                Ok(vec![Err(SubmitError::Internal)])
            }
            (_, error) => Err(error),
        }
    }

    /// Commits a batch. If a derived table is damaged, remakes that table and tries again.
    pub(super) fn commit_or_remake(&mut self, tasks: &[&Task]) -> Result<Vec<JobResult>, BatchError> {
        let mut remade = Vec::new();
        loop {
            match self.commit_or_catch(tasks) {
                Err(BatchError::Store(Error::Derived { name, why })) => {
                    self.remake(&mut remade, name, &why)?;
                }
                Err(BatchError::Store(error)) => {
                    self.directory.report_error(&error);
                    return Err(error.into());
                }
                committed => return committed,
            }
        }
    }

    /// Remakes a derived table, after the damaged tables it is derived from. Each table is remade at most once.
    fn remake(
        &mut self,
        remade: &mut Vec<&'static str>,
        table: &'static str,
        why: &str,
    ) -> Result<(), Error> {
        if remade.contains(&table) {
            return Err(Error::Damaged(format!("{table}, even after it was made anew: {why}")));
        }
        tracing::error!(table, why, "{table} is damaged, and is made anew: {why}");
        remade.push(table);
        match self.directory.remake_table(table) {
            Err(Error::Derived { name, why }) => {
                self.remake(remade, name, &why)?;
                self.directory.remake_table(table)
            }
            made => made,
        }
    }

    /// Commits a batch. A panic is an error of one of its jobs.
    fn commit_or_catch(&mut self, tasks: &[&Task]) -> Result<Vec<JobResult>, BatchError> {
        let committed = catch_unwind(AssertUnwindSafe(|| self.commit(tasks)));
        committed.unwrap_or_else(|_| Err(BatchError::Job("the worker panicked over it".to_owned())))
    }

    /// One transaction: loads what the tasks need, applies them, and commits.
    fn commit(&mut self, tasks: &[&Task]) -> Result<Vec<JobResult>, BatchError> {
        if let [Task::Repair(job, by)] = tasks {
            return Ok(vec![Ok(Reply::Repaired(self.repair(job, by.as_deref())?))]);
        }
        if let [Task::SetRules(rules)] = tasks {
            self.directory.set_rules(*rules)?;
            return Ok(vec![Ok(Reply::Ticked)]);
        }
        let mut txn = self.directory.begin()?;
        let directory = txn.load(&plan_load(tasks), self.options.group_members)?;
        let mut builder = BatchBuilder::new(directory, &txn, &mut self.duplicates);
        let mut results = Vec::with_capacity(tasks.len());
        for task in tasks {
            results.push(Ok(match task {
                Task::Webhook(job) => Reply::Stored(builder.add_webhook(&txn, job)?),
                Task::Command(job, call) => {
                    Reply::Answered(builder.add_command(&mut txn, job, call.as_deref())?)
                }
                Task::Retry(job) => Reply::Retried(builder.add_retry(&txn, job)?),
                Task::Drop(seqs, by) => Reply::Dropped(builder.add_drop(&txn, seqs, by)?),
                Task::Import(job) => Reply::Imported(builder.add_import(&txn, job)?),
                Task::Sessions(changes, told) => {
                    builder.batch.sessions.extend_from_slice(changes);
                    builder.batch.audit.extend_from_slice(told);
                    Reply::Ticked
                }
                Task::Operator(task) => Reply::Operator(builder.add_operator_task(&mut txn, task)?),
                Task::Audit(entries) => {
                    builder.batch.audit.extend_from_slice(entries);
                    Reply::Ticked
                }
                // These never share a batch.
                Task::Repair(..) => Reply::Repaired(0),
                Task::SetRules(_) | Task::Tick => Reply::Ticked,
            }));
        }
        let (batch, applied) = (builder.batch, builder.applied);
        let mut saved = Saved::default();
        // An empty batch repeats what is stored, or changes nothing.
        if !batch.is_empty() {
            let committed;
            (saved, committed) = txn.commit(&batch)?;
            self.duplicates.add_committed(&batch.entries);
            self.metrics.commit_seconds.observe(committed.sync_time.as_secs_f64());
            self.metrics.stored();
            self.directory.cache_records(batch.directory);
            self.options.commits.notify();
        } else {
            txn.end_without_writes(&batch.counts);
        }
        count_events(&self.metrics, &saved, &results, &applied);
        Ok(results)
    }

    /// Replaces the rows that differ from the journal, and returns their number. The job finds them while nothing else
    /// writes, so the journal and the directory are compared as of one moment.
    fn repair(&mut self, job: &RepairJob, by: Option<&Actor>) -> Result<usize, BatchError> {
        let mut find = job.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = find().map_err(|error| {
            // An error of the replayed directory is none of this store.
            Error::Unavailable(format!("the journal cannot be replayed: {error}"))
        })?;
        if rows.is_empty() {
            return Ok(0);
        }
        self.directory.replace_rows(&rows, by, now_ms())?;
        self.options.commits.notify();
        Ok(rows.len())
    }

    /// Sends the result of each job of a batch. Only a fatal error is returned: it drops the jobs, and each request
    /// is answered that its job may not be stored.
    fn answer_batch(
        &self,
        batch: Vec<Job>,
        committed: Result<Vec<JobResult>, BatchError>,
    ) -> Result<(), Error> {
        let (refused, error) = match committed {
            Ok(results) => {
                send_results(batch, results);
                return Ok(());
            }
            Err(BatchError::Store(error)) if error.is_fatal() => return Err(error),
            Err(BatchError::Store(Error::Full(error))) => (SubmitError::StorageFull, error),
            Err(BatchError::Store(error)) => (SubmitError::Unavailable, error.to_string()),
            Err(BatchError::Job(detail)) => (SubmitError::Unavailable, detail),
            Err(BatchError::Group(error)) => (SubmitError::Unavailable, error.to_string()),
        };
        tracing::error!(error, jobs = batch.len(), "batch not stored: {error}");
        self.metrics.not_stored();
        send_results(batch, std::iter::repeat_with(|| Err(refused)));
        Ok(())
    }
}

fn send_results(batch: Vec<Job>, results: impl IntoIterator<Item = JobResult>) {
    for (job, result) in batch.into_iter().zip(results) {
        // A sender that has hung up repeats the request, and is answered then.
        _ = job.done.send(result);
    }
}

/// Logs an error unless the store cannot be used after it.
fn warn_unless_fatal(done: Result<(), Error>, failed: &str) -> Result<(), Error> {
    match done {
        Err(error) if !error.is_fatal() => tracing::warn!(%error, "{failed}: {error}"),
        done => return done,
    }
    Ok(())
}

/// The same webhook without its events: its body goes to quarantine.
fn as_unusable(job: &WebhookJob, detail: String) -> WebhookJob {
    tracing::warn!(detail, "a webhook cannot be applied: {detail}");
    WebhookJob {
        app: job.app.clone(),
        body: job.body.clone(),
        headers: job.headers.clone(),
        events: Vec::new(),
        unusable: vec![(UnusableReason::CannotApply.as_str(), detail)],
        received: job.received,
    }
}

fn count_events(metrics: &Metrics, saved: &Saved, results: &[JobResult], applied: &[WebhookResult]) {
    metrics.created.inc_by(saved.created);
    metrics.merged.inc_by(saved.merged);
    metrics.removed.inc_by(saved.removed);
    metrics.erased.inc_by(saved.erased);
    metrics.identity_conflicts.inc_by(saved.identity_conflicts);
    metrics.quarantine_dropped.inc_by(saved.quarantine_dropped);
    let webhooks = || {
        let replied = results.iter().filter_map(|result| match result {
            Ok(Reply::Stored(result) | Reply::Retried(Some(result))) => Some(result),
            _ => None,
        });
        replied.chain(applied)
    };
    let sum = |count: fn(&WebhookResult) -> usize| webhooks().map(count).sum::<usize>();
    metrics.id_conflicts.inc_by(sum(|result| result.contradicting) as u64);
    metrics.events("learned", sum(|result| result.learned));
    metrics.events("kept", sum(|result| result.kept));
    metrics.events("repeated", sum(|result| result.repeated));
    metrics.events("quarantined", sum(|result| result.quarantined));
    metrics.events("erased", sum(|result| result.erased));
}
