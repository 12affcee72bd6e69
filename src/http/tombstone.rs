//! GET `/v1/apps/{app}/tombstones/{id}`: what is left of a removed or erased app user.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::answers::answer;
use super::api_request::ApiRequest;
use super::erasure::ErasureReport;
use super::error::ApiError;
use super::reads;
use crate::directory::DirectoryReader;
use crate::domain::SmoochId;

#[derive(Serialize)]
struct TombstoneAnswer<'a> {
    #[serde(rename = "_id")]
    id: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    erasure: Option<ErasureReport<'a>>,
}

/// GET `/v1/apps/{app}/tombstones/{id}`, for operators: whether an `_id` was removed or erased, and the receipt of its erasure.
/// 404 for an `_id` that is an app user, and for one that nothing has named.
pub(super) async fn get(request: ApiRequest) -> Result<Response, ApiError> {
    let app = request.caller.app.clone();
    let id = SmoochId::from(request.path.user.as_deref().unwrap_or_default());
    let ids = BTreeSet::from([id.clone()]);
    let read = move |reader: &mut DirectoryReader| {
        let record = reader.read_records(&app, &ids)?.pop().map(|(_, record)| record);
        let receipt = ids.first().map(|id| reader.find_receipt(&app, id)).transpose()?.flatten();
        Ok((record, receipt))
    };
    let (record, receipt) = reads::TOMBSTONE.run(&request.shared.readers, read).await?;
    let state = match (&record, &receipt) {
        (_, Some(_)) => "erased",
        (Some(record), None) if record.erased => "erased",
        (Some(record), None) if record.removed => "removed",
        _ => return Err(ApiError::not_found("No app user with this _id was removed or erased")),
    };
    let erasure = receipt.as_ref().map(ErasureReport::of_database);
    Ok(answer(StatusCode::OK, &TombstoneAnswer { id: id.as_str(), state, erasure }))
}
