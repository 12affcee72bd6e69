//! Calls of Smooch's API that rollcall does not offer. They are answered as such, not as a missing app
//! user or a wrong credential.

use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::paths::PathSegments;

/// A call, or all calls below a path.
#[derive(Debug)]
pub(super) struct NotOffered {
    versions: &'static [&'static str],
    /// Its methods; empty means all.
    methods: &'static [&'static str],
    /// Its path after the version and the app. `/…` at the end includes everything below.
    path: &'static str,
    name: &'static str,
}

const V1: &[&str] = &["v1", "v1.1"];
const V2: &[&str] = &["v2"];

const fn call(
    versions: &'static [&'static str],
    methods: &'static [&'static str],
    path: &'static str,
    name: &'static str,
) -> NotOffered {
    NotOffered { versions, methods, path, name }
}

/// The table. The first matching row counts.
const ALL: &[NotOffered] = &[
    call(V1, &["GET"], "/appusers/{id}/messages", "Get messages"),
    call(V1, &["POST"], "/appusers/{id}/messages", "Post message"),
    call(V1, &["DELETE"], "/appusers/{id}/messages", "Delete all messages"),
    call(V1, &["DELETE"], "/appusers/{id}/messages/{message}", "Delete message"),
    call(V1, &["POST"], "/appusers/{id}/images", "Upload image"),
    call(V1, &["POST"], "/appusers/{id}/files", "Upload file"),
    call(V1, &["POST"], "/appusers/{id}/attachments", "Upload attachment"),
    call(V1, &["POST"], "/appusers/{id}/conversation/read", "Reset unread count"),
    call(V1, &["POST"], "/appusers/{id}/conversation/activity", "Conversation activity"),
    call(V1, &["GET", "POST", "PUT"], "/appusers/{id}/conversation", "Conversation"),
    call(V1, &["GET"], "/appusers/{id}/businesssystems", "List business systems"),
    call(V1, &["POST"], "/appusers/{id}/channels", "Link app user to channel"),
    call(V1, &["DELETE"], "/appusers/{id}/channels/{channel}", "Unlink app user from channel"),
    call(V1, &["GET"], "/appusers/{id}/authcode", "Get auth code"),
    call(V1, &["GET"], "/appusers/{id}/linkrequest", "Get link requests"),
    call(V1, &["GET"], "/appusers/{id}/linkrequests", "Get link requests"),
    call(V1, &["GET"], "/appusers/{id}/transferrequest", "Get transfer requests"),
    call(V1, &["POST"], "/appusers/{id}/pushToken", "Update push token"),
    call(V1, &["POST"], "/appusers/{id}/clients", "Add client"),
    call(V1, &["PUT", "DELETE"], "/appusers/{id}/clients/{client}", "Change client"),
    call(V1, &["POST"], "/appusers/{id}/logout", "Log out"),
    call(V1, &["GET", "POST"], "/appusers/{id}/stripe/{what}", "Stripe"),
    call(V1, &["POST"], "/appusers/upgrade", "Upgrade app user"),
    call(V1, &["POST"], "/login", "Log in"),
    call(V1, &["GET"], "/config", "Configuration of the SDK"),
    call(V1, &[], "/attachments/…", "Attachments"),
    call(V1, &[], "/notifications/…", "Notifications"),
    call(V1, &[], "/conversations/…", "Conversations"),
    call(V1, &[], "/webhooks/…", "Webhooks"),
    call(V1, &[], "/menu/…", "Persistent menu"),
    call(V1, &[], "/templates/…", "Templates"),
    call(V1, &[], "/integrations/…", "Integrations"),
    call(V1, &[], "/deployments/…", "Deployments"),
    call(V1, &[], "/keys/…", "App keys"),
    call(V1, &[], "/serviceaccounts/…", "Service accounts"),
    call(V1, &[], "/stripe/…", "Stripe"),
    call(V1, &[], "/apps/{app}", "Apps"),
    call(V1, &[], "/apps", "Apps"),
    call(V2, &["POST"], "/users/{id}/clients", "Create client"),
    call(V2, &["DELETE"], "/users/{id}/clients/{client}", "Remove client"),
    call(V2, &["POST"], "/users/{id}/sync", "Synchronize user"),
    call(V2, &["GET", "POST"], "/conversations/{id}/messages", "Messages of a conversation"),
    call(V2, &[], "/conversations/…", "Conversations"),
    call(V2, &[], "/attachments/…", "Attachments"),
    call(V2, &[], "/notifications/…", "Notifications"),
    call(V2, &[], "/integrations/…", "Integrations"),
    call(V2, &[], "/switchboards/…", "Switchboards"),
    call(V2, &[], "/keys/…", "App keys"),
    call(V2, &[], "/oauth/…", "OAuth"),
    call(V2, &[], "/apps/{app}", "Apps"),
    call(V2, &[], "/apps", "Apps"),
];

/// The call at this path, if it is one of Smooch's that is not offered. Ids may contain slashes.
pub(super) fn find(method: &Method, path: &str) -> Option<&'static NotOffered> {
    let mut words = PathSegments(path);
    let version = words.next()?;
    let all: Vec<&str> = words.collect();
    let behind = if let ["apps", _, behind @ ..] = &*all
        && !behind.is_empty()
    {
        behind
    } else {
        &*all
    };
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    ALL.iter().find(|call| {
        call.versions.contains(&version)
            && (call.methods.is_empty() || call.methods.contains(&method))
            && call.is_at(behind)
    })
}

impl NotOffered {
    fn is_at(&self, path: &[&str]) -> bool {
        let (here, below) = self.path.strip_suffix("/…").map_or((self.path, false), |here| (here, true));
        let here: Vec<&str> = PathSegments(here).collect();
        let fits = |here: &[&str], path: &[&str]| {
            let fits =
                |(word, given): (&&str, &&str)| word.starts_with('{') || word.eq_ignore_ascii_case(given);
            here.len() == path.len() && here.iter().zip(path).all(fits)
        };
        if below {
            return path.len() >= here.len() && fits(&here, &path[..here.len()]);
        }
        // Everything between `appusers` and the segment after the id is the id.
        let more =
            if let ["appusers", "{id}", ..] = &*here { path.len().saturating_sub(here.len()) } else { 0 };
        match path {
            [first, _, ..] if more > 0 => fits(&here[2..], &path[2 + more..]) && fits(&here[..1], &[first]),
            _ => fits(&here, path),
        }
    }

    /// 404 with the name of the call, in the version's error format, in place of another refusal.
    pub(super) fn refuse(&self, refused: Response) -> Response {
        let methods =
            if self.methods.is_empty() { String::new() } else { format!("{} ", self.methods.join(", ")) };
        let Self { path, name, .. } = self;
        let why = format!(
            "There is nothing at this address: Smooch's call \"{name}\" ({methods}{path}) is not offered here; \
             GET /docs shows the calls that are"
        );
        let refusal = ApiError::new(axum::http::StatusCode::NOT_FOUND, "not_found", why);
        let mut response = if self.versions == V2 { refusal.in_v2() } else { refusal.into_response() };
        // A page of another origin may read it if it could read the original answer.
        let of_browsers = refused
            .headers()
            .iter()
            .filter(|(name, _)| *name == header::VARY || name.as_str().starts_with("access-control-"));
        response.headers_mut().extend(of_browsers.map(|(name, value)| (name.clone(), value.clone())));
        response
    }
}
