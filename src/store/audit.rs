//! The entries of the audit log: who did what, to whom, and with what outcome. They have no value of a profile.

use super::entry::Seq;
use crate::domain::{AppId, SmoochId, value_names};

/// Who acts, and in which request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The name of an operator, or the id of a key; `None` if nobody is known.
    pub who: Option<String>,
    /// The role of the operator, or the scope of the key.
    pub role: Option<String>,
    /// How they proved who they are.
    pub how: How,
    /// The id of the request.
    pub request: Option<String>,
}

impl Actor {
    /// Somebody of whom only this is known: a command on this machine, a signal, a time of the settings.
    pub fn unnamed(how: How) -> Self {
        Self { who: None, role: None, how, request: None }
    }
}

/// How somebody proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A session of the console.
    Console,
    /// The key file beside the database: a command on this machine.
    Command,
    /// A proxy that signed the operator in.
    Proxy,
    /// A name and a secret of the settings.
    Secret,
    /// A key of an app or of the account, to the users API.
    Api,
    /// A signal to the process.
    Signal,
    /// A time of the settings.
    Schedule,
    /// Not at all.
    Nothing,
}

value_names!(How {
    Console: "console",
    Command: "command",
    Proxy: "proxy",
    Secret: "secret",
    Api: "api",
    Signal: "signal",
    Schedule: "schedule",
    Nothing: "none",
});

/// What was done or asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditAction {
    /// An app user was found or created for a device.
    Init,
    /// An app user was created.
    Create,
    /// Fields of an app user were set.
    Update,
    /// A custom event of an app user was recorded.
    Event,
    /// A device of an app user was changed.
    Device,
    /// An app user was removed.
    Delete,
    /// An app user was erased.
    Erase,
    /// The profile of an app user was cleared.
    DeleteProfile,
    /// Two app users were merged.
    Merge,
    /// A merge was undone.
    Unmerge,
    /// App tokens were refused for an app user from then on.
    Secure,
    /// App users were imported.
    Import,
    /// Quarantined bodies were parsed again.
    Redrive,
    /// Quarantined bodies were deleted.
    Drop,
    /// Rows or derived tables were rebuilt.
    Rebuild,
    /// App users, or the audit log, were exported.
    Export,
    /// A body of the journal or of the quarantine was shown.
    ShowBody,
    /// Somebody signed in.
    SignIn,
    /// Somebody signed out.
    SignOut,
    /// The settings were read again.
    Reload,
    /// A backup was made.
    Backup,
    /// A backup was verified.
    VerifyBackup,
    /// Bodies of the journal were applied again.
    Replay,
    /// An operator job was cancelled.
    CancelJob,
    /// A segment was created, changed or deleted.
    Segment,
    /// A request was refused before it did anything.
    Request,
    /// Refusals that have no entry of their own, because there were too many.
    LeftOut,
}

value_names!(AuditAction {
    Init: "init",
    Create: "create",
    Update: "update",
    Event: "event",
    Device: "device",
    Delete: "delete",
    Erase: "erase",
    DeleteProfile: "deleteProfile",
    Merge: "merge",
    Unmerge: "unmerge",
    Secure: "secure",
    Import: "import",
    Redrive: "redrive",
    Drop: "drop",
    Rebuild: "rebuild",
    Export: "export",
    ShowBody: "showBody",
    SignIn: "signIn",
    SignOut: "signOut",
    Reload: "reload",
    Backup: "backup",
    VerifyBackup: "verifyBackup",
    Replay: "replay",
    CancelJob: "cancelJob",
    Segment: "segment",
    Request: "request",
    LeftOut: "leftOut",
});

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOutcome {
    /// It began; another entry with the same request id tells the end.
    Begun,
    /// It was done.
    Done,
    /// It was not done, or not completely.
    Failed,
    /// It was not allowed.
    Refused,
}

value_names!(AuditOutcome { Begun: "begun", Done: "done", Failed: "failed", Refused: "refused" });

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When, in ms since 1970.
    pub time: i64,
    /// The name of the operator, or the id of the key; `None` if nobody is known.
    pub who: Option<String>,
    /// The role of the operator, or the scope of the key.
    pub role: Option<String>,
    /// How they proved who they are.
    pub how: How,
    /// The app; `None` for none or several.
    pub app: Option<AppId>,
    /// What was done.
    pub action: AuditAction,
    /// The `_id`s of the app users.
    pub ids: Vec<SmoochId>,
    /// The numbers of the journal entries that tell the change, or that were shown.
    pub entries: Vec<Seq>,
    /// The numbers of the quarantined bodies.
    pub bodies: Vec<Seq>,
    /// How many: app users, lines, bodies or rows, by the action. `None` as long as that is not known.
    pub count: Option<u64>,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// More about it, in words of the program alone, such as the route of a refused request.
    pub detail: Option<String>,
    /// The id of the request.
    pub request: Option<String>,
}

impl AuditEntry {
    /// An act that was done, about nothing yet; `time` in ms since 1970.
    pub fn of(time: i64, by: &Actor, action: AuditAction) -> Self {
        let Actor { who, role, how, request } = by.clone();
        let (ids, entries, bodies) = (Vec::new(), Vec::new(), Vec::new());
        let (app, count, detail, outcome) = (None, None, None, AuditOutcome::Done);
        Self { time, who, role, how, app, action, ids, entries, bodies, count, outcome, detail, request }
    }
}
