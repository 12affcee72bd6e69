//! What the jobs about app users have in common with the list: filter and format.

use axum::http::Method;

use crate::domain::AppId;
use crate::domain::list::Query;
use crate::http::accept::ExportFormat;
use crate::http::error::ApiError;
use crate::http::list_request::{ListRequest, MOST_IN_V1};
use crate::http::parameters;

/// The list call, whose parameters a filter has.
const LIST: &str = "/appusers";

/// Parameters of the list that select nothing.
const OF_PAGES: [&str; 3] = ["limit", "after", "count"];

/// The query of a list in a query string. 400 names the parameter that is wrong.
pub(in crate::http) fn read_filter(filter: &str) -> Result<Query, ApiError> {
    let given: Vec<(String, String)> = serde_urlencoded::from_str(filter)
        .map_err(|_| ApiError::bad_request("The filter is not form-encoded UTF-8"))?;
    if let Some((name, _)) = given.iter().find(|(name, _)| OF_PAGES.contains(&name.as_str())) {
        return Err(ApiError::bad_request(format!("{name} is for pages, and a filter is of all of them")));
    }
    parameters::check(&Method::GET, LIST, &OF_PAGES, &given)?;
    // A filter has no cursor, which would be of an app.
    Ok(ListRequest::read(&AppId::default(), &given, MOST_IN_V1)?.query)
}

/// The format of an export: `ndjson` or `csv`, by default `ndjson`.
pub(super) fn read_format(format: Option<&str>) -> Result<ExportFormat, ApiError> {
    match format {
        None | Some("ndjson") => Ok(ExportFormat::Ndjson),
        Some("csv") => Ok(ExportFormat::Csv),
        Some(_) => Err(ApiError::bad_request("format must be ndjson or csv")),
    }
}
