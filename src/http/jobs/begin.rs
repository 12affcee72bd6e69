//! The start of a job. A dry run tells what it is about, and the job itself is refused unless it names that number: so nothing
//! is done to app users that nobody has seen the count of.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::answer::JobAnswer;
use super::spec::JobSpec;
use crate::clock::now_ms;
use crate::domain::AppId;
use crate::http::audit::actor_of;
use crate::http::error::{ApiError, ErrorMember};
use crate::http::operator_request::OperatorRequest;
use crate::http::{answers, body};
use crate::ingest::job::{OperatorReply, OperatorTask};
use crate::smooch::json::without_mark;
use crate::store::{JobCounts, JobKind, JobState, OperatorJob};

/// What a dry run shows of the parts.
pub(super) const SAMPLE: usize = 20;

/// The answer to a dry run.
#[derive(Serialize)]
pub(super) struct DryRun<S> {
    pub(super) count: u64,
    pub(super) sample: S,
}

/// What is given with the request to start a job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) dry_run: bool,
    pub(super) expect: Option<u64>,
}

impl Asked {
    /// Refuses a job that does not expect what there is. 400 without a number, 409 with another one.
    pub(super) fn must_expect(self, count: u64) -> Result<(), ApiError> {
        let Some(expect) = self.expect else {
            return Err(ApiError::bad_request("expect is missing: the count that a dry run gave"));
        };
        if expect == count {
            return Ok(());
        }
        let why = format!("{count} meet the filter, and not {expect}. Nothing was done");
        Err(ApiError { beside: Some(ErrorMember::Count(count)), ..ApiError::conflict(why) })
    }
}

/// Reads the body of a request for a job.
pub(in crate::http) async fn read_body<T: DeserializeOwned>(
    request: &OperatorRequest,
    headers: &HeaderMap,
    body: Body,
) -> Result<T, ApiError> {
    let shared = &request.shared;
    body::refuse_compressed(headers)?;
    let bounds = shared.body_limits(shared.settings.limits.rest_body);
    let body = body::read(headers, body, bounds, &mut shared.bodies.share(true)).await?;
    let body = without_mark(&body);
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(ApiError::bad_request("The body must be a JSON object"));
    }
    serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("The body cannot be used: {error}")))
}

/// Starts a job of so many parts: 202 with it. 409 with the number of the one that runs.
pub(super) async fn begin(
    request: &OperatorRequest,
    kind: JobKind,
    app: Option<AppId>,
    spec: &JobSpec,
    total: u64,
) -> Result<Response, ApiError> {
    let by = actor_of(&request.operator);
    let job = OperatorJob {
        id: 0,
        app,
        kind,
        spec: Some(spec.to_json()),
        who: by.who,
        role: by.role,
        how: by.how,
        request: by.request,
        state: JobState::Running,
        began: now_ms(),
        ended: None,
        total,
        done: 0,
        failed: 0,
        cursor: String::new(),
        counts: JobCounts::default(),
        result: None,
        file_until: None,
        // The worker writes it.
        epoch: 0,
    };
    let shared = &request.shared;
    match shared.queue.submit_operator(OperatorTask::Begin(job)).await? {
        OperatorReply::Job(Some(job)) => {
            shared.job_begun.notify_one();
            let (id, kind) = (job.id, kind.as_str());
            tracing::info!(job = id, kind, total, "a job of an operator began");
            let answer = JobAnswer::new(&job, request.visibility());
            let mut response = answers::answer(StatusCode::ACCEPTED, &answer);
            if let Ok(place) = HeaderValue::try_from(format!("/jobs/{id}")) {
                response.headers_mut().insert(header::LOCATION, place);
            }
            Ok(response)
        }
        OperatorReply::Busy(running) => {
            let why = format!("Job {running} runs, and one runs at a time: wait for its end, or cancel it");
            Err(ApiError { beside: Some(ErrorMember::Job(running)), ..ApiError::conflict(why) })
        }
        _ => Err(ApiError::unavailable("unavailable", "The job could not be started; try again")),
    }
}
