//! Segments: named list queries of an app, which its operators share.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::answers::{EMPTY, answer, json};
use super::audit::ByActor;
use super::error::ApiError;
use super::jobs::{read_body, read_filter};
use super::operator_request::OperatorRequest;
use super::parameters::text;
use super::reads;
use crate::clock::now_ms;
use crate::directory::DirectoryReader;
use crate::directory::operator_jobs::MOST_SEGMENTS;
use crate::domain::list::Query;
use crate::domain::timestamp::format_ms;
use crate::domain::{AppId, Visibility};
use crate::ingest::job::{OperatorReply, OperatorTask};
use crate::store::Segment;

/// The longest name and the longest query, in bytes.
const LONGEST_NAME: usize = 200;
const LONGEST_QUERY: usize = 4096;

#[derive(Serialize)]
struct SegmentsAnswer<'s> {
    segments: Vec<SegmentAnswer<'s>>,
}

/// A segment as answers show it.
#[derive(Serialize)]
struct SegmentAnswer<'s> {
    id: &'s str,
    app: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'s str>,
    time: String,
    /// Why the query is not understood any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    masked: &'static [&'static str],
}

impl<'s> SegmentAnswer<'s> {
    fn new(segment: &'s Segment, visibility: Visibility) -> Self {
        let read = read_filter(&segment.query);
        let is_hidden = is_private(read.as_ref().ok()) && visibility.is_masked();
        let problem = read.err().map(|error| error.description.into_owned()).filter(|_| !is_hidden);
        Self {
            id: &segment.id,
            app: segment.app.as_str(),
            name: Some(&*segment.name).filter(|_| !is_hidden),
            query: Some(&*segment.query).filter(|_| !is_hidden),
            by: segment.who.as_deref(),
            time: format_ms(segment.time),
            problem,
            masked: if is_hidden { &["name", "query"] } else { &[] },
        }
    }
}

/// Whether a segment with this query may have values of people. One that is not understood may.
fn is_private(query: Option<&Query>) -> bool {
    query.is_none_or(|query| query.filter.private_parameter().is_some())
}

/// What a segment is created with. An unknown member is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSegment {
    app: String,
    name: String,
    query: String,
}

/// What a segment is changed to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangedSegment {
    name: String,
    query: String,
}

/// GET `/segments`: those of the apps that the operator may see, or of `app`, in the order of their names.
pub(super) async fn list(request: OperatorRequest) -> Result<Response, ApiError> {
    let apps = request.apps(request.value("app"));
    let read = |reader: &mut DirectoryReader| reader.list_segments();
    let segments = reads::SEGMENTS.run(&request.shared.readers, read).await?;
    let visibility = request.visibility();
    let is_seen = |segment: &&Segment| apps.as_ref().is_none_or(|apps| apps.contains(&segment.app));
    let segments = segments.iter().filter(is_seen).map(|segment| SegmentAnswer::new(segment, visibility));
    Ok(answer(StatusCode::OK, &SegmentsAnswer { segments: segments.collect() }))
}

/// GET `/segments/{id}`: a segment of an app that the operator may see; 404 if there is none.
pub(super) async fn show(request: OperatorRequest, Path(id): Path<String>) -> Result<Response, ApiError> {
    let segment = request.find_segment(&id).await?;
    Ok(answer(StatusCode::OK, &SegmentAnswer::new(&segment, request.visibility())))
}

/// POST `/segments`: 201 with the new segment; 409 if another one of the app has the name.
pub(super) async fn create(
    request: OperatorRequest,
    ByActor(by): ByActor,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let NewSegment { app, name, query } = read_body(&request, &headers, body).await?;
    request.check_app(&app).await?;
    let app = AppId::from(app.as_str());
    let id = generate_segment_id();
    let segment = Segment { id, app, name, query, who: by.who.clone(), time: now_ms() };
    check(&request, &segment)?;
    store(&request, OperatorTask::PutSegment(segment.clone(), by)).await?;
    Ok(answer(StatusCode::CREATED, &SegmentAnswer::new(&segment, request.visibility())))
}

/// PUT `/segments/{id}`: changes name and query.
pub(super) async fn update(
    request: OperatorRequest,
    ByActor(by): ByActor,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let ChangedSegment { name, query } = read_body(&request, &headers, body).await?;
    let known = find_seen(&request, &id).await?;
    let segment = Segment { name, query, who: by.who.clone(), time: now_ms(), ..known };
    check(&request, &segment)?;
    store(&request, OperatorTask::PutSegment(segment.clone(), by)).await?;
    Ok(answer(StatusCode::OK, &SegmentAnswer::new(&segment, request.visibility())))
}

/// DELETE `/segments/{id}`.
pub(super) async fn delete(
    request: OperatorRequest,
    ByActor(by): ByActor,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let segment = find_seen(&request, &id).await?;
    store(&request, OperatorTask::DeleteSegment(segment.id, by)).await?;
    Ok(json(StatusCode::OK, EMPTY))
}

/// The segment with this id, if the operator may see its filter. 403 for a filter by values that they may not see, 404
/// if there is no such segment.
async fn find_seen(request: &OperatorRequest, id: &str) -> Result<Segment, ApiError> {
    let segment = request.find_segment(id).await?;
    if is_private(read_filter(&segment.query).ok().as_ref()) {
        request.must_see_values("A segment by values of people")?;
    }
    Ok(segment)
}

/// An id that no other segment has: 24 hexadecimal digits.
fn generate_segment_id() -> String {
    let mut random = [0; 12];
    getrandom::fill(&mut random).expect("the system gives random bytes");
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 400 for a name or a query that cannot be, 403 for one with values that the operator may not see.
fn check(request: &OperatorRequest, segment: &Segment) -> Result<(), ApiError> {
    let Segment { name, query, .. } = segment;
    text("name", name.trim())?;
    for (what, value, most) in [("name", name, LONGEST_NAME), ("query", query, LONGEST_QUERY)] {
        if value.len() > most {
            return Err(ApiError::bad_request(format!("{what} must have at most {most} bytes")));
        }
    }
    let private = read_filter(query)?.filter.private_parameter();
    private.map_or(Ok(()), |name| request.must_see_values(&format!("A segment by {name}")))
}

async fn store(request: &OperatorRequest, task: OperatorTask) -> Result<(), ApiError> {
    match request.shared.queue.submit_operator(task).await? {
        OperatorReply::Segment(true) => Ok(()),
        OperatorReply::Segment(false) => Err(ApiError::not_found("There is no segment with this id")),
        OperatorReply::NameTaken => Err(ApiError::conflict("Another segment of the app has this name")),
        OperatorReply::TooManySegments => {
            Err(ApiError::conflict(format!("An app has at most {MOST_SEGMENTS} segments: delete one first")))
        }
        _ => Err(ApiError::unavailable("unavailable", "The segment could not be stored; try again")),
    }
}
