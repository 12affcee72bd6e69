//! POST `/downloads`: addresses that a browser can follow to save a file. A link sends no header of ours, so such an address
//! is good once, for a minute, and only with the cookie of the session that asked for it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::{Extension, Router};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::json;
use tower::ServiceExt as _;

use super::accept::{OF_PAGES, refuse_pages};
use super::answers::answer;
use super::attachment::never_show;
use super::error::ApiError;
use super::operator_apps::must_see;
use super::state::{ByOperator, HttpState, State};
use super::{body, parameters};
use crate::clock::now_ms;
use crate::domain::timestamp;
use crate::operators::{Download, Operator};
use crate::smooch::json::without_mark;

/// The path of the call.
pub(super) const PATH: &str = "/downloads";

/// The most bytes of a body.
const BYTES: usize = 64 << 10;

/// A GET whose answer is a file.
struct FileCall {
    route: &'static str,
    /// The media types in `Accept` that make a file of it; none for what is always one.
    forms: &'static [&'static str],
    /// It has the values of people.
    of_people: bool,
}

const FILES: [FileCall; 6] = [
    FileCall {
        route: "/v1/apps/{app}/appusers",
        forms: &["text/csv", "application/x-ndjson"],
        of_people: true,
    },
    FileCall { route: "/v1/apps/{app}/persons/{id}", forms: &[], of_people: true },
    FileCall { route: "/audit", forms: &["text/csv"], of_people: false },
    FileCall { route: "/journal/{seq}/body", forms: &[], of_people: true },
    FileCall { route: "/jobs/{id}/file", forms: &[], of_people: true },
    FileCall { route: "/quarantine/{seq}/body", forms: &[], of_people: true },
];

/// The code in the address of a download.
pub(super) fn code_in(path: &str) -> Option<&str> {
    path.strip_prefix(PATH)?.strip_prefix('/').filter(|code| !code.is_empty() && !code.contains('/'))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DownloadRequest {
    of: String,
    accept: Option<String>,
}

/// POST `/downloads` `{"of","accept"?}`: an address that answers once, to this operator, as the GET of `of` does. 200
/// `{"address","expires"}`. 400 for what is no file, and 403 for what the operator may not have: a browser that follows an
/// address shows no refusal.
pub(super) async fn make(
    shared: State,
    Extension(operator): ByOperator,
    request: Request,
) -> Result<Response, ApiError> {
    let (head, content) = request.into_parts();
    let mut share = shared.bodies.share(true);
    let content = body::read(&head.headers, content, shared.body_limits(BYTES), &mut share).await?;
    let asked: DownloadRequest = serde_json::from_slice(without_mark(&content))
        .map_err(|_| ApiError::bad_request("The body must be {\"of\",\"accept\"?}"))?;
    check(&shared, &operator, &asked)?;
    let DownloadRequest { of, accept } = asked;
    let (code, until) = shared.admission.make_download(Download { by: operator, of, accept }, now_ms());
    let address = format!("{PATH}/{code}");
    Ok(answer(StatusCode::OK, &json!({ "address": &address[1..], "expires": timestamp::format_ms(until) })))
}

/// Refuses what would be no file, or not for this operator.
fn check(shared: &HttpState, operator: &Operator, asked: &DownloadRequest) -> Result<(), ApiError> {
    let uri = asked.of.starts_with('/').then(|| asked.of.parse::<Uri>().ok()).flatten();
    let uri = uri.ok_or_else(|| {
        ApiError::bad_request("of must be the path and the query of a GET on this listener, beginning with /")
    })?;
    let file = FILES.iter().find(|file| fits(file.route, uri.path())).ok_or_else(no_file)?;
    let is_form = asked.accept.as_deref().map(|accept| file.forms.contains(&accept));
    if !is_form.unwrap_or(file.forms.is_empty()) {
        return Err(ApiError::bad_request(match file.forms {
            [] => "accept must be left out: this call answers in one form".to_owned(),
            forms => format!("accept must be {}: in another form this call is no file", forms.join(" or ")),
        }));
    }
    let query = parameters::read(&uri)?;
    parameters::check(&Method::GET, file.route, &OF_PAGES, &query)?;
    refuse_pages(&query)?;
    if file.of_people && !operator.personal_data {
        return Err(ApiError::needs_people("This file"));
    }
    if let Some(app) = parameters::value(&query, "app") {
        must_see(operator, &app.into())?;
    }
    if let Some(app) = app_in(file.route, uri.path()) {
        shared.apps.of_operator(operator, Some(&app))?;
    }
    Ok(())
}

fn no_file() -> ApiError {
    let routes: Vec<&str> = FILES.iter().map(|file| file.route).collect();
    ApiError::bad_request(format!(
        "of is not a call that answers with a file; these are {}",
        routes.join(", ")
    ))
}

/// Whether a path is one of a route.
fn fits(route: &str, path: &str) -> bool {
    let is_it = |(word, given): (&str, &str)| word == given || word.starts_with('{') && !given.is_empty();
    route.split('/').count() == path.split('/').count() && route.split('/').zip(path.split('/')).all(is_it)
}

/// The id of the app that a path names.
fn app_in(route: &str, path: &str) -> Option<String> {
    let (_, app) = route.split('/').zip(path.split('/')).find(|(word, _)| *word == "{app}")?;
    Some(percent_decode_str(app).decode_utf8_lossy().into_owned())
}

/// GET `/downloads/{code}`: what the call answers for the operator who asked for the address, as a file that no browser
/// shows. Without another proof than the cookie, an address that is used, too old or of another session is 401.
pub(super) async fn follow(
    calls: Router,
    shared: State,
    Extension(operator): ByOperator,
    (method, Path(code)): (Method, Path<String>),
) -> Result<Response, ApiError> {
    let download = shared.admission.take_download(&operator, &code, now_ms());
    let Download { of, accept, .. } = download.ok_or_else(|| {
        ApiError::not_found("The address was used, is older than a minute, or is not this operator's")
    })?;
    let mut request = Request::new(Body::empty());
    // Of HEAD the call shows nothing, and tells nothing.
    *request.method_mut() = method;
    *request.uri_mut() = of.parse().map_err(|_| no_file())?;
    if let Some(accept) = accept.and_then(|accept| HeaderValue::try_from(accept).ok()) {
        request.headers_mut().insert(header::ACCEPT, accept);
    }
    request.extensions_mut().insert::<Arc<Operator>>(operator);
    let Ok(mut response) = calls.oneshot(request).await;
    if response.status().is_success() {
        never_show(&mut response);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_a_route_segment_by_segment() {
        for (route, path, fitting) in [
            ("/audit", "/audit", true),
            ("/audit", "/audit/", false),
            ("/journal/{seq}/body", "/journal/7/body", true),
            ("/journal/{seq}/body", "/journal//body", false),
            ("/journal/{seq}/body", "/journal/7/body/", false),
            ("/journal/{seq}/body", "/x/7/body", false),
            ("/v1/apps/{app}/appusers", "/v1/apps/a%2Fb/appusers", true),
        ] {
            assert_eq!(fits(route, path), fitting, "{route} {path}");
        }
        assert_eq!(app_in("/v1/apps/{app}/appusers", "/v1/apps/a%2Fb/appusers"), Some("a/b".to_owned()));
        assert_eq!(code_in("/downloads/x"), Some("x"));
        assert!(
            ["/downloads", "/downloads/", "/downloads/x/y", "/other/x"]
                .iter()
                .all(|path| code_in(path).is_none())
        );
    }
}
