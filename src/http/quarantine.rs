//! The quarantine for operators: the bodies in it, with their reasons.

mod selection;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::answers::answer;
use super::attachment::attachment;
use super::error::ApiError;
use super::list_cursor;
use super::operator_request::{OperatorRequest, number_in_path};
use super::parameters::limit;
use super::reads;
use crate::directory::DirectoryReader;
use crate::domain::Visibility;
use crate::domain::timestamp::format_ms;
use crate::operators::Operator;
use crate::store::rows::RowFilter;
use crate::store::tables::QuarantinedSummary;
use crate::store::{AuditEntry, Quarantined, Seq};
pub(super) use selection::{QuarantineSelection, SelectedBodies};

const DEFAULT_LIMIT: usize = 50;
const MOST: usize = 200;

/// The most bodies that one page looks at.
const MOST_LOOKED: usize = 20_000;

/// Members that are left out for an operator who may not see the data of people: a detail may have names of a body.
const MASKED: [&str; 2] = ["detail", "headers"];

/// A body in quarantine, without the body itself.
#[derive(Serialize)]
pub(super) struct QuarantinedAnswer<'q> {
    seq: Seq,
    app: &'q str,
    received: String,
    reason: &'q str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'q str>,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Vec<&'q str>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    masked: &'static [&'static str],
}

impl<'q> QuarantinedAnswer<'q> {
    pub(super) fn new(held: &'q QuarantinedSummary, visibility: Visibility) -> Self {
        Self {
            seq: held.seq,
            app: held.app.as_str(),
            received: format_ms(held.received),
            reason: &held.reason,
            detail: Some(&*held.detail).filter(|_| !visibility.is_masked()),
            bytes: held.bytes,
            headers: None,
            masked: if visibility.is_masked() { &MASKED[..1] } else { &[] },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QuarantinePage<'q> {
    bodies: Vec<QuarantinedAnswer<'q>>,
    reasons: Vec<ReasonCount<'q>>,
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    looked: usize,
}

/// How many bodies have a reason.
#[derive(Serialize)]
struct ReasonCount<'q> {
    reason: &'q str,
    count: usize,
}

/// GET `/quarantine`: the bodies that meet the conditions, the newest first, and how many of each reason there are. The
/// numbers disregard `reason`. `limit` is 1 to 200, by default 50; `after` continues from the page before. A page looks at
/// no more than 20,000 bodies.
pub(super) async fn list(request: OperatorRequest) -> Result<Response, ApiError> {
    let selection = QuarantineSelection::of_query(&request)?;
    let size = request.value("limit").map_or(Ok(DEFAULT_LIMIT), |value| limit("limit", value, MOST))?;
    let asked = list_cursor::list_of("quarantine", &request.query);
    let after = request.value("after").map(|after| list_cursor::place::<Seq>(&asked, "after", after));
    let after = after.transpose()?;
    let reads = reads::QUARANTINE_PAGE.begin(&request.shared.readers)?;
    let of_reason = selection.clone();
    let page = move |reader: &mut DirectoryReader| of_reason.page(reader, after, size, MOST_LOOKED);
    let page = reads.run(page).await?;
    let reasons = selection.count_reasons(&reads).await?;
    let bodies = page.bodies.iter().map(|held| QuarantinedAnswer::new(held, request.visibility()));
    let answered = QuarantinePage {
        bodies: bodies.collect(),
        reasons: reasons.iter().map(|(reason, count)| ReasonCount { reason, count: *count }).collect(),
        has_more: page.next.is_some(),
        after: page.next.map(|next| list_cursor::cursor(&asked, &next)),
        looked: page.looked,
    };
    Ok(answer(StatusCode::OK, &answered))
}

/// GET `/quarantine/{seq}`: a body with the headers of its request, credentials masked.
pub(super) async fn show(request: OperatorRequest, Path(seq): Path<String>) -> Result<Response, ApiError> {
    let (held, body) = find(&request, number_in_path(&seq)?).await?;
    let mut shown = QuarantinedAnswer::new(&held, request.visibility());
    match request.visibility() {
        Visibility::Whole => shown.headers = Some(body.headers.lines().collect()),
        Visibility::Masked => shown.masked = &MASKED,
    }
    Ok(answer(StatusCode::OK, &shown))
}

/// GET `/quarantine/{seq}/body`: the bytes as received.
pub(super) async fn body(request: OperatorRequest, Path(seq): Path<String>) -> Result<Response, ApiError> {
    request.must_see_people()?;
    let seq = number_in_path(&seq)?;
    let (_, found) = find(&request, seq).await?;
    // A body that the audit log may not tell of is not shown.
    request.audit_body(&found.app, |shown| AuditEntry { bodies: vec![seq], ..shown }).await?;
    Ok(attachment(&format!("quarantine-{seq}.json"), found.body))
}

/// A body that the operator may see.
async fn find(request: &OperatorRequest, seq: Seq) -> Result<(QuarantinedSummary, Quarantined), ApiError> {
    let find = move |reader: &mut DirectoryReader| {
        let filter = RowFilter { from: seq, to: seq, ..RowFilter::default() };
        Ok(reader.list_quarantined(&filter, 1)?.pop().zip(reader.find_quarantined(seq)?))
    };
    let found = reads::QUARANTINED_BODY.run(&request.shared.readers, find).await?;
    let operator: &Operator = &request.operator;
    found.filter(|(held, _)| operator.sees(&held.app)).ok_or_else(not_held)
}

/// The refusal of a number that no body in quarantine has.
pub(super) fn not_held() -> ApiError {
    ApiError::not_found("There is no such body in quarantine")
}
