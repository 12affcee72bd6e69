//! Jobs for the worker, their results, and the errors of a batch of them.

use std::fmt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::domain::command::{Command, CommandOutcome, Refusal};
use crate::domain::{AppId, CallMade, Event, TooLarge};
use crate::store::rows::RebuiltRow;
use crate::store::tables::SessionChange;
use crate::store::{self, Actor, AuditEntry, Error, JobState, OperatorJob, Segment, Seq};

/// A webhook, verified and parsed.
#[derive(Debug)]
pub struct WebhookJob {
    /// The app whose secret signed it.
    pub app: AppId,
    /// Receive time, in ms since 1970.
    pub received: i64,
    /// The body as received.
    pub body: Bytes,
    /// Its events, each with its index in the body.
    pub events: Vec<(usize, Event)>,
    /// Its unusable parts: reason code and detail of each.
    pub unusable: Vec<(&'static str, String)>,
    /// The request's headers, one a line, credentials masked. Only if a part is unusable.
    pub headers: String,
}

/// The result of a webhook that is on disk. Counts its events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookResult {
    /// Events that were applied.
    pub learned: usize,
    /// Events without facts: journalled only.
    pub kept: usize,
    /// Duplicates of stored events.
    pub repeated: usize,
    /// Applied events that have the id of another event, with another content.
    pub contradicting: usize,
    /// Unusable events or whole bodies: the body is in quarantine.
    pub quarantined: usize,
    /// Events or whole bodies that are dropped, because they are about an erased app user.
    pub erased: usize,
}

impl WebhookResult {
    /// Counts `count` of the unusable events as quarantined, and the others as erased.
    pub fn set_quarantined(&mut self, count: usize) {
        self.erased += self.quarantined - count;
        self.quarantined = count;
    }
}

/// A call to the API, authorised and parsed.
#[derive(Debug)]
pub struct CommandJob {
    /// The app it is about.
    pub app: AppId,
    /// The command.
    pub command: Command,
    /// Receive time, in ms since 1970.
    pub received: i64,
    /// Recognises a repeated call.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The operator or key that made the call, for the audit log; `None` for a device or an app user.
    pub by: Option<Arc<Actor>>,
}

/// Recognises a repeated call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The caller, followed by the `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of the call.
    pub fingerprint: [u8; 32],
}

/// The result of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum CommandResult {
    /// It was executed, or refused.
    Fresh(Box<Result<CommandOutcome, Refusal>>),
    /// The answer of an earlier call with the same key.
    Repeated(Box<Result<CommandOutcome, Refusal>>),
    /// An earlier call used its key for something else.
    KeyReused,
}

/// A quarantined body, parsed again.
#[derive(Debug)]
pub struct RetryJob {
    /// Its number in the quarantine.
    pub seq: Seq,
    /// The time of quarantine, in ms since 1970. Its usable events were journalled then.
    pub held_since: i64,
    /// The part that is usable now, as if received now.
    pub webhook: WebhookJob,
    /// Who asked for it.
    pub by: Arc<Actor>,
}

/// An app user to import, validated and parsed.
#[derive(Debug)]
pub struct ImportJob {
    /// The app it is about.
    pub app: AppId,
    /// Its facts, with stamps of their own.
    pub event: Event,
    /// Receive time, in ms since 1970.
    pub received: i64,
    /// The call that sent it.
    pub call: CallMade,
    /// Who sent it.
    pub by: Arc<Actor>,
    /// Its approximate size.
    pub bytes: usize,
}

/// The result of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportResult {
    /// Some of it was new, and is journalled.
    Learned,
    /// All of it was known. Nothing was written.
    AlreadyKnown,
    /// The merged app user would have more `_id`s than the settings allow. Nothing was written.
    TooLarge,
    /// One of its `userId`s is the `_id` of an erased app user. Nothing was written.
    NamesErased,
}

/// Finds the rows that differ from the journal, as they should be. Called between two batches, when all jobs are
/// committed.
pub struct RepairJob(pub Mutex<Box<FindRepairs>>);

/// See [`RepairJob`].
pub type FindRepairs = dyn FnMut() -> store::Result<Vec<RebuiltRow>> + Send;

impl fmt::Debug for RepairJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RepairJob")
    }
}

/// A task about operator jobs or segments.
#[derive(Debug)]
pub enum OperatorTask {
    /// Begin a job, unless one runs. Its number is given by the worker.
    Begin(OperatorJob),
    /// Take a step of a job.
    Step(JobStep),
    /// Cancel a job that runs.
    Cancel(Seq, Arc<Actor>),
    /// Create a segment, or change the one with its id.
    PutSegment(Segment, Arc<Actor>),
    /// Delete a segment.
    DeleteSegment(String, Arc<Actor>),
}

impl OperatorTask {
    /// The bytes of the bodies that it has.
    pub(super) fn bytes(&self) -> usize {
        let Self::Step(step) = self else { return 0 };
        let bytes = |part: &Arc<JobPart>| match &part.work {
            PartWork::Replay(webhook, _) => webhook.body.len(),
            PartWork::Redrive(retry) => retry.webhook.body.len(),
            PartWork::Command(command) => command.1.bytes(),
            PartWork::Drop(..) | PartWork::DoneOutside(_) | PartWork::Failed(_) => 0,
        };
        step.parts.iter().map(bytes).sum()
    }
}

/// The result of an [`OperatorTask`], once it is on disk.
#[derive(Clone, Debug, PartialEq)]
pub enum OperatorReply {
    /// The job as it is now; `None` if there is no such job.
    Job(Option<Box<OperatorJob>>),
    /// Nothing was done: this job runs.
    Busy(Seq),
    /// The segment is stored, or deleted. False if there is none with its id.
    Segment(bool),
    /// Nothing was done: another segment of the app has the name.
    NameTaken,
    /// Nothing was done: the app has as many segments as it may have.
    TooManySegments,
}

/// A step of an operator job. It is not taken if the job does not run, or is not where the step begins: so no step is
/// taken twice.
#[derive(Clone, Debug)]
pub struct JobStep {
    /// The job.
    pub job: Seq,
    /// The cursor at which it begins.
    pub from: String,
    /// What is done, in order. The step ends early at an app user that changed after it was read.
    pub parts: Vec<Arc<JobPart>>,
    /// The cursor behind the last part.
    pub cursor: String,
    /// The end of the job.
    pub end: Option<JobEnd>,
}

/// How an operator job ends.
#[derive(Clone, Debug)]
pub struct JobEnd {
    /// Its state from now on.
    pub state: JobState,
    /// What came of it, as JSON.
    pub result: Option<String>,
    /// Until when its file is kept, in ms since 1970.
    pub file_until: Option<i64>,
}

/// A part of an operator job.
#[derive(Debug)]
pub struct JobPart {
    /// What it is about: an `_id`, or a number.
    pub about: String,
    /// The cursor behind it.
    pub cursor: String,
    /// What is done.
    pub work: PartWork,
}

/// What a part of an operator job does.
#[derive(Debug)]
pub enum PartWork {
    /// Executes a command. The journal stores the call.
    Command(Box<(CommandJob, CallMade)>),
    /// Applies an entry of the journal again, which was received then, in ms since 1970.
    Replay(WebhookJob, i64),
    /// Applies a quarantined body.
    Redrive(RetryJob),
    /// Deletes a body from the quarantine.
    Drop(Seq, Arc<Actor>),
    /// Nothing in the database: so many were done elsewhere, such as in the file of an export.
    DoneOutside(u64),
    /// Nothing: it failed before, for this reason.
    Failed(String),
}

/// A task of the worker.
#[derive(Debug)]
pub enum Task {
    /// Apply and journal a webhook.
    Webhook(WebhookJob),
    /// Execute a command. The journal stores the call.
    Command(CommandJob, Option<Box<CallMade>>),
    /// Check whether rows have passed their retention.
    Tick,
    /// Apply a quarantined body.
    Retry(RetryJob),
    /// Delete bodies from the quarantine, for an operator.
    Drop(Vec<Seq>, Arc<Actor>),
    /// Import an app user.
    Import(ImportJob),
    /// Replace the rows that differ from the journal, for an operator or by itself.
    Repair(RepairJob, Option<Arc<Actor>>),
    /// Add entries to the audit log.
    Audit(Vec<AuditEntry>),
    /// Begin, continue or cancel an operator job, or change a segment.
    Operator(Box<OperatorTask>),
    /// Store the version of the rules by which the directory was built.
    SetRules(i64),
    /// Store changes of the sessions of the console, with the entries of the audit log that tell them.
    Sessions(Vec<SessionChange>, Vec<AuditEntry>),
}

/// The result of a task, once it is on disk.
#[derive(Debug)]
pub enum Reply {
    /// Of [`Task::Webhook`].
    Stored(WebhookResult),
    /// Of [`Task::Command`].
    Answered(CommandResult),
    /// Of [`Task::Tick`], [`Task::SetRules`], [`Task::Sessions`] and [`Task::Audit`].
    Ticked,
    /// Of [`Task::Retry`]; `None` if the body is no longer in quarantine.
    Retried(Option<WebhookResult>),
    /// Of [`Task::Drop`]: how many bodies existed.
    Dropped(usize),
    /// Of [`Task::Import`].
    Imported(ImportResult),
    /// Of [`Task::Repair`]: how many rows were replaced.
    Repaired(usize),
    /// Of [`Task::Operator`].
    Operator(OperatorReply),
}

/// Why a batch was not committed.
pub(super) enum BatchError {
    /// One of its jobs can never be applied.
    Job(String),
    /// One of its jobs would merge too many app users.
    Group(TooLarge),
    /// The store failed.
    Store(Error),
}

impl BatchError {
    /// True if one job may be the cause, so that the others of its batch can be committed without it.
    pub(super) fn may_be_of_one_job(&self) -> bool {
        matches!(self, Self::Job(_) | Self::Group(_) | Self::Store(Error::Unreadable { .. }))
    }

    /// Why the job cannot be applied; any other error comes back as it was.
    pub(super) fn about_the_job(self) -> Result<String, Self> {
        match self {
            Self::Job(detail) => Ok(detail),
            Self::Group(error) => Ok(error.to_string()),
            other => Err(other),
        }
    }
}

impl From<Error> for BatchError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unfit(detail) => Self::Job(detail),
            error => Self::Store(error),
        }
    }
}

impl From<TooLarge> for BatchError {
    fn from(error: TooLarge) -> Self {
        Self::Group(error)
    }
}

/// Makes an encoding error an error of the job.
pub(super) fn encoded<E: std::fmt::Display>(bytes: Result<Vec<u8>, E>) -> Result<Vec<u8>, BatchError> {
    bytes.map_err(|error| BatchError::Job(error.to_string()))
}
