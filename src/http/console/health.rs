//! The health of the service.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::diagnosis::{Finding, Severity};
use crate::domain::timestamp;
use crate::http::admin::last_webhook;
use crate::http::answers::{answer, raw};
use crate::http::error::ApiError;
use crate::http::operator_request::OperatorRequest;
use crate::http::readiness::{Readiness, work_in_progress};
use crate::http::state::HttpState;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HealthAnswer {
    ready: bool,
    checks: Vec<CheckAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    examined_at: Option<Box<RawValue>>,
    version: &'static str,
    uptime: u64,
}

#[derive(Serialize)]
struct CheckAnswer {
    check: &'static str,
    state: Severity,
    said: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    remedy: String,
}

impl From<Finding> for CheckAnswer {
    fn from(Finding { check, state, said, remedy }: Finding) -> Self {
        Self { check, state, said, remedy }
    }
}

/// The checks of `/readyz?verbose`.
async fn check_service(shared: &HttpState, readiness: &Readiness) -> Vec<Finding> {
    let Readiness { checks, depth, capacity } = readiness;
    let ready = checks.iter().map(|check| match check.trouble {
        Some(trouble) => Finding::wrong(check.name, trouble, check.remedy),
        None if check.name == "queue" => {
            Finding::fine(check.name, format!("{depth} of {capacity} deliveries wait"))
        }
        None => Finding::fine(check.name, "ok"),
    });
    let work = work_in_progress(shared).await.into_iter().map(|(name, said)| {
        Finding::warning(name, said, "nothing: webhooks are stored meanwhile, and it ends by itself")
    });
    let apps = shared.app_activity.statuses().into_iter().map(|status| {
        let said = format!("app {}: {}", status.app, last_webhook(&status));
        if !status.silent {
            return Finding::fine("app", said);
        }
        Finding::warning("app", said, "check the webhook at Smooch (target, triggers, secret)")
    });
    ready.chain(work).chain(apps).collect()
}

/// GET `/health`: every check of `/readyz?verbose`, and every check of `rollcall doctor` but those of the listeners, each
/// with its remedy. Those of doctor are as old as `examinedAt` says, and absent before the first examination is complete.
pub(in crate::http) async fn get(request: OperatorRequest) -> Result<Response, ApiError> {
    request.must_see_all_apps()?;
    let shared = &request.shared;
    let readiness = Readiness::of(shared).await;
    let mut findings = check_service(shared, &readiness).await;
    let examined = shared.examinations.last(&shared.settings).await;
    let time = examined.as_ref().map(|examined| raw(&*timestamp::json_from_ms(examined.time)));
    findings.extend(examined.into_iter().flat_map(|examined| examined.findings));
    let answered = HealthAnswer {
        ready: readiness.trouble().is_none(),
        checks: findings.into_iter().map(CheckAnswer::from).collect(),
        examined_at: time,
        version: env!("CARGO_PKG_VERSION"),
        uptime: shared.examinations.started.elapsed().as_secs(),
    };
    Ok(answer(StatusCode::OK, &answered))
}
