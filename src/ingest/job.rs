//! Jobs for the worker, their results, and the errors of a batch of them.

use std::fmt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::domain::command::{Command, CommandOutcome, Refusal};
use crate::domain::{AppId, CallMade, Event, TooLarge};
use crate::store::rows::RebuiltRow;
use crate::store::tables::SessionChange;
use crate::store::{self, Actor, AuditEntry, Error, Seq};

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
