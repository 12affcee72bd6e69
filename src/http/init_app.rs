//! The app in the answer to init.

use serde::Serialize;
use serde_json::value::RawValue;

use super::answers::{raw, to_json};
use crate::config::AppSettings;

/// The members that Smooch's clients read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitApp<'a> {
    #[serde(rename = "_id")]
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_token: Option<&'a str>,
    name: &'a str,
    has_icon: bool,
    apn_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    gcm_project: Option<&'a str>,
    settings: InitSettings,
    integrations: [(); 0],
}

#[derive(Default, Serialize)]
struct InitSettings {
    web: InitWebSettings,
}

#[derive(Default, Serialize)]
struct InitWebSettings {
    channels: NoChannels,
}

#[derive(Default, Serialize)]
struct NoChannels {}

pub(super) fn init_app(app: &AppSettings) -> Box<RawValue> {
    let app = InitApp {
        id: &app.id,
        app_token: app.app_token.as_ref().map(|token| token.expose()),
        name: &app.name,
        has_icon: app.has_icon,
        apn_enabled: app.apn_enabled,
        gcm_project: app.gcm_project.as_deref(),
        settings: InitSettings::default(),
        integrations: [],
    };
    raw(to_json(&app))
}
