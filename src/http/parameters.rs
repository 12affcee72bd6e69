//! The query parameters of a call. An unknown parameter is refused before the call has any effect:
//! `DELETE …?errase=true` would remove instead of erase, unnoticed.

use std::str::FromStr;

use axum::extract::{MatchedPath, Request};
use axum::http::{Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::error::ApiError;
use super::openapi;
use crate::domain::{UnknownName, timestamp};
use crate::store::Seq;

/// The parameter that names the brand in every call about one app user.
pub(super) const BRAND_PARAMETER: &str = "brandId";

/// The prefix of the names that a list may filter by, and how the document writes these names.
const PROPERTY: &str = "property.";
const ANY_PROPERTY: &str = "property.KEY";

/// The longest name that a refusal repeats, in characters.
const LONGEST_NAME: usize = 64;

/// The names of a call's parameters: of its method, and of its route with or without the base. None for a
/// call that the document does not have.
fn names(method: &Method, route: &str) -> Option<&'static [String]> {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    if let Some(names) = openapi::query_parameters(&format!("{method} {route}")) {
        return Some(names);
    }
    let path = ["/v1.1", "/v1", "/v2"].iter().find_map(|base| route.strip_prefix(base)).unwrap_or(route);
    let path = path.strip_prefix("/apps/{app}").unwrap_or(path);
    // `merge` may also be a `userId`.
    let path = if *method != Method::POST && path == "/appusers/merge" { "/appusers/{id}" } else { path };
    openapi::query_parameters(&format!("{method} {path}"))
}

/// Refuses unknown parameters, with the list of known ones, and repeated ones, which are ambiguous. Those in
/// `unused` have no effect here, so a refusal does not offer them.
pub(super) fn check(
    method: &Method,
    route: &str,
    unused: &[&str],
    given: &[(String, String)],
) -> Result<(), ApiError> {
    // Most calls have none, and need no look at the document.
    let names = if given.is_empty() { &[] } else { names(method, route).unwrap_or_default() };
    for (n, (name, _)) in given.iter().enumerate() {
        let is_it = |known: &String| known == name || known == ANY_PROPERTY && name.starts_with(PROPERTY);
        let shown = || -> String { name.chars().take(LONGEST_NAME).filter(|c| !c.is_control()).collect() };
        if !names.iter().any(is_it) {
            let known: Vec<&str> =
                names.iter().map(String::as_str).filter(|name| !unused.contains(name)).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let why = format!("Unknown parameter: {}; this call knows {known}", shown());
            return Err(ApiError::bad_request(why));
        }
        if given.iter().take(n).any(|(before, _)| before == name) {
            return Err(ApiError::bad_request(format!("Repeated parameter: {}", shown())));
        }
    }
    Ok(())
}

/// Refuses unknown parameters of the admin listener's calls.
pub(super) async fn refuse_unknown_parameters(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    match read(request.uri()).and_then(|given| check(request.method(), route, &[], &given)) {
        Err(refusal) => refusal.into_response(),
        Ok(()) => next.run(request).await,
    }
}

/// The query of an address. 400 if it is not form-encoded UTF-8.
pub(super) fn read(uri: &Uri) -> Result<Vec<(String, String)>, ApiError> {
    parse(uri.query().unwrap_or(""))
}

/// The parameters of a query string. 400 as of [`read`].
pub(super) fn parse(query: &str) -> Result<Vec<(String, String)>, ApiError> {
    serde_urlencoded::from_str(query)
        .map_err(|_| ApiError::bad_request("The query is not form-encoded UTF-8"))
}

pub(super) fn value<'q>(query: &'q [(String, String)], name: &str) -> Option<&'q str> {
    query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

pub(super) fn boolean(name: &str, value: &str) -> Result<bool, ApiError> {
    value.parse().map_err(|_| ApiError::bad_request(format!("{name} must be true or false")))
}

/// A value in a body that may also be written as a number, such as a time.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum TextOrNumber {
    Text(String),
    Number(serde_json::Number),
}

impl TextOrNumber {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

/// A text that is not empty.
pub(super) fn text(name: &str, value: &str) -> Result<String, ApiError> {
    if value.is_empty() {
        return Err(ApiError::bad_request(format!("{name} must not be empty")));
    }
    Ok(value.to_owned())
}

/// A word of a known few, which a refusal lists.
pub(super) fn word<T: FromStr<Err = UnknownName>>(name: &str, value: &str) -> Result<T, ApiError> {
    value.parse().map_err(|error| ApiError::bad_request(format!("{name} {error}")))
}

/// A time, in µs since 1970.
pub(super) fn time(name: &str, value: &str) -> Result<i64, ApiError> {
    timestamp::parse_parameter(value)
        .ok_or_else(|| ApiError::bad_request(format!("{name} must be {}", timestamp::PARAMETER_FORMS)))
}

/// The same in ms.
pub(super) fn time_ms(name: &str, value: &str) -> Result<i64, ApiError> {
    Ok(time(name, value)?.div_euclid(1000))
}

/// A number as answers write it: digits alone, and not more than the database can hold.
pub(super) fn number(text: &str) -> Option<Seq> {
    let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    number.filter(|number| i64::try_from(*number).is_ok())
}

/// The size of a page, up to `most`.
pub(super) fn limit(name: &str, value: &str, most: usize) -> Result<usize, ApiError> {
    let limit = value.parse().ok().filter(|limit| (1..=most).contains(limit));
    limit.ok_or_else(|| ApiError::bad_request(format!("{name} must be from 1 to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_digits_and_fits_in_the_database() {
        for (text, number) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("9223372036854775807", Some(i64::MAX.unsigned_abs())),
            ("9223372036854775808", None),
            ("+1", None),
            ("-1", None),
            (" 1", None),
            ("1.0", None),
            ("", None),
        ] {
            assert_eq!(super::number(text), number, "{text:?}");
        }
    }

    #[test]
    fn a_word_that_may_be_a_user_id_is_one() {
        for (method, route, known) in [
            (Method::GET, "/v1/appusers/merge", Some("asOf, include, brandId")),
            (Method::HEAD, "/v1.1/apps/{app}/appusers/merge", Some("asOf, include, brandId")),
            (Method::DELETE, "/v1/apps/{app}/appusers/merge", Some("erase, only, brandId")),
            (Method::POST, "/v1/appusers/merge", Some("brandId")),
            (Method::POST, "/v1/nothing", None),
        ] {
            assert_eq!(names(&method, route).map(|names| names.join(", ")).as_deref(), known, "{route}");
        }
    }
}
