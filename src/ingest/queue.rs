//! The bounded queue before the worker. Being full is an answer, not a wait.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_channel::{Receiver, Sender, TrySendError};
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::domain::command::{Command, CommandOutcome, Refusal};
use crate::domain::{AppId, CallMade, Event};
use crate::request_context::RequestContext;
use crate::store::archive::Row;
use crate::store::{self, Seq};

/// A delivery, verified and read.
#[derive(Debug)]
pub struct WebhookJob {
    /// The app whose secret it came with.
    pub app: AppId,
    /// When it was received, in ms since 1970.
    pub received: i64,
    /// The body as it came.
    pub body: Bytes,
    /// The events in it, each with its place in the body.
    pub events: Vec<(usize, Event)>,
    /// What of it cannot be used: the kind of trouble, and where it is.
    pub unusable: Vec<(&'static str, String)>,
    /// The request's headers, one a line, credentials masked. Only for what cannot be used.
    pub headers: String,
}

/// What became of a delivery. It is on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookResult {
    /// Events the directory learned.
    pub learned: usize,
    /// Events that are kept, and that is all.
    pub kept: usize,
    /// Events that were stored before.
    pub repeated: usize,
    /// Learned events whose id another event had, with another content.
    pub contradicting: usize,
    /// Events, or whole bodies, that cannot be used: the body is in quarantine.
    pub quarantined: usize,
    /// Events, or whole bodies, that are not kept: they speak of somebody who is erased.
    pub erased: usize,
}

impl WebhookResult {
    /// Counts `held` of the unusable events as quarantined, and the others as erased.
    pub fn set_quarantined(&mut self, held: usize) {
        self.erased += self.quarantined - held;
        self.quarantined = held;
    }
}

/// Why a delivery was not accepted. It may be stored all the same; the sender should try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Too much is waiting.
    #[error("too much is waiting; try again")]
    QueueFull,
    /// The service is about to end.
    #[error("shutting down; try again")]
    Closed,
    /// The disk has no room.
    #[error("no reservation on the disk; try again later")]
    StorageFull,
    /// The database cannot be used now.
    #[error("the database is not available; try again")]
    Unavailable,
    /// It cannot be done, and that is a fault of this program.
    #[error("an internal error; it is logged")]
    Internal,
    /// No answer from the worker in time.
    #[error("storing takes too long; try again")]
    Timeout,
}

impl SubmitError {
    /// The word for it, in answers and in the metrics.
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

/// A call to our own API, authorised and read.
#[derive(Debug)]
pub struct CommandJob {
    /// The app it is about.
    pub app: AppId,
    /// What is to be done.
    pub command: Command,
    /// When it was received, in ms since 1970.
    pub received: i64,
    /// Whether it may have been sent before.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// How a call that is sent again is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Its `Idempotency-Key`, behind whoever sent it.
    pub key: String,
    /// The SHA-256 of what it asked.
    pub fingerprint: [u8; 32],
}

/// What became of a call to our own API.
#[derive(Clone, Debug, PartialEq)]
pub enum CommandResult {
    /// It was carried out, or refused.
    Fresh(Box<Result<CommandOutcome, Refusal>>),
    /// It had been carried out or refused before, with this answer.
    Repeated(Box<Result<CommandOutcome, Refusal>>),
    /// Its key was used for something else.
    KeyReused,
}

/// A body out of quarantine, read again.
#[derive(Debug)]
pub struct RetryJob {
    /// Its number in quarantine.
    pub seq: Seq,
    /// When it went there, in ms since 1970: what was good of it may have been journalled since.
    pub held_since: i64,
    /// What can be used of it now, as if it were received now.
    pub webhook: WebhookJob,
}

/// What is known elsewhere of somebody, checked and read.
#[derive(Debug)]
pub struct ImportJob {
    /// The app it is about.
    pub app: AppId,
    /// What is known: facts with stamps of their own.
    pub event: Event,
    /// When it was received, in ms since 1970.
    pub received: i64,
    /// The call by which it was told.
    pub call: CallMade,
    /// About its bytes.
    pub bytes: usize,
}

/// What became of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportResult {
    /// Something of it was new; it is journalled.
    Learned,
    /// All of it was known; nothing was written.
    AlreadyKnown,
    /// It would make one app user of more `_id`s than the settings allow; nothing was written.
    TooLarge,
    /// It has a `userId` that names somebody who is erased, by an `_id`; nothing was written.
    NamesErased,
}

/// Tells which rows of the directory are to be replaced, and by what. Called between two batches, when
/// everything there is, is committed.
pub struct RepairJob(pub Mutex<Box<FindRepairs>>);

/// See [`RepairJob`].
pub type FindRepairs = dyn FnMut() -> store::Result<Vec<Row>> + Send;

impl fmt::Debug for RepairJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RepairJob")
    }
}

/// What the worker has to do.
#[derive(Debug)]
pub enum Task {
    /// To store what Smooch told.
    Webhook(WebhookJob),
    /// To do what our API was asked, by this call.
    Command(CommandJob, Option<Box<CallMade>>),
    /// Nothing but to look whether something is to be let go.
    Tick,
    /// To use a body in quarantine after all.
    Retry(RetryJob),
    /// To give up bodies in quarantine.
    Drop(Vec<Seq>),
    /// To learn what is known elsewhere.
    Import(ImportJob),
    /// To put right what the journal says otherwise.
    Repair(RepairJob),
    /// To note by which rules the directory was learned.
    SetRules(i64),
}

/// What the worker has done. It is on disk.
#[derive(Debug)]
pub enum Reply {
    /// See [`Task::Webhook`].
    Stored(WebhookResult),
    /// See [`Task::Command`].
    Answered(CommandResult),
    /// See [`Task::Tick`].
    Ticked,
    /// See [`Task::Retry`]; nothing if the body is not in quarantine any more.
    Retried(Option<WebhookResult>),
    /// See [`Task::Drop`]: how many were there.
    Dropped(usize),
    /// See [`Task::Import`].
    Imported(ImportResult),
    /// See [`Task::Repair`]: how many rows.
    Repaired(usize),
}

/// A task with whoever waits for it.
#[derive(Debug)]
pub struct Job {
    /// What is to be done.
    pub task: Task,
    /// Told once it is on disk, or that it is not.
    pub done: oneshot::Sender<Result<Reply, SubmitError>>,
    /// The request that it came with, for the log.
    pub request: RequestContext,
    reservation: ByteReservation,
}

impl Job {
    /// Bytes it takes of the queue's bound.
    pub fn bytes(&self) -> usize {
        self.reservation.bytes
    }
}

/// What a command takes of the queue's bound beside its call, in bytes: more than any has.
const COMMAND_BYTES: usize = 4096;

/// Bytes of the queue's bound that are reserved until the job is gone.
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

/// The sending end.
#[derive(Clone, Debug)]
pub struct Queue {
    jobs: Sender<Job>,
    reserved: Arc<AtomicUsize>,
    max_bytes: usize,
    answer_within: Duration,
}

/// A queue for at most `jobs` deliveries of at most `bytes` of bodies, and the worker's end of it.
pub fn bounded(jobs: usize, bytes: usize, answer_within: Duration) -> (Queue, Receiver<Job>) {
    let (sender, receiver) = async_channel::bounded(jobs);
    (Queue { jobs: sender, reserved: Arc::default(), max_bytes: bytes, answer_within }, receiver)
}

impl Queue {
    /// Resolves once the delivery is on disk. Within `answer_within` in any case.
    pub async fn submit_webhook(&self, job: WebhookJob) -> Result<WebhookResult, SubmitError> {
        let bytes = job.body.len();
        match self.submit(Task::Webhook(job), bytes).await? {
            Reply::Stored(result) => Ok(result),
            _ => Err(SubmitError::Internal),
        }
    }

    /// Resolves once what was asked is done, and on disk. Within `answer_within` in any case.
    pub async fn submit_command(&self, job: CommandJob) -> Result<CommandResult, SubmitError> {
        self.submit_command_with_call(job, None).await
    }

    /// The same, and the journal keeps the call by which it was asked.
    pub async fn submit_command_with_call(
        &self,
        job: CommandJob,
        call: Option<Box<CallMade>>,
    ) -> Result<CommandResult, SubmitError> {
        let bytes = COMMAND_BYTES + call.as_ref().map_or(0, |call| call.bytes());
        match self.submit(Task::Command(job, call), bytes).await? {
            Reply::Answered(answer) => Ok(answer),
            _ => Err(SubmitError::Internal),
        }
    }

    /// Resolves once a body of the quarantine is used, or kept with what is wrong with it now; nothing if it
    /// is not there any more.
    pub async fn retry_quarantined(&self, job: RetryJob) -> Result<Option<WebhookResult>, SubmitError> {
        let bytes = job.webhook.body.len();
        match self.submit(Task::Retry(job), bytes).await? {
            Reply::Retried(result) => Ok(result),
            _ => Err(SubmitError::Internal),
        }
    }

    /// Resolves once these bodies are out of the quarantine, given up: how many there were.
    pub async fn drop_quarantined(&self, seqs: Vec<Seq>) -> Result<usize, SubmitError> {
        match self.submit(Task::Drop(seqs), COMMAND_BYTES).await? {
            Reply::Dropped(count) => Ok(count),
            _ => Err(SubmitError::Internal),
        }
    }

    /// Resolves once what is known elsewhere is known here.
    pub async fn submit_import(&self, job: ImportJob) -> Result<ImportResult, SubmitError> {
        let bytes = job.bytes;
        match self.submit(Task::Import(job), bytes).await? {
            Reply::Imported(imported) => Ok(imported),
            _ => Err(SubmitError::Internal),
        }
    }

    /// Resolves once the rows that `find` gives are replaced: how many.
    pub async fn submit_repair(&self, find: Box<FindRepairs>) -> Result<usize, SubmitError> {
        match self.submit(Task::Repair(RepairJob(Mutex::new(find))), COMMAND_BYTES).await? {
            Reply::Repaired(count) => Ok(count),
            _ => Err(SubmitError::Internal),
        }
    }

    /// Resolves once it is noted that all of the directory was learned by these rules.
    pub async fn set_rules(&self, rules: i64) -> Result<(), SubmitError> {
        self.submit(Task::SetRules(rules), COMMAND_BYTES).await.map(drop)
    }

    /// Resolves within `answer_within` in any case: Smooch waits 20 s at the longest, 5 s in its
    /// oldest version. Never waits for room.
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

    /// Has the worker look whether something is to be let go, when it has the time: whether there still is
    /// a worker. Where much is waiting, it looks anyway.
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

    /// Takes nothing more. The worker ends once it has done what is waiting.
    pub fn close(&self) {
        self.jobs.close();
    }

    /// Deliveries waiting.
    pub fn depth(&self) -> usize {
        self.jobs.len()
    }

    /// Bytes of bodies waiting or being stored.
    pub fn bytes(&self) -> usize {
        self.reserved.load(Ordering::Acquire)
    }

    /// The most deliveries that may wait.
    pub fn capacity(&self) -> usize {
        self.jobs.capacity().unwrap_or(usize::MAX)
    }
}
