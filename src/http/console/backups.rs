//! The backups in `backup.folder`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::config::StoreUrl;
use crate::domain::timestamp;
use crate::http::answers::answer;
use crate::http::error::ApiError;
use crate::http::operator_request::OperatorRequest;
use crate::http::state::HttpState;
use crate::schedule::{self, BackupFolder, BackupTask};
use crate::store::sqlite::{Checked, CopyError};

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

/// The folder, and what is in it. 409 without one.
pub(in crate::http) async fn look(shared: &HttpState) -> Result<(PathBuf, BackupFolder), ApiError> {
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

/// What came of making or verifying a backup, as JSON.
pub(in crate::http) enum BackupRun {
    Done(Value),
    Failed(Value),
}

/// Runs a task about backups on a thread of its own, which is cancelled when the service stops; `None` then. An error if
/// another one is running.
async fn run<T: Send + 'static>(
    shared: &HttpState,
    task: impl FnOnce(BackupTask) -> Option<T> + Send + 'static,
) -> Result<Option<T>, ApiError> {
    let stop = Arc::<AtomicBool>::default();
    let (done, answer) = oneshot::channel();
    let backup = BackupTask::new(&shared.settings, stop.clone());
    let run = move || {
        crate::store::readers::give_way();
        _ = done.send(task(backup));
    };
    let failed =
        || ApiError::unavailable("unavailable", "The task could not be run; see the log of the service");
    std::thread::Builder::new().name("backup call".to_owned()).spawn(run).map_err(|_| failed())?;
    let mut draining = shared.draining.subscribe();
    let found = tokio::select! {
        _ = draining.wait_for(|draining| *draining) => {
            stop.store(true, Ordering::Relaxed);
            return Ok(None);
        }
        found = answer => found.map_err(|_| failed())?,
    };
    let busy =
        || ApiError::unavailable("busy", "A scheduled backup is being made; the job waits for its end");
    found.map(Some).ok_or_else(busy)
}

/// Makes a backup; `None` if the service stops first.
pub(in crate::http) async fn make_one(shared: &HttpState) -> Result<Option<BackupRun>, ApiError> {
    let (folder, _) = look(shared).await?;
    let Some(made) = run(shared, move |task| task.make_alone(&folder)).await? else { return Ok(None) };
    Ok(match made {
        Ok((path, checked)) => {
            shared.metrics.backup("made");
            let name = name_of(&path);
            shared.backups.note(&name, &checked);
            Some(BackupRun::Done(json!(CheckedAnswer::of(name, checked))))
        }
        Err(CopyError::Stopped) => None,
        Err(error) => {
            tracing::error!(%error, "backup failed: {error}");
            shared.metrics.backup("failed");
            let said = json!({ "code": "backup_failed", "description": error.to_string() });
            Some(BackupRun::Failed(json!({ "error": said })))
        }
    })
}

/// The path of a backup that GET lists.
pub(in crate::http) async fn find(shared: &HttpState, name: &str) -> Result<PathBuf, ApiError> {
    let (_, found) = look(shared).await?;
    let counted = found.counted.iter().map(|(_, path)| path.as_path());
    let mut all = counted.chain(found.doubtful().map(|(path, _)| path));
    let path = all.find(|path| name_of(path) == name).map(Path::to_owned);
    path.ok_or_else(|| ApiError::not_found("There is no such backup in backup.folder"))
}

/// Verifies a backup; `None` if the service stops first.
pub(in crate::http) async fn verify_one(
    shared: &HttpState,
    name: &str,
) -> Result<Option<BackupRun>, ApiError> {
    let path = find(shared, name).await?;
    let Some(verified) = run(shared, move |task| task.verify_alone(&path)).await? else { return Ok(None) };
    let name = name.to_owned();
    Ok(match verified {
        Ok(checked) => {
            shared.backups.note(&name, &checked);
            let backup = Some(CheckedAnswer::of(name.clone(), checked));
            let answer = VerifiedAnswer { name, verdict: "whole", said: None, backup };
            Some(BackupRun::Done(json!(answer)))
        }
        Err(CopyError::Stopped) => None,
        Err(error) => {
            shared.backups.lock().remove(&name);
            let answer =
                VerifiedAnswer { name, verdict: "damaged", said: Some(error.to_string()), backup: None };
            Some(BackupRun::Failed(json!(answer)))
        }
    })
}
