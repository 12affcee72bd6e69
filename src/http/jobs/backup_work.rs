//! POST `/backups`, POST `/backups/{name}/verify`, and their jobs, each with one part.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::Response;

use super::begin::begin;
use super::spec::JobSpec;
use super::step::NextStep;
use crate::http::console::backups::{self, BackupRun};
use crate::http::error::ApiError;
use crate::http::operator_request::OperatorRequest;
use crate::http::state::HttpState;
use crate::ingest::job::{JobPart, PartWork};
use crate::store::{JobKind, JobState, OperatorJob};

/// POST `/backups`: makes a backup now, as the schedule does, and deletes the oldest ones beyond `backup.keep`: 202 with the
/// job.
pub(in crate::http) async fn start(request: OperatorRequest) -> Result<Response, ApiError> {
    request.must_see_all_apps()?;
    backups::look(&request.shared).await?;
    begin(&request, JobKind::Backup, None, &JobSpec::Backup {}, 1).await
}

/// POST `/backups/{name}/verify`: reads a backup as `rollcall verify` does: 202 with the job. 404 for a name that GET does
/// not list: no path of a caller is opened.
pub(in crate::http) async fn start_verification(
    request: OperatorRequest,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    request.must_see_all_apps()?;
    backups::find(&request.shared, &name).await?;
    begin(&request, JobKind::VerifyBackup, None, &JobSpec::VerifyBackup { name }, 1).await
}

/// Makes a backup; `None` if the service stops first.
pub(super) async fn make(shared: &Arc<HttpState>, job: &OperatorJob) -> Result<Option<NextStep>, ApiError> {
    Ok(backups::make_one(shared).await?.map(|run| step(job, "backup", run)))
}

/// Verifies a backup; `None` if the service stops first.
pub(super) async fn verify(
    shared: &Arc<HttpState>,
    job: &OperatorJob,
    name: &str,
) -> Result<Option<NextStep>, ApiError> {
    Ok(backups::verify_one(shared, name).await?.map(|run| step(job, name, run)))
}

fn step(job: &OperatorJob, about: &str, run: BackupRun) -> NextStep {
    let (work, state, result) = match run {
        BackupRun::Done(result) => (PartWork::DoneOutside(1), JobState::Done, result),
        BackupRun::Failed(result) => (PartWork::Failed("failed".to_owned()), JobState::Failed, result),
    };
    let (about, cursor) = (about.to_owned(), job.cursor.clone());
    let part = Arc::new(JobPart { about, cursor: cursor.clone(), work });
    NextStep { parts: vec![part], cursor, end: Some((state, Some(result.to_string()))) }
}
