//! The bounded queue of the worker. A full queue refuses a job at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_channel::{Receiver, Sender, TrySendError};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::job::{
    CommandJob, CommandResult, FindRepairs, ImportJob, ImportResult, OperatorReply, OperatorTask, RepairJob,
    Reply, RetryJob, Task, WebhookJob, WebhookResult,
};
use crate::domain::CallMade;
use crate::request_context::RequestContext;
use crate::store::tables::SessionChange;
use crate::store::{Actor, AuditEntry, Seq};

/// Why a job was not acknowledged. It may be stored all the same; the sender should retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Too many jobs or bytes wait.
    #[error("too much is waiting; try again")]
    QueueFull,
    /// The service is shutting down.
    #[error("shutting down; try again")]
    Closed,
    /// The disk is full.
    #[error("no room on the disk; try again later")]
    StorageFull,
    /// The database is not available now.
    #[error("the database is not available; try again")]
    Unavailable,
    /// An error of this program.
    #[error("an internal error; it is logged")]
    Internal,
    /// The worker did not answer in time.
    #[error("storing takes too long; try again")]
    Timeout,
}

impl SubmitError {
    /// The code in answers and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::QueueFull => "too_busy",
            Self::Closed => "shutting_down",
            Self::StorageFull => "storage_full",
            Self::Unavailable | Self::Timeout => "unavailable",
            Self::Internal => "internal_error",
        }
    }
}

/// A task, and the request that waits for it.
#[derive(Debug)]
pub struct Job {
    /// The task.
    pub task: Task,
    /// Receives the reply once it is on disk, or why it is not.
    pub done: oneshot::Sender<Result<Reply, SubmitError>>,
    /// The request, for log lines.
    pub request: RequestContext,
    reservation: ByteReservation,
}

impl Job {
    /// Bytes that it reserves of the queue's limit.
    pub fn bytes(&self) -> usize {
        self.reservation.bytes
    }
}

/// Bytes that a command reserves besides its call: more than any command has.
const COMMAND_BYTES: usize = 4096;

/// A share of the queue's byte limit, released when dropped.
#[derive(Debug)]
struct ByteReservation {
    reserved: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for ByteReservation {
    fn drop(&mut self) {
        self.reserved.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// The sending end of the queue.
#[derive(Clone, Debug)]
pub struct Queue {
    jobs: Sender<Job>,
    reserved: Arc<AtomicUsize>,
    max_bytes: usize,
    answer_within: Duration,
}

/// A queue of at most `jobs` jobs and `bytes` of bodies, and the worker's end of it.
pub fn bounded(jobs: usize, bytes: usize, answer_within: Duration) -> (Queue, Receiver<Job>) {
    let (sender, receiver) = async_channel::bounded(jobs);
    (Queue { jobs: sender, reserved: Arc::default(), max_bytes: bytes, answer_within }, receiver)
}

/// Waits for the reply of a kind.
macro_rules! expect {
    ($reply:expr, $kind:path) => {
        match $reply.await? {
            $kind(result) => Ok(result),
            _ => Err(SubmitError::Internal),
        }
    };
}

impl Queue {
    /// Resolves once the webhook is on disk, and within `answer_within` in any case.
    pub async fn submit_webhook(&self, job: WebhookJob) -> Result<WebhookResult, SubmitError> {
        let bytes = job.body.len();
        expect!(self.submit(Task::Webhook(job), bytes), Reply::Stored)
    }

    /// Resolves once the command is executed and on disk, and within `answer_within` in any case. The journal stores the
    /// call.
    pub async fn submit_command(
        &self,
        job: CommandJob,
        call: Option<Box<CallMade>>,
    ) -> Result<CommandResult, SubmitError> {
        let bytes = COMMAND_BYTES + call.as_ref().map_or(0, |call| call.bytes());
        expect!(self.submit(Task::Command(job, call), bytes), Reply::Answered)
    }

    /// Resolves once a quarantined body is applied, or stays with its present reason; `None` if it is no longer in
    /// quarantine.
    pub async fn retry_quarantined(&self, job: RetryJob) -> Result<Option<WebhookResult>, SubmitError> {
        let bytes = job.webhook.body.len();
        expect!(self.submit(Task::Retry(job), bytes), Reply::Retried)
    }

    /// Resolves once these bodies are deleted from the quarantine, with the number that existed.
    pub async fn drop_quarantined(&self, seqs: Vec<Seq>, by: Arc<Actor>) -> Result<usize, SubmitError> {
        expect!(self.submit(Task::Drop(seqs, by), COMMAND_BYTES), Reply::Dropped)
    }

    /// Resolves once an app user is imported.
    pub async fn submit_import(&self, job: ImportJob) -> Result<ImportResult, SubmitError> {
        let bytes = job.bytes;
        expect!(self.submit(Task::Import(job), bytes), Reply::Imported)
    }

    /// Resolves once the rows that `find` returns are replaced, with their number; `by` is who asked for it, if somebody
    /// did.
    pub async fn submit_repair(
        &self,
        find: Box<FindRepairs>,
        by: Option<Arc<Actor>>,
    ) -> Result<usize, SubmitError> {
        let task = Task::Repair(RepairJob(Mutex::new(find)), by);
        expect!(self.submit(task, COMMAND_BYTES), Reply::Repaired)
    }

    /// Resolves once entries of the audit log are on disk.
    pub async fn submit_audit(&self, entries: Vec<AuditEntry>) -> Result<(), SubmitError> {
        self.submit(Task::Audit(entries), COMMAND_BYTES).await.map(drop)
    }

    /// Resolves once a task about operator jobs or segments is on disk.
    pub async fn submit_operator(&self, task: OperatorTask) -> Result<OperatorReply, SubmitError> {
        let bytes = COMMAND_BYTES + task.bytes();
        expect!(self.submit(Task::Operator(task.into()), bytes), Reply::Operator)
    }

    /// Resolves once the version of the rules is stored by which the whole directory was built.
    pub async fn set_rules(&self, rules: i64) -> Result<(), SubmitError> {
        self.submit(Task::SetRules(rules), COMMAND_BYTES).await.map(drop)
    }

    /// Resolves once changes of the sessions of the console are stored, with the entries of the audit log that tell them.
    pub async fn store_sessions(
        &self,
        changes: Vec<SessionChange>,
        told: Vec<AuditEntry>,
    ) -> Result<(), SubmitError> {
        self.submit(Task::Sessions(changes, told), COMMAND_BYTES).await.map(drop)
    }

    /// Resolves within `answer_within`: Smooch waits at most 20 s, 5 s in its oldest version. Never waits for room in
    /// the queue.
    async fn submit(&self, task: Task, bytes: usize) -> Result<Reply, SubmitError> {
        let reserved = self.reserved.fetch_add(bytes, Ordering::AcqRel);
        let reservation = ByteReservation { reserved: self.reserved.clone(), bytes };
        if reserved > 0 && reserved + bytes > self.max_bytes {
            return Err(SubmitError::QueueFull);
        }
        let (done, reply) = oneshot::channel();
        self.jobs.try_send(Job { task, done, request: RequestContext::current(), reservation }).map_err(
            |error| match error {
                TrySendError::Full(_) => SubmitError::QueueFull,
                TrySendError::Closed(_) => SubmitError::Closed,
            },
        )?;
        match timeout(self.answer_within, reply).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Err(SubmitError::Unavailable),
            Err(_) => Err(SubmitError::Timeout),
        }
    }

    /// Asks the worker to check retention once it is idle; returns whether the worker still runs. A full queue may
    /// drop the request, because a busy worker checks anyway.
    pub fn tick(&self) -> bool {
        let reservation = ByteReservation { reserved: self.reserved.clone(), bytes: 0 };
        let (done, _) = oneshot::channel();
        let sent = self.jobs.try_send(Job {
            task: Task::Tick,
            done,
            reservation,
            request: RequestContext::default(),
        });
        !matches!(sent, Err(TrySendError::Closed(_)))
    }

    /// Refuses new jobs. The worker ends after the jobs that wait.
    pub fn close(&self) {
        self.jobs.close();
    }

    /// Number of jobs that wait.
    pub fn depth(&self) -> usize {
        self.jobs.len()
    }

    /// Bytes of bodies that wait or are being stored.
    pub fn bytes(&self) -> usize {
        self.reserved.load(Ordering::Acquire)
    }

    /// Maximum number of jobs that may wait.
    pub fn capacity(&self) -> usize {
        self.jobs.capacity().unwrap_or(usize::MAX)
    }
}
