//! Redrive and drop of all quarantined bodies that meet conditions, each as a job.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::begin::{Asked, DryRun, SAMPLE, begin, read_body};
use super::spec::JobSpec;
use crate::http::answers::answer;
use crate::http::error::ApiError;
use crate::http::operator_request::OperatorRequest;
use crate::http::parameters::TextOrNumber;
use crate::http::quarantine::{QuarantineSelection, QuarantinedAnswer};
use crate::http::reads;
use crate::store::{JobKind, Seq};

/// What a call is asked with. An unknown member is refused: without it, more bodies might be meant.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ManyRequest {
    filter: FilterOfMany,
    #[serde(default)]
    dry_run: bool,
    expect: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilterOfMany {
    app: Option<String>,
    reason: Option<String>,
    since: Option<TextOrNumber>,
    until: Option<TextOrNumber>,
    seqs: Option<BTreeSet<Seq>>,
}

/// POST `/quarantine/redrive`: parses the selected bodies again, the oldest first, as POST `/quarantine/{seq}/redrive`
/// does: 202 with the job.
pub(in crate::http) async fn redrive(
    request: OperatorRequest,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    run(&request, JobKind::Redrive, &headers, body).await
}

/// POST `/quarantine/drop`: deletes the selected bodies, the oldest first: 202 with the job.
pub(in crate::http) async fn drop(
    request: OperatorRequest,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    run(&request, JobKind::Drop, &headers, body).await
}

/// Starts the job; of a dry run, 200 with how many bodies are selected and the first of them.
async fn run(
    request: &OperatorRequest,
    kind: JobKind,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let ManyRequest { filter, dry_run, expect } = read_body(request, headers, body).await?;
    let FilterOfMany { app, reason, since, until, seqs } = filter;
    if let Some(app) = &app {
        request.check_app(app).await?;
    }
    let [since, until] = [since, until].map(|bound| bound.map(|bound| bound.text()));
    let (app, reason, since, until) = (app.as_deref(), reason.as_deref(), since.as_deref(), until.as_deref());
    let selection = QuarantineSelection::new(request, app, reason, since, until)?.with_seqs(seqs);
    let read = reads::QUARANTINE_SELECTION.begin(&request.shared.readers)?;
    let (count, bodies) = selection.find(&read, SAMPLE).await?;
    if dry_run {
        let visibility = request.visibility();
        let sample = bodies.iter().map(|held| QuarantinedAnswer::new(held, visibility));
        return Ok(answer(StatusCode::OK, &DryRun { count, sample: sample.collect::<Vec<_>>() }));
    }
    Asked { dry_run, expect }.must_expect(count)?;
    let app = selection.apps().filter(|apps| apps.len() == 1).and_then(|apps| apps.first().cloned());
    begin(request, kind, app, &JobSpec::Bodies(selection), count).await
}
