//! Devices: one starts, or is changed.

use axum::http::StatusCode;
use axum::response::Response;

use super::api_request::{ApiRequest, UserRepresentation, no_user};
use super::error::{ApiError, json};
use crate::config::AppSettings;
use crate::domain::command::{Action, Authority};
use crate::domain::json_text;
use crate::smooch::json::write_string;
use crate::smooch::{iso, rest, v1};

/// POST `…/init`: a device starts. 200 with the app and the app user, made or known; its `_id` may be
/// another than before.
pub(super) async fn init(request: ApiRequest) -> Result<Response, ApiError> {
    let rest::v1::InitRequest { device, user_id, brand } =
        request.read(|json| rest::v1::init(json, &iso(request.received)))?;
    let user_id = match (&request.caller.authority, user_id) {
        (Authority::User(own), Some(named)) if named != *own => {
            let description = "The userId in the body is not the JWT's";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", description));
        }
        (Authority::User(own), _) => Some(own.clone()),
        (_, user_id) => user_id,
    };
    let view = request.change(Action::Init { device, user_id, brand }).await?;
    let app = request.shared.inits.get(&request.caller.app).map_or("{}", String::as_str);
    let text = format!("{{\"app\":{app},\"appUser\":{}}}", v1::app_user(&view));
    Ok(request.show(StatusCode::OK, UserRepresentation::new(&view, text)))
}

/// What init tells of an app: all that any of Smooch's clients ever read there.
pub(super) fn app_text(app: &AppSettings) -> String {
    let mut text = String::from("{\"_id\":");
    write_string(&app.id, &mut text);
    if let Some(token) = &app.app_token {
        text.push_str(",\"appToken\":");
        write_string(token.expose(), &mut text);
    }
    text.push_str(",\"name\":");
    write_string(&app.name, &mut text);
    text.push_str(&format!(",\"hasIcon\":{},\"apnEnabled\":{}", app.has_icon, app.apn_enabled));
    if let Some(project) = &app.gcm_project {
        text.push_str(&format!(",\"gcmProject\":{}", json_text(project)));
    }
    text.push_str(",\"settings\":{\"web\":{\"channels\":{}}},\"integrations\":[]}");
    text
}

/// PUT `…/devices/{id}`: what is given is changed, also within `info`; the rest stays.
pub(super) async fn update(request: ApiRequest) -> Result<Response, ApiError> {
    let (user, id) = (request.user()?, request.part()?);
    let device = request.read(|json| rest::v1::device(json, id))?;
    let view = request.change(Action::UpdateDevice { user, device }).await?;
    let text = rest::v1::device_text(&view, id).ok_or_else(no_user)?;
    Ok(json(StatusCode::OK, text))
}
