//! Long tasks that operators start (`/jobs`), as they are stored. At most one of them runs at a time.

use std::collections::BTreeMap;

use super::audit::{Actor, AuditAction};
use super::entry::Seq;
use crate::domain::{AppId, value_names};

/// What an operator job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// Writes the app users of a list to a file.
    Export,
    /// Sets a property of the app users of a list.
    SetProperty,
    /// Clears a property of the app users of a list.
    ClearProperty,
    /// Removes the app users of a list.
    Remove,
    /// Erases the app users of a list.
    Erase,
    /// Parses bodies in quarantine again.
    Redrive,
    /// Deletes bodies from the quarantine.
    Drop,
    /// Applies the bodies of journal entries again.
    Replay,
    /// Makes a backup.
    Backup,
    /// Verifies a backup.
    VerifyBackup,
}

value_names!(JobKind {
    Export: "export",
    SetProperty: "setProperty",
    ClearProperty: "clearProperty",
    Remove: "remove",
    Erase: "erase",
    Redrive: "redrive",
    Drop: "drop",
    Replay: "replay",
    Backup: "backup",
    VerifyBackup: "verifyBackup",
});

impl JobKind {
    /// Its name in the audit log.
    pub fn audit_action(self) -> AuditAction {
        match self {
            Self::Export => AuditAction::Export,
            Self::SetProperty | Self::ClearProperty => AuditAction::Update,
            Self::Remove => AuditAction::Delete,
            Self::Erase => AuditAction::Erase,
            Self::Redrive => AuditAction::Redrive,
            Self::Drop => AuditAction::Drop,
            Self::Replay => AuditAction::Replay,
            Self::Backup => AuditAction::Backup,
            Self::VerifyBackup => AuditAction::VerifyBackup,
        }
    }
}

/// The state of an operator job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It runs, or continues after the next start.
    Running,
    /// It has come to its end. Single parts of it may have failed.
    Done,
    /// An operator cancelled it. What it did before stays.
    Cancelled,
    /// It cannot be continued. What it did before stays.
    Failed,
}

value_names!(JobState { Running: "running", Done: "done", Cancelled: "cancelled", Failed: "failed" });

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobCounts(pub BTreeMap<String, u64>);

impl JobCounts {
    /// Adds to one of them.
    pub fn add(&mut self, name: &str, count: usize) {
        if count > 0 {
            *self.0.entry(name.to_owned()).or_default() += count as u64;
        }
    }
}

/// An operator job. Its progress changes in the transaction of what it did, so after a crash it continues exactly there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorJob {
    /// Its number.
    pub id: Seq,
    /// The app; `None` for none or several.
    pub app: Option<AppId>,
    /// What it does.
    pub kind: JobKind,
    /// What it is to be done with, as JSON; `None` once an erased app user was named in it.
    pub spec: Option<String>,
    /// The name of the operator.
    pub who: Option<String>,
    /// The role of the operator.
    pub role: Option<String>,
    /// How the operator proved who they are.
    pub how: super::audit::How,
    /// The id of the request that started it.
    pub request: Option<String>,
    /// Its state.
    pub state: JobState,
    /// When it began, in ms since 1970.
    pub began: i64,
    /// When it ended, in ms since 1970.
    pub ended: Option<i64>,
    /// How many parts it has: app users, bodies, entries or backups.
    pub total: u64,
    /// How many of them were done.
    pub done: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Where it continues; empty at the beginning. The kinds have forms of their own.
    pub cursor: String,
    /// What came of the parts.
    pub counts: JobCounts,
    /// What came of the whole, as JSON.
    pub result: Option<String>,
    /// Until when its file is kept, in ms since 1970; `None` if it has none, or has none any more.
    pub file_until: Option<i64>,
    /// The number of the epoch of the database that it began in.
    pub epoch: i64,
}

impl OperatorJob {
    /// Who started it.
    pub fn by(&self) -> Actor {
        let Self { who, role, how, request, .. } = self.clone();
        Actor { who, role, how, request }
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.state == JobState::Running
    }
}

/// A part of an operator job that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFailure {
    /// The job.
    pub job: Seq,
    /// Its number among the failures of the job, from 1 on.
    pub n: u64,
    /// The `_id`, or the number of the body or of the entry.
    pub about: String,
    /// The code of the reason.
    pub reason: String,
}

/// A named list query of an app, shared by its operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its id.
    pub id: String,
    /// The app.
    pub app: AppId,
    /// Its name, unique in the app.
    pub name: String,
    /// The query string of the list.
    pub query: String,
    /// The operator who changed it last.
    pub who: Option<String>,
    /// When it was changed last, in ms since 1970.
    pub time: i64,
}
