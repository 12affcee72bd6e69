//! Sessions of the console: signing in and out.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answers::{EMPTY, answer, json as text};
use super::audit::{actor_of, audit_refused_sign_in};
use super::body;
use super::door::{Closed, cookie_name, source};
use super::error::ApiError;
use super::state::{HttpState, State};
use crate::clock::now_ms;
use crate::config::operator_name;
use crate::domain::timestamp;
use crate::operators::{NewSession, Operator, Proof, Role};
use crate::smooch::json::without_mark;
use crate::store::{AuditAction, AuditEntry};

/// The most bytes of a body here.
const BYTES: usize = 4096;

/// Who an operator is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Who<'a> {
    who: &'a str,
    role: &'static str,
    personal_data: bool,
    /// The ids of the apps that the operator sees.
    apps: Vec<&'a str>,
    /// When the session ends at the latest; none without a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    /// The half of the session for the page; at its beginning only.
    #[serde(skip_serializing_if = "Option::is_none")]
    half: Option<&'a str>,
}

impl<'a> Who<'a> {
    fn new(shared: &'a HttpState, operator: &'a Operator, half: Option<&'a str>) -> Self {
        let apps = shared.settings.apps.iter().map(|app| app.id.as_str());
        let expires = operator.session.as_ref().map(|session| timestamp::format_ms(session.expires));
        let Operator { name, role, personal_data, .. } = operator;
        Self {
            who: name,
            role: role.name(),
            personal_data: *personal_data,
            apps: apps.filter(|app| operator.sees(&(*app).into())).collect(),
            expires,
            half,
        }
    }
}

#[derive(Deserialize)]
struct SignIn {
    code: Option<String>,
    name: Option<String>,
    secret: Option<String>,
}

/// POST `/session` `{"code"}` or `{"name","secret"}`: begins a session. 200
/// `{"who","role","personalData","apps","expires","half"}` and the cookie; 401 if the code or the secret is wrong; 429
/// after too many wrong ones.
pub(super) async fn begin(shared: State, request: Request) -> Result<Response, ApiError> {
    let from = source(&shared, &request);
    let (head, body) = request.into_parts();
    let wrong = || ApiError::bad_request("The body must be {\"code\"} or {\"name\",\"secret\"}");
    let asked: SignIn = read(&shared, &head.headers, body, wrong).await?;
    let begun = match asked {
        SignIn { code: Some(code), name: None, secret: None } => {
            shared.admission.sign_in_by_code(&code, now_ms())
        }
        SignIn { code: None, name: Some(name), secret: Some(secret) } => {
            shared.admission.sign_in_by_secret(&name, &secret, from, now_ms())
        }
        _ => return Err(wrong()),
    };
    let begun = begun.map_err(|refusal| {
        audit_refused_sign_in(&shared.audit);
        Closed::from(refusal).refuse(&shared)
    })?;
    let NewSession { cookie, half, operator, changes } = begun;
    let told = vec![AuditEntry::of(now_ms(), &actor_of(&operator), AuditAction::SignIn)];
    if let Err(refusal) = shared.queue.store_sessions(changes, told).await {
        // Nobody has the halves, so the session would only be in the way.
        operator.session.iter().for_each(|session| shared.admission.sign_out(&session.id));
        return Err(refusal.into());
    }
    tracing::info!(role = operator.role.name(), "an operator signed in");
    let mut response = answer(StatusCode::OK, &Who::new(&shared, &operator, Some(&half)));
    let life = shared.settings.console.session_life.as_secs();
    set_cookie(&shared, &mut response, &cookie, life);
    Ok(response)
}

/// GET `/session`: who the caller is. 200 `{"who","role","personalData","apps","expires"?}`.
pub(super) async fn show(shared: State, Extension(operator): Extension<Arc<Operator>>) -> Response {
    answer(StatusCode::OK, &Who::new(&shared, &operator, None))
}

/// DELETE `/session`: ends the session and its streams. 200 `{}`, also for a caller without a session. 503 if it cannot be
/// stored now; it has ended, and is stored later.
pub(super) async fn end(
    shared: State,
    Extension(operator): Extension<Arc<Operator>>,
) -> Result<Response, ApiError> {
    if let Some(session) = &operator.session {
        shared.admission.sign_out(&session.id);
        tracing::info!(role = operator.role.name(), "an operator signed out");
        let told = AuditEntry::of(now_ms(), &actor_of(&operator), AuditAction::SignOut);
        shared.store_sessions(vec![told]).await?;
    }
    let mut response = text(StatusCode::OK, EMPTY);
    set_cookie(&shared, &mut response, "", 0);
    Ok(response)
}

/// Sets the cookie for this many seconds; 0 deletes it.
fn set_cookie(shared: &HttpState, response: &mut Response, value: &str, seconds: u64) {
    let is_secure = shared.settings.console.url.as_ref().is_some_and(|url| url.is_secure);
    let secure = if is_secure { "; Secure" } else { "" };
    let name = cookie_name(shared);
    let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
}

#[derive(Deserialize)]
struct CodeRequest {
    role: Option<String>,
    name: Option<String>,
}

/// POST `/session/code` `{"role"?,"name"?}`, with the key file alone: makes a code that begins a session once, within a
/// minute. 200 `{"code","expires"}`.
pub(super) async fn make_code(
    shared: State,
    Extension(operator): Extension<Arc<Operator>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    if operator.proof != Proof::KeyFile {
        let why = "A sign-in code is made with the key file only: run `rollcall console` beside the database";
        return Err(ApiError::forbidden(why));
    }
    let malformed = || ApiError::bad_request("The body must be {\"role\"?,\"name\"?}");
    let asked: CodeRequest = read(&shared, &headers, body, malformed).await?;
    let role = asked.role.as_deref().map_or(Some(Role::Operator), Role::from_name);
    let role = role.ok_or_else(|| ApiError::bad_request("role must be viewer or operator"))?;
    let name = asked.name.unwrap_or_else(|| "console".to_owned());
    let name = operator_name(&name).map_err(|why| ApiError::bad_request(format!("name {why}")))?;
    if shared.admission.has_name(&name) {
        let why = "name is that of an operator in console.operators, who signs in with a secret: choose another (--name)";
        return Err(ApiError::bad_request(why));
    }
    let (code, until) = shared.admission.make_code(&name, role, now_ms());
    Ok(answer(StatusCode::OK, &json!({ "code": code, "expires": timestamp::format_ms(until) })))
}

async fn read<T: for<'de> Deserialize<'de>>(
    shared: &HttpState,
    headers: &HeaderMap,
    body: Body,
    malformed: impl Fn() -> ApiError,
) -> Result<T, ApiError> {
    let mut share = shared.bodies.share(true);
    let body = body::read(headers, body, shared.body_limits(BYTES), &mut share).await?;
    serde_json::from_slice(without_mark(&body)).map_err(|_| malformed())
}
