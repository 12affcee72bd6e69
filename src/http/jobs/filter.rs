//! What the jobs about app users have in common with the list: filter and format.

use crate::domain::list::{Query, Sort};
use crate::http::accept::ExportFormat;
use crate::http::error::ApiError;
use crate::http::export::read_query;
use crate::http::parameters;

/// The query of a list in a query string, in the order of the `_id`s. 400 names the parameter that is wrong.
pub(in crate::http) fn read_filter(filter: &str) -> Result<Query, ApiError> {
    let query = read_query(&parameters::parse(filter)?)?;
    Ok(Query { sort: Sort::Id, descending: false, ..query })
}

/// The format of an export: `ndjson` or `csv`, by default `ndjson`.
pub(super) fn read_format(format: Option<&str>) -> Result<ExportFormat, ApiError> {
    match format {
        None | Some("ndjson") => Ok(ExportFormat::Ndjson),
        Some("csv") => Ok(ExportFormat::Csv),
        Some(_) => Err(ApiError::bad_request("format must be ndjson or csv")),
    }
}
