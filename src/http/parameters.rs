//! The query parameters of every call. An unknown parameter is refused before the call has any effect:
//! `DELETE …?errase=true` would remove instead of erase, unnoticed.

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::query;

/// The parameter that names the brand in every call about one app user.
pub(super) const BRAND_PARAMETER: &str = "brandId";

#[derive(Debug)]
pub(super) struct CallParameters {
    /// The call, as the OpenAPI document names it, without its base.
    call: &'static str,
    /// The names of its parameters.
    names: &'static [&'static [&'static str]],
    /// Unknown parameters are ignored instead of refused.
    open: bool,
}

/// The filters of a list. `property.KEY` stands for every name with that prefix.
const FILTERS: &[&str] = &[
    "q",
    "userId",
    BRAND_PARAMETER,
    "email",
    "platform",
    "appVersion",
    "appVersionSince",
    "appVersionBefore",
    "identified",
    "conversationStarted",
    "seenSince",
    "seenBefore",
    "signedUpSince",
    "signedUpBefore",
    ANY_PROPERTY,
    "sort",
    "count",
];
const ANY_PROPERTY: &str = "property.KEY";

/// The cursor and the size of a page in v2.
const PAGE: &[&str] = &["page[size]", "page[after]", "page[before]"];
const BRAND: &[&str] = &[BRAND_PARAMETER];
const END: &[&str] = &["erase", "only"];

const fn only(call: &'static str, names: &'static [&'static [&'static str]]) -> CallParameters {
    CallParameters { call, names, open: false }
}

/// For senders, probes and browsers: a parameter that a third party appended must not cost them the
/// answer.
const fn open(call: &'static str, names: &'static [&'static [&'static str]]) -> CallParameters {
    CallParameters { call, names, open: true }
}

const ALL: &[CallParameters] = &[
    only("POST /init", &[]),
    only("GET /changes", &[&["since", "limit", "wait", "snapshot", "after", "envelope", "types"]]),
    only("GET /appusers", &[FILTERS, &["identityEmail", "limit", "after"]]),
    only("POST /appusers", &[]),
    only("POST /appusers/merge", &[BRAND]),
    only("GET /appusers/{id}", &[&["asOf", "include"], BRAND]),
    only("PUT /appusers/{id}", &[BRAND]),
    only("DELETE /appusers/{id}", &[END, BRAND]),
    only("GET /appusers/{id}/history", &[&["limit", "after", "include"], BRAND]),
    only("POST /appusers/{id}/unmerge", &[BRAND]),
    only("DELETE /appusers/{id}/profile", &[BRAND]),
    only("GET /appusers/{id}/channels", &[BRAND]),
    only("POST /appusers/{id}/events", &[BRAND]),
    only("PUT /appusers/{id}/devices/{device}", &[BRAND]),
    only("GET /users", &[FILTERS, PAGE, &["externalId", "filter[identities.email]"]]),
    only("POST /users", &[]),
    only("GET /users/{id}", &[BRAND]),
    only("PATCH /users/{id}", &[BRAND]),
    only("DELETE /users/{id}", &[END, BRAND]),
    only("DELETE /users/{id}/personalinformation", &[BRAND]),
    only("GET /users/{id}/clients", &[PAGE, BRAND]),
    only("GET /users/{id}/devices", &[BRAND]),
    only("GET /users/{id}/devices/{device}", &[BRAND]),
    only("POST /import", &[&["app", "default"]]),
    only("POST /rebuild", &[]),
    only("POST /quarantine/{seq}/redrive", &[]),
    only("DELETE /quarantine/{seq}", &[]),
    open("GET /livez", &[]),
    open("GET /readyz", &[&["verbose"]]),
    open("GET /healthz", &[&["verbose"]]),
    open("GET /metrics", &[]),
    open("GET /openapi.json", &[]),
    open("GET /docs", &[]),
    open("GET /docs/page.css", &[]),
    open("GET /docs/page.js", &[]),
    open("POST /webhooks", &[]),
    open("GET /webhooks", &[]),
    open("POST /webhooks/{app}", &[]),
    open("GET /webhooks/{app}", &[]),
];

/// A call without parameters, for a route that the table lacks; a test compares both with the document.
const NONE: CallParameters = only("", &[]);

/// The longest name that a refusal repeats, in characters.
const LONGEST_NAME: usize = 64;

/// The row of a call: its method, and its route with or without the base.
pub(super) fn of_call(method: &Method, route: &str) -> &'static CallParameters {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let path = ["/v1.1", "/v1", "/v2"].iter().find_map(|base| route.strip_prefix(base)).unwrap_or(route);
    let path = path.strip_prefix("/apps/{app}").unwrap_or(path);
    // `merge` may also be a `userId`.
    let path = if *method != Method::POST && path == "/appusers/merge" { "/appusers/{id}" } else { path };
    let is_it = |row: &&CallParameters| row.call.split_once(' ') == Some((method.as_str(), path));
    ALL.iter().find(is_it).unwrap_or(&NONE)
}

impl CallParameters {
    /// Refuses unknown parameters, with the list of known ones, and repeated ones, which are ambiguous.
    pub(super) fn check(&self, given: &[(String, String)]) -> Result<(), ApiError> {
        self.check_without(&[], given)
    }

    /// The same without the names in `unused`: they have no effect here, so a refusal does not offer
    /// them.
    pub(super) fn check_without(&self, unused: &[&str], given: &[(String, String)]) -> Result<(), ApiError> {
        for (n, (name, _)) in given.iter().enumerate().filter(|_| !self.open) {
            if !self.knows(name) {
                let known: Vec<&str> = self.names().filter(|name| !unused.contains(name)).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let name = shown(name);
                return Err(ApiError::bad_request(format!(
                    "Unknown parameter: {name}; this call knows {known}"
                )));
            }
            if given.iter().take(n).any(|(before, _)| before == name) {
                return Err(ApiError::bad_request(format!("Repeated parameter: {}", shown(name))));
            }
        }
        Ok(())
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.names.iter().copied().flatten().copied()
    }

    fn knows(&self, given: &str) -> bool {
        let property = ANY_PROPERTY.trim_end_matches("KEY");
        self.names().any(|name| name == given || name == ANY_PROPERTY && given.starts_with(property))
    }
}

/// A name as a refusal repeats it.
fn shown(name: &str) -> String {
    name.chars().take(LONGEST_NAME).flat_map(char::escape_default).collect()
}

/// Refuses unknown parameters on the admin listener.
pub(super) async fn refuse_unknown_parameters(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let call = of_call(request.method(), route);
    match query::read(request.uri()).and_then(|given| call.check(&given)) {
        // A call without a row has no route, and is answered as such.
        Err(refusal) if !call.open && !call.call.is_empty() => refusal.into_response(),
        _ => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Value;

    use super::*;
    use crate::http::openapi;

    /// The query parameters of each call of the document, by its method and path.
    fn documented() -> BTreeMap<String, BTreeSet<String>> {
        let document: Value = serde_json::from_str(openapi::document()).unwrap();
        let resolved = |parameter: &Value| match parameter["$ref"].as_str() {
            Some(place) => document.pointer(&place[1..]).unwrap().clone(),
            None => parameter.clone(),
        };
        let mut calls = BTreeMap::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, call) in item.as_object().unwrap().iter().filter(|(_, call)| call.is_object()) {
                let all = [&item["parameters"], &call["parameters"]].into_iter().filter_map(Value::as_array);
                let query = all.flatten().map(resolved).filter(|parameter| parameter["in"] == "query");
                let names = query.map(|parameter| parameter["name"].as_str().unwrap().to_owned());
                calls.insert(format!("{} {path}", method.to_uppercase()), names.collect());
            }
        }
        calls
    }

    #[test]
    fn the_table_equals_the_document() {
        let mut used = BTreeSet::new();
        for (call, documented) in documented() {
            let (method, path) = call.split_once(' ').unwrap();
            let row = of_call(&method.parse().unwrap(), path);
            assert_ne!(row.call, "", "{call}: which parameters does it know?");
            assert_eq!(row.names().map(str::to_owned).collect::<BTreeSet<_>>(), documented, "{call}");
            used.insert(row.call);
        }
        let all: BTreeSet<_> = ALL.iter().map(|row| row.call).collect();
        assert_eq!(all, used, "rows of calls that the document does not have");
        assert_eq!(all.len(), ALL.len(), "one row a call");
    }

    #[test]
    fn a_word_that_may_be_a_user_id_is_one() {
        for (method, route, call) in [
            (Method::GET, "/v1/appusers/merge", "GET /appusers/{id}"),
            (Method::HEAD, "/v1.1/apps/{app}/appusers/merge", "GET /appusers/{id}"),
            (Method::DELETE, "/v1/apps/{app}/appusers/merge", "DELETE /appusers/{id}"),
            (Method::POST, "/v1/appusers/merge", "POST /appusers/merge"),
            (Method::POST, "/v1/nothing", ""),
        ] {
            assert_eq!(of_call(&method, route).call, call, "{method} {route}");
        }
    }
}
