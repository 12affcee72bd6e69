//! The apps that an operator may ask about. One rule for all calls: an app that is named and not the operator's is 403,
//! whether it exists or not; a number of an entry or a body of another app is 404, as if it did not exist.

use axum::http::StatusCode;
use serde_json::json;

use super::error::ApiError;
use crate::domain::AppId;
use crate::operators::Operator;

/// Refuses, with 403, an app that is named and that the operator may not see, whether it exists or not.
pub(super) fn must_see(operator: &Operator, app: &AppId) -> Result<(), ApiError> {
    let why = "The operator may not see this app (`apps` of the operator)";
    if operator.sees(app) { Ok(()) } else { Err(ApiError::forbidden(why)) }
}

/// The refusal of an app that a parameter names and that there is none of; the settings have the `known` ones.
pub(super) fn unknown_app(app: &AppId, known: impl Iterator<Item = AppId>) -> ApiError {
    let mut known: Vec<String> = known.map(|app| app.as_str().to_owned()).collect();
    known.sort_unstable();
    let (app, known) = (json!(app.as_str()), known.join(", "));
    let why = format!("there is no app {app}: it is not in the settings of the service, which has {known}");
    ApiError::new(StatusCode::BAD_REQUEST, "app_not_found", why)
}

/// Refuses, with 403, an operator of some apps alone: the call is about the service as a whole.
pub(super) fn must_see_all_apps(operator: &Operator) -> Result<(), ApiError> {
    let why =
        "This is about the whole service, and the operator sees some apps alone (`apps` of the operator)";
    if operator.apps.is_some() { Err(ApiError::forbidden(why)) } else { Ok(()) }
}
