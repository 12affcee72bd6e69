//! The calls of `/jobs`.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;

use super::answer::JobAnswer;
use super::begin::{DryRun, begin, read_body};
use super::request::UsersJob;
use super::spec::JobSpec;
use crate::directory::DirectoryReader;
use crate::http::answers::{self, raw_array};
use crate::http::audit::ByActor;
use crate::http::error::ApiError;
use crate::http::operator_request::{OperatorRequest, number_in_path};
use crate::http::parameters::{limit, number};
use crate::http::reads;
use crate::ingest::job::{OperatorReply, OperatorTask};
use crate::store::{JobFailure, OperatorJob, Seq};

/// The sizes of pages of jobs and of failures.
const DEFAULT_LIMIT: usize = 50;
const MOST: usize = 200;

/// POST `/jobs`: starts a job about the app users of a list or of a segment, 202 with the job. With `dryRun`, 200 with how
/// many there are and some of them.
pub(in crate::http) async fn create(
    request: OperatorRequest,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let job = UsersJob::read(&request, read_body(&request, &headers, body).await?).await?;
    let count = job.count(&request).await?;
    if job.asked.dry_run {
        let sample = raw_array(job.sample(&request).await?);
        return Ok(answers::answer(StatusCode::OK, &DryRun { count, sample }));
    }
    job.asked.must_expect(count)?;
    job.may_be_of(count)?;
    begin(&request, job.kind, Some(job.app.clone()), &job.spec(), count).await
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobsPage<'j> {
    jobs: Vec<JobAnswer<'j>>,
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

/// GET `/jobs`: the jobs, the newest first.
pub(in crate::http) async fn list(request: OperatorRequest) -> Result<Response, ApiError> {
    let size = request.value("limit").map_or(Ok(DEFAULT_LIMIT), |value| limit("limit", value, MOST))?;
    let before = request.value("after").map(number_of_cursor).transpose()?;
    // All that are kept: the operator may not see some of them.
    let read = move |reader: &mut DirectoryReader| reader.list_operator_jobs(before, usize::MAX);
    let jobs = reads::JOBS.run(&request.shared.readers, read).await?;
    let mut seen: Vec<&OperatorJob> = jobs.iter().filter(|job| sees(&request, job)).collect();
    let has_more = seen.len() > size;
    seen.truncate(size);
    let after = seen.last().filter(|_| has_more).map(|job| job.id.to_string());
    let visibility = request.visibility();
    let jobs = seen.into_iter().map(|job| JobAnswer::new(job, visibility)).collect();
    Ok(answers::answer(StatusCode::OK, &JobsPage { jobs, has_more, after }))
}

fn number_of_cursor(value: &str) -> Result<u64, ApiError> {
    number(value).ok_or_else(|| ApiError::bad_request("after is not a cursor of this list"))
}

/// Whether the operator may see a job: it is about apps that they see.
fn sees(request: &OperatorRequest, job: &OperatorJob) -> bool {
    let operator = &request.operator;
    match (&job.app, &operator.apps) {
        (Some(app), _) => operator.sees(app),
        (None, None) => true,
        (None, Some(_)) => {
            let apps = job.spec.as_deref().and_then(|spec| JobSpec::read(spec).ok());
            let apps = apps.and_then(|spec| spec.apps().cloned());
            apps.is_some_and(|apps| apps.iter().all(|app| operator.sees(app)))
        }
    }
}

/// The job in the path. 404 if there is none that the operator may see.
pub(super) async fn find(request: &OperatorRequest, id: &str) -> Result<OperatorJob, ApiError> {
    let id = number_in_path(id)?;
    let job = reads::JOB.run(&request.shared.readers, move |reader| reader.find_operator_job(id)).await?;
    job.filter(|job| sees(request, job)).ok_or_else(no_job)
}

fn no_job() -> ApiError {
    ApiError::not_found("There is no job with this number")
}

/// GET `/jobs/{id}`.
pub(in crate::http) async fn show(
    request: OperatorRequest,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let job = find(&request, &id).await?;
    Ok(answers::answer(StatusCode::OK, &JobAnswer::new(&job, request.visibility())))
}

/// DELETE `/jobs/{id}`: cancels a job that runs, and shows it. What it did stays done; nothing more is done once this is
/// answered. One that has ended stays as it is.
pub(in crate::http) async fn cancel(
    request: OperatorRequest,
    ByActor(by): ByActor,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let job = find(&request, &id).await?;
    let reply = request.shared.queue.submit_operator(OperatorTask::Cancel(job.id, by)).await?;
    let OperatorReply::Job(Some(job)) = reply else { return Err(no_job()) };
    request.shared.job_begun.notify_one();
    Ok(answers::answer(StatusCode::OK, &JobAnswer::new(&job, request.visibility())))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FailuresPage<'f> {
    failures: Vec<FailureAnswer<'f>>,
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

/// A part that failed.
#[derive(Serialize)]
struct FailureAnswer<'f> {
    /// An `_id`, or a number.
    about: &'f str,
    reason: &'f str,
}

/// GET `/jobs/{id}/failures`: the parts that failed, in the order of the job.
pub(in crate::http) async fn failures(
    request: OperatorRequest,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let size = request.value("limit").map_or(Ok(DEFAULT_LIMIT), |value| limit("limit", value, MOST))?;
    let after = request.value("after").map_or(Ok(0), number_of_cursor)?;
    let job: Seq = find(&request, &id).await?.id;
    let read = move |reader: &mut DirectoryReader| reader.list_job_failures(job, after, size + 1);
    let mut failures: Vec<JobFailure> = reads::JOB_FAILURES.run(&request.shared.readers, read).await?;
    let has_more = failures.len() > size;
    failures.truncate(size);
    let after = failures.last().filter(|_| has_more).map(|last| last.n.to_string());
    let failures =
        failures.iter().map(|failed| FailureAnswer { about: &failed.about, reason: &failed.reason });
    let page = FailuresPage { failures: failures.collect(), has_more, after };
    Ok(answers::answer(StatusCode::OK, &page))
}
