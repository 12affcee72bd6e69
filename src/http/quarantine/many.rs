//! Redrive and drop of all quarantined bodies that meet conditions. A dry run counts them, and the run itself is refused
//! unless it names that number: so nothing is done to bodies that nobody has seen the count of.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures_util::stream::{StreamExt as _, iter};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::QuarantinedAnswer;
use super::selection::QuarantineSelection;
use crate::http::admin_actions::{Redriven, redrive_one};
use crate::http::answers::answer;
use crate::http::audit::ByActor;
use crate::http::error::{ApiError, ErrorMember};
use crate::http::operator_request::OperatorRequest;
use crate::http::{body, reads};
use crate::smooch::json::without_mark;
use crate::store::Seq;
use crate::store::tables::QuarantinedSummary;

/// The most bodies of one call.
const MOST: usize = 1_000;

/// Bodies that a dry run shows.
const SAMPLE: usize = 20;

/// Jobs in the queue at once, so that webhooks do not wait for a long row of them.
const AT_ONCE: usize = 4;

/// Bodies that one job drops.
const DROPPED_AT_ONCE: usize = 50;

/// How long a job waits for room in the queue.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// What a call is asked with. An unknown member is refused: without it, more bodies might be meant.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ManyRequest {
    filter: FilterOfMany,
    #[serde(default)]
    dry_run: bool,
    expect: Option<usize>,
    after: Option<Seq>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilterOfMany {
    app: Option<String>,
    reason: Option<String>,
    since: Option<Bound>,
    until: Option<Bound>,
    seqs: Option<BTreeSet<Seq>>,
}

/// A number, or a time as text or as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Bound {
    Text(String),
    Number(serde_json::Number),
}

impl Bound {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

#[derive(Serialize)]
struct DryRun<'q> {
    count: usize,
    sample: Vec<QuarantinedAnswer<'q>>,
}

/// What became of the bodies.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    done: usize,
    left: Vec<LeftBody>,
    missing: usize,
    learned: usize,
    kept: usize,
    repeated: usize,
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Seq>,
    remaining: usize,
}

/// A body that stays in quarantine.
#[derive(Serialize)]
struct LeftBody {
    seq: Seq,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// POST `/quarantine/redrive`: parses the selected bodies again, the oldest first, as POST `/quarantine/{seq}/redrive`
/// does: at most 1,000 in a call.
pub(in crate::http) async fn redrive(
    request: OperatorRequest,
    ByActor(by): ByActor,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let chosen = match Chosen::read(&request, &headers, body).await? {
        Ok(chosen) => chosen,
        Err(dry) => return Ok(dry),
    };
    let (shared, operator) = (&*request.shared, &*request.operator);
    let by = &by;
    let tries = iter(chosen.seqs()).map(|seq| async move {
        (seq, patiently(|| redrive_one(shared, seq, by.clone(), |app| operator.sees(app))).await)
    });
    let mut tries = tries.buffered(AT_ONCE);
    let mut done = Done::default();
    while let Some((seq, tried)) = tries.next().await {
        match tried {
            Ok(None) => done.missing += 1,
            Ok(Some(redriven)) => done.add(seq, redriven, !request.visibility().is_masked()),
            Err(error) => {
                done.stop(error)?;
                break;
            }
        }
        done.after = Some(seq);
        if *shared.draining.borrow() {
            break;
        }
    }
    tracing::info!(done = done.done, left = done.left.len(), "bodies in quarantine were redriven");
    Ok(chosen.answer(done))
}

/// POST `/quarantine/drop`: deletes the selected bodies, the oldest first: at most 1,000 in a call.
pub(in crate::http) async fn drop(
    request: OperatorRequest,
    ByActor(by): ByActor,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let chosen = match Chosen::read(&request, &headers, body).await? {
        Ok(chosen) => chosen,
        Err(dry) => return Ok(dry),
    };
    let queue = &request.shared.queue;
    let mut done = Done::default();
    for seqs in chosen.seqs().chunks(DROPPED_AT_ONCE) {
        let dropped =
            patiently(|| async { Ok(queue.drop_quarantined(seqs.to_vec(), by.clone()).await?) }).await;
        match dropped {
            Ok(dropped) => {
                done.done += dropped;
                done.missing += seqs.len() - dropped;
            }
            Err(error) => {
                done.stop(error)?;
                break;
            }
        }
        done.after = seqs.last().copied();
        if *request.shared.draining.borrow() {
            break;
        }
    }
    tracing::info!(done = done.done, "bodies in quarantine were given up");
    Ok(chosen.answer(done))
}

/// The bodies of a run.
struct Chosen {
    bodies: Vec<QuarantinedSummary>,
    count: usize,
}

impl Chosen {
    /// Reads the request, and finds the first of the selected bodies; of a dry run the answer. 409 unless there are as
    /// many as is expected.
    async fn read(
        request: &OperatorRequest,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Result<Self, Response>, ApiError> {
        let shared = &request.shared;
        let bounds = shared.body_limits(shared.settings.limits.rest_body);
        let body = body::read(headers, body, bounds, &mut shared.bodies.share(true)).await?;
        let asked: ManyRequest = serde_json::from_slice(without_mark(&body)).map_err(|error| {
            ApiError::bad_request(format!("The body is not a selection of bodies: {error}"))
        })?;
        let FilterOfMany { app, reason, since, until, seqs } = asked.filter;
        let [since, until] = [since, until].map(|bound| bound.map(|bound| bound.text()));
        if let Some(app) = &app {
            request.check_app(app).await?;
        }
        let selection = QuarantineSelection::new(
            request,
            app.as_deref(),
            reason.as_deref(),
            since.as_deref(),
            until.as_deref(),
        )?;
        let reads = reads::QUARANTINE_SELECTION.begin(&shared.readers)?;
        let (count, bodies) = selection.with_seqs(seqs).find(&reads, asked.after, MOST).await?;
        if asked.dry_run {
            let sample = bodies.iter().take(SAMPLE);
            let sample = sample.map(|held| QuarantinedAnswer::new(held, request.visibility())).collect();
            return Ok(Err(answer(StatusCode::OK, &DryRun { count, sample })));
        }
        let Some(expect) = asked.expect else {
            return Err(ApiError::bad_request("expect is missing: the count that a dry run gave"));
        };
        if expect != count {
            let why = format!("{count} bodies meet the filter, and not {expect}. Nothing was done");
            let beside = Some(ErrorMember::Count(count as u64));
            return Err(ApiError { beside, ..ApiError::conflict(why) });
        }
        Ok(Ok(Self { bodies, count }))
    }

    fn seqs(&self) -> Vec<Seq> {
        self.bodies.iter().map(|held| held.seq).collect()
    }

    fn answer(&self, done: Done) -> Response {
        let tried = done.done + done.left.len() + done.missing;
        let remaining = self.count.saturating_sub(tried);
        let has_more = remaining > 0;
        let after = done.after.filter(|_| has_more);
        answer(StatusCode::OK, &Done { has_more, after, remaining, ..done })
    }
}

impl Done {
    fn add(&mut self, seq: Seq, Redriven { result, trouble }: Redriven, with_detail: bool) {
        self.learned += result.learned;
        self.kept += result.kept;
        self.repeated += result.repeated;
        match trouble {
            Some((reason, detail)) => {
                let detail = Some(detail).filter(|_| with_detail);
                self.left.push(LeftBody { seq, reason: reason.to_owned(), detail });
            }
            None => self.done += 1,
        }
    }

    /// Ends the run early: the answer is what was done before, and the next call gets the error if it lasts. If nothing was
    /// done, the error is the answer.
    fn stop(&self, error: ApiError) -> Result<(), ApiError> {
        if self.after.is_none() { Err(error) } else { Ok(()) }
    }
}

/// Tries until there is room in the queue, for a while.
async fn patiently<T, F: Future<Output = Result<T, ApiError>>>(
    attempt: impl Fn() -> F,
) -> Result<T, ApiError> {
    let until = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Err(error) if error.code == "too_busy" && Instant::now() < until => sleep(PAUSE).await,
            tried => return tried,
        }
    }
}
