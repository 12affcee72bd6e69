//! The device calls: init and update.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;

use super::answers::{json, raw, to_json};
use super::api_request::{ApiRequest, UserRepresentation};
use super::error::{ApiError, no_user};
use crate::domain::command::{Action, Authority};
use crate::domain::{NAME_BYTES, is_longer, timestamp};
use crate::smooch::{rest, v1};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitAnswer<'a> {
    app: Option<&'a RawValue>,
    app_user: Box<RawValue>,
}

/// POST `…/init`: a device starts. 200 with the app and the app user, created or known; its `_id` may
/// differ from the one before.
pub(super) async fn init(request: ApiRequest) -> Result<Response, ApiError> {
    let rest::v1::InitRequest { device, user_id, brand } =
        request.read(|json| rest::v1::init(json, &timestamp::json_from_ms(request.received)))?;
    let user_id = match (&request.caller.authority, user_id) {
        (Authority::User(own), Some(named)) if named != *own => {
            return Err(ApiError::forbidden("The userId in the body is not the JWT's"));
        }
        (Authority::User(own), _) if is_longer(own, NAME_BYTES) => {
            return Err(ApiError::bad_request("The userId of the JWT must have at most 1024 bytes"));
        }
        (Authority::User(own), _) => Some(own.clone()),
        (_, user_id) => user_id,
    };
    let view = request.change(Action::Init { device, user_id, brand }).await?;
    let app = request.shared.inits.get(&request.caller.app).map(|app| &**app);
    let answer = InitAnswer { app, app_user: raw(v1::app_user(&view)) };
    Ok(request.show(StatusCode::OK, UserRepresentation::new(&view, to_json(&answer))))
}

/// PUT `…/devices/{id}`: changes the given members, also within `info`; the others stay.
pub(super) async fn update(request: ApiRequest) -> Result<Response, ApiError> {
    let (user, id) = (request.user().await?, request.part()?);
    let device = request.read(|json| rest::v1::device(json, id))?;
    let view = request.change(Action::UpdateDevice { user, device }).await?;
    let text = rest::v1::device_text(&view, id).ok_or_else(no_user)?;
    Ok(json(StatusCode::OK, text))
}
