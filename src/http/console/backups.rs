//! The backups in `backup.folder`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::clock::now_ms;
use crate::config::StoreUrl;
use crate::domain::timestamp;
use crate::http::answers::answer;
use crate::http::audit::actor_of;
use crate::http::error::ApiError;
use crate::http::operator_request::OperatorRequest;
use crate::http::state::HttpState;
use crate::schedule::{self, BackupFolder, BackupTask};
use crate::store::sqlite::{Checked, CopyError};
use crate::store::{AuditAction, AuditEntry, AuditOutcome};

#[derive(Serialize)]
struct BackupsAnswer {
    backups: Vec<BackupAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct BackupAnswer {
    name: String,
    time: String,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<String>,
}

/// What a backup holds.
#[derive(Serialize)]
struct CheckedAnswer {
    name: String,
    bytes: u64,
    seq: u64,
    users: u64,
    events: u64,
    quarantined: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

#[derive(Serialize)]
struct VerifiedAnswer {
    name: String,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<CheckedAnswer>,
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl CheckedAnswer {
    fn of(name: String, checked: Checked) -> Self {
        let Checked { seq, counts, checksum, bytes, .. } = checked;
        let (users, events, quarantined) = (counts.users, counts.events, counts.quarantined);
        Self { name, bytes, seq, users, events, quarantined, checksum }
    }
}

/// The folder, and what is in it.
async fn look(shared: &HttpState) -> Result<(PathBuf, BackupFolder), ApiError> {
    let folder = shared.settings.backup.folder.clone();
    let folder =
        folder.ok_or_else(|| ApiError::conflict("backup.folder is not set: there are no backups"))?;
    let StoreUrl::Sqlite(database) = shared.settings.store.url.clone();
    let looked = folder.clone();
    let found = tokio::task::spawn_blocking(move || schedule::look(&looked, &database, Timestamp::now()));
    let found = found.await.map_err(|_| unreadable())?;
    found.map(|found| (folder, found)).map_err(|error| {
        tracing::warn!(%error, "backup.folder cannot be read: {error}");
        unreadable()
    })
}

fn unreadable() -> ApiError {
    ApiError::unavailable("unavailable", "backup.folder cannot be read; see the log of the service")
}

/// GET `/backups`: the files in `backup.folder` that have the name of a scheduled backup, the newest first. `checksum` and
/// `verified` are there if this process made or verified the file; `ignored` says why a file does not count.
pub(in crate::http) async fn list(request: OperatorRequest) -> Result<Response, ApiError> {
    request.must_see_all_apps()?;
    let shared = &request.shared;
    if shared.settings.backup.folder.is_none() {
        return Ok(answer(StatusCode::OK, &BackupsAnswer { backups: Vec::new(), next: None }));
    }
    let (_, found) = look(shared).await?;
    let next = schedule::next_due(&shared.settings.backup, found.newest());
    let known = shared.backups.lock();
    let doubtful = found.doubtful().map(|(path, why)| (path.to_owned(), Some(why.to_owned())));
    let counted = found.counted.iter().map(|(_, path)| (path.clone(), None));
    let each = counted.chain(doubtful).filter_map(|(path, ignored)| {
        let name = name_of(&path);
        let known = known.get(&name).filter(|_| ignored.is_none());
        Some(BackupAnswer {
            time: timestamp::format_ms(schedule::taken(&name)?.as_millisecond()),
            bytes: path.metadata().map_or(0, |file| file.len()),
            checksum: known.and_then(|known| known.checksum.clone()),
            verified: known.map(|known| timestamp::format_ms(known.verified)),
            ignored,
            name,
        })
    });
    let mut backups: Vec<_> = each.collect();
    backups.sort_by(|one, other| other.name.cmp(&one.name));
    let next = next.map(|next| timestamp::format_ms(next.as_millisecond()));
    Ok(answer(StatusCode::OK, &BackupsAnswer { backups, next }))
}

/// Runs a task about backups on a thread of its own, which goes on if the caller disconnects, and is cancelled when the
/// service stops. 409 if one is running.
async fn run<T: Send + 'static>(
    shared: &HttpState,
    task: impl FnOnce(BackupTask) -> Option<T> + Send + 'static,
) -> Result<T, ApiError> {
    let stop = Arc::<AtomicBool>::default();
    let (done, answer) = oneshot::channel();
    let (ended, has_ended) = oneshot::channel::<()>();
    let mut draining = shared.draining.subscribe();
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = draining.wait_for(|draining| *draining) => stopping.store(true, Ordering::Relaxed),
            _ = has_ended => {}
        }
    });
    let backup = BackupTask::new(&shared.settings, stop);
    let run = move || {
        crate::store::readers::give_way();
        _ = done.send(task(backup));
        drop(ended);
    };
    let failed =
        || ApiError::unavailable("unavailable", "The task could not be run; see the log of the service");
    std::thread::Builder::new().name("backup call".to_owned()).spawn(run).map_err(|_| failed())?;
    let found = answer.await.map_err(|_| failed())?;
    found.ok_or_else(|| {
        ApiError::conflict("A backup is being made or verified; try again when it is complete")
    })
}

/// POST `/backups`: makes a backup now, as the schedule does, and deletes the oldest ones beyond `backup.keep`. Answers once
/// it is complete; if the caller disconnects it goes on, and the next GET shows it.
pub(in crate::http) async fn make(request: OperatorRequest) -> Result<Response, ApiError> {
    request.must_see_all_apps()?;
    let shared = &request.shared;
    let (folder, _) = look(shared).await?;
    let (known, metrics, audit) = (shared.backups.clone(), shared.metrics.clone(), shared.audit.clone());
    let entry = AuditEntry::of(now_ms(), &actor_of(&request.operator), AuditAction::Backup);
    let made = run(shared, move |task| {
        let made = task.make_alone(&folder)?;
        metrics.backup(if made.is_ok() { "made" } else { "failed" });
        let outcome = if made.is_ok() { AuditOutcome::Done } else { AuditOutcome::Failed };
        audit.add_later(AuditEntry { outcome, ..entry });
        Some(made.map(|(path, checked)| {
            let name = name_of(&path);
            known.note(&name, &checked);
            CheckedAnswer::of(name, checked)
        }))
    });
    let made = made.await?.map_err(|error| {
        tracing::error!(%error, "backup failed: {error}");
        ApiError::unavailable("unavailable", "The backup failed; see the log of the service")
    })?;
    Ok(answer(StatusCode::OK, &made))
}

/// POST `/backups/{name}/verify`: reads a backup as `rollcall verify` does. 404 for a name that GET does not list: no path
/// of a caller is opened.
pub(in crate::http) async fn verify(
    request: OperatorRequest,
    extract::Path(name): extract::Path<String>,
) -> Result<Response, ApiError> {
    request.must_see_all_apps()?;
    let shared = &request.shared;
    let (_, found) = look(shared).await?;
    let counted = found.counted.iter().map(|(_, path)| path.as_path());
    let mut all = counted.chain(found.doubtful().map(|(path, _)| path));
    let path = all.find(|path| name_of(path) == name).map(Path::to_owned);
    let path = path.ok_or_else(|| ApiError::not_found("There is no such backup in backup.folder"))?;
    let (known, of) = (shared.backups.clone(), name.clone());
    let verified = run(shared, move |task| {
        let verified = task.verify_alone(&path)?;
        match &verified {
            Ok(checked) => known.note(&of, checked),
            Err(_) => drop(known.lock().remove(&of)),
        }
        Some(verified)
    });
    let answered = match verified.await? {
        Ok(checked) => {
            let backup = Some(CheckedAnswer::of(name.clone(), checked));
            VerifiedAnswer { name, verdict: "whole", said: None, backup }
        }
        Err(CopyError::Stopped) => return Err(ApiError::unavailable("stopping", "The service is stopping")),
        Err(error) => {
            VerifiedAnswer { name, verdict: "damaged", said: Some(error.to_string()), backup: None }
        }
    };
    Ok(answer(StatusCode::OK, &answered))
}
