//! The settings of the service, and their reload.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use crate::clock::now_ms;
use crate::config::{ReportedSetting, ReportedValue, SettingLocation, SettingsProblem};
use crate::http::answers::answer;
use crate::http::audit::actor_of;
use crate::http::control::Reloaded;
use crate::http::error::ApiError;
use crate::http::operator_request::OperatorRequest;
use crate::store::{AuditAction, AuditEntry, AuditOutcome};

#[derive(Serialize)]
struct SettingsAnswer {
    settings: Vec<SettingAnswer>,
    problems: Vec<ProblemAnswer>,
}

#[derive(Serialize)]
struct SettingAnswer {
    key: String,
    #[serde(flatten)]
    value: ValueAnswer,
    from: PlaceAnswer,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<ShownValue>,
    restart: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    means: String,
}

/// Of a secret only how many there are.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum ValueAnswer {
    Value(ShownValue),
    Secret { set: usize },
}

#[derive(Serialize)]
#[serde(untagged)]
enum ShownValue {
    One(String),
    List(Vec<String>),
}

#[derive(Serialize)]
struct PlaceAnswer {
    layer: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variable: Option<String>,
}

impl From<SettingLocation> for PlaceAnswer {
    fn from(place: SettingLocation) -> Self {
        let none = Self { layer: "", file: None, line: None, variable: None };
        match place {
            SettingLocation::Shipped => Self { layer: "default", ..none },
            SettingLocation::File(file, line) => Self { layer: "file", file: Some(file), line, ..none },
            SettingLocation::Environment(name) => Self { layer: "environment", variable: Some(name), ..none },
            SettingLocation::CommandLine => Self { layer: "commandLine", ..none },
        }
    }
}

impl ShownValue {
    fn of(value: ReportedValue) -> Result<Self, usize> {
        match value {
            ReportedValue::One(text) => Ok(Self::One(text)),
            ReportedValue::List(items) => Ok(Self::List(items)),
            ReportedValue::Secrets(set) => Err(set),
        }
    }
}

impl From<ReportedSetting> for SettingAnswer {
    fn from(setting: ReportedSetting) -> Self {
        let value = ShownValue::of(setting.value).map(ValueAnswer::Value);
        Self {
            key: setting.key,
            value: value.unwrap_or_else(|set| ValueAnswer::Secret { set }),
            from: setting.place.into(),
            default: setting.default.and_then(|value| ShownValue::of(value).ok()),
            restart: setting.restart,
            means: setting.means,
        }
    }
}

#[derive(Serialize)]
struct ProblemAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    from: PlaceAnswer,
    text: String,
}

impl From<&SettingsProblem> for ProblemAnswer {
    fn from(problem: &SettingsProblem) -> Self {
        Self { key: problem.key.clone(), from: problem.place.clone().into(), text: problem.text.clone() }
    }
}

fn no_control() -> ApiError {
    ApiError::unavailable("unavailable", "The service cannot read its settings again")
}

/// GET `/settings`: every key of the settings as their sources are now, and every problem of them. Those in force are these
/// after a reload, or after a restart where `restart` is true. A secret is a number, and an address has no password.
pub(in crate::http) async fn get(request: OperatorRequest) -> Result<Response, ApiError> {
    request.must_see_all_apps()?;
    let shared = &request.shared;
    let sources = shared.control.as_ref().ok_or_else(no_control)?.sources.clone();
    let report = tokio::task::spawn_blocking(move || sources.report()).await.map_err(|_| no_control())?;
    let answered = SettingsAnswer {
        settings: report.settings.into_iter().map(SettingAnswer::from).collect(),
        problems: report.problems.iter().map(ProblemAnswer::from).collect(),
    };
    Ok(answer(StatusCode::OK, &answered))
}

/// POST `/reload`: what SIGHUP does. 200 with the changed keys and those that need a restart; 400 with every problem, and
/// nothing has changed.
pub(in crate::http) async fn reload(request: OperatorRequest) -> Result<Response, ApiError> {
    request.must_see_all_apps()?;
    let shared = &request.shared;
    let control = shared.control.as_ref().ok_or_else(no_control)?;
    let entry = AuditEntry::of(now_ms(), &actor_of(&request.operator), AuditAction::Reload);
    let reloaded = control.reload().await.ok_or_else(no_control)?;
    let outcome = if reloaded.is_ok() { AuditOutcome::Done } else { AuditOutcome::Failed };
    shared.audit.add(AuditEntry { outcome, ..entry }).await?;
    match reloaded {
        Ok(Reloaded { changed, need_restart }) => {
            let answered = json!({ "changed": changed, "needRestart": need_restart });
            Ok(answer(StatusCode::OK, &answered))
        }
        Err(problems) => {
            let problems: Vec<ProblemAnswer> = problems.iter().map(ProblemAnswer::from).collect();
            let count = problems.len();
            let why = format!("The settings have {count} problems; those in force stay");
            let refusal = ApiError::bad_request(why);
            let error = json!({ "code": refusal.code, "description": refusal.description });
            let text = json!({ "error": error, "problems": problems });
            Ok((refusal.status, answer(refusal.status, &text)).into_response())
        }
    }
}
