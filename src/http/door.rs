//! The door of the admin listener: who the caller is, and what they may do. It is no proof to be on this machine: any
//! account of it, and any page open in a browser on it, reaches the listener.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use http_body_util::{BodyStream, StreamBody};
use hyper::body::Body as _;

use super::audit::AuditedCall;
use super::downloads;
use super::error::ApiError;
use super::state::{HttpState, State};
use crate::clock::now_ms;
use crate::operators::{Ending, Operator, ProxyClaim, Refusal, Role, SessionInfo};

/// The header with the half of a session that only the page has.
const HALF: HeaderName = HeaderName::from_static("x-rollcall-session");

/// Why the door is closed.
#[derive(Clone, Copy)]
pub(super) enum Closed {
    /// The request comes from a page of another origin.
    Page,
    /// It proves no operator.
    Unauthorized,
    /// The operator may not do it.
    Viewer,
    /// The proxy's operator is in no group that may do anything.
    NoGroup,
    /// The proxy's operator has the name of one of the settings.
    NameTaken,
    /// Too many wrong secrets: the time to wait, in s.
    TooMany(u64),
}

impl From<Refusal> for Closed {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Wrong => Self::Unauthorized,
            Refusal::TooMany(wait) => Self::TooMany(wait),
        }
    }
}

impl Closed {
    /// Counts the refusal, and says it. That of a credential is always the same, so that it tells nothing about it.
    pub(super) fn refuse(self, shared: &HttpState) -> ApiError {
        let (counted, refusal) = match self {
            Self::Page => ("page", ApiError::forbidden(PAGE)),
            Self::Unauthorized => ("unauthorized", ApiError::unauthorized(UNAUTHORIZED)),
            Self::Viewer => ("forbidden", ApiError::forbidden(VIEWER)),
            Self::NoGroup => ("forbidden", ApiError::forbidden(NO_GROUP)),
            Self::NameTaken => ("forbidden", ApiError::forbidden(NAME_TAKEN)),
            Self::TooMany(wait) => {
                let why = "Too many wrong secrets for this name, or from this address";
                let refusal = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", why);
                ("too_many", ApiError { after: Some(wait), ..refusal })
            }
        };
        shared.metrics.refuse_operator(counted);
        refusal
    }
}

const PAGE: &str =
    "The request comes from a page of another origin (Origin, Sec-Fetch-Site). Nothing was done";
const UNAUTHORIZED: &str = "This needs an operator: sign in with a link of `rollcall console` or with a name and a secret, or \
                            send the key file's content as Bearer, or a name and a secret as Basic";
const VIEWER: &str = "A viewer may look only: this call needs the role operator";
const NO_GROUP: &str = "The proxy signed you in, but none of your groups is in console.proxy.operator_groups or \
                        console.proxy.viewer_groups";
const NAME_TAKEN: &str = "The proxy signed you in under the name of an operator in console.operators: one of the two needs \
                          another name, so that the audit log can tell them apart";

/// Refuses, with 403, a call that a browser sends for a page that is not the listener's own; and with 415 a change that is not
/// declared as JSON or JSON lines, for which a page of another origin needs a preflight.
pub(super) async fn refuse_other_pages(shared: State, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !is_own_page(&shared, headers) {
        AuditedCall::of(&request).refuse(&shared.audit, None);
        return Closed::Page.refuse(&shared).into_response();
    }
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    let is_json = kind.starts_with(b"application/json") || kind.starts_with(b"application/x-ndjson");
    if is_change(request.method()) && !is_json {
        let (status, code) = (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
        return ApiError::new(status, code, "content-type must be application/json").into_response();
    }
    next.run(request).await
}

/// Lets a request pass if an operator sends it who may do it. The handler gets the operator as an extension; a stream ends
/// with the proof.
pub(super) async fn require_operator(shared: State, mut request: Request, next: Next) -> Response {
    let call = AuditedCall::of(&request);
    let operator = match identify(&shared, &request) {
        Ok(operator) => operator,
        Err(closed) => {
            call.refuse(&shared.audit, None);
            return closed.refuse(&shared).into_response();
        }
    };
    // Whoever may look may also sign out, and save what they see.
    let is_of_viewers = ["/session", downloads::PATH].contains(&request.uri().path());
    if is_change(request.method()) && !is_of_viewers && operator.role < Role::Operator {
        call.refuse(&shared.audit, Some(&operator));
        return Closed::Viewer.refuse(&shared).into_response();
    }
    let ending = operator.ending.clone();
    request.extensions_mut().insert(operator.clone());
    let response = next.run(request).await;
    if response.status() == StatusCode::FORBIDDEN {
        call.refuse(&shared.audit, Some(&operator));
    }
    response.map(|body| until_ended(body, ending, operator.session.as_ref()))
}

/// Ends a stream once the proof of its caller no longer holds. A session is in use as long as its stream is open.
fn until_ended(body: Body, ending: Ending, session: Option<&SessionInfo>) -> Body {
    if body.size_hint().exact().is_some() {
        return body;
    }
    let open = session.map(|session| session.streams.open());
    let frames = BodyStream::new(body).take_until(async move {
        let _open = open;
        ending.wait().await;
    });
    Body::new(StreamBody::new(frames))
}

fn is_change(method: &Method) -> bool {
    ![Method::GET, Method::HEAD].contains(method)
}

/// The address at the other end of the connection.
fn peer(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip().to_canonical())
}

/// The address that wrong secrets are counted for. Behind a proxy, on this machine or one of `console.proxy.peers`, everybody
/// comes from the proxy's: there it is the one that the proxy saw, the last of `X-Forwarded-For`. From another peer that
/// header means nothing.
pub(super) fn source(shared: &HttpState, request: &Request) -> IpAddr {
    let peer = peer(request);
    let proxy = shared.settings.console.proxy.as_ref();
    let is_proxy = peer.is_loopback() || proxy.is_some_and(|proxy| proxy.peers.contains(&peer));
    let seen = is_proxy.then(|| texts(request.headers(), "x-forwarded-for").pop()).flatten();
    seen.and_then(last_address).unwrap_or(peer)
}

/// The last address of a list with commas, perhaps with its port.
fn last_address(list: &str) -> Option<IpAddr> {
    let last = list.rsplit(',').next()?.trim();
    let with_port = || last.parse::<SocketAddr>().ok().map(|address| address.ip());
    last.trim_matches(['[', ']']).parse().ok().or_else(with_port)
}

/// The operator that a request proves. A proxy goes first, because it may pass on an `Authorization` of its own. A wrong
/// proof is not made good by a right one of another kind.
fn identify(shared: &HttpState, request: &Request) -> Result<Arc<Operator>, Closed> {
    const WRONG: Closed = Closed::Unauthorized;
    let (headers, now, from) = (request.headers(), now_ms(), peer(request));
    match shared.admission.by_proxy(from, |name| texts(headers, name)) {
        ProxyClaim::Operator(operator) => return Ok(operator),
        ProxyClaim::Wrong => return Err(WRONG),
        ProxyClaim::NoRole => return Err(Closed::NoGroup),
        ProxyClaim::NameTaken => return Err(Closed::NameTaken),
        ProxyClaim::None => {}
    }
    let authorization = match texts(headers, header::AUTHORIZATION.as_str())[..] {
        [] => {
            let cookies = session_cookies(shared, headers);
            let found = match texts(headers, HALF.as_str())[..] {
                [half] => shared.admission.by_session(&cookies, half, now),
                // A browser that follows a link sends no header of ours: what the page was given is in the address.
                [] => downloads::code_in(request.uri().path())
                    .and_then(|code| shared.admission.by_download(&cookies, code, now)),
                _ => None,
            };
            return found.ok_or(WRONG);
        }
        [authorization] => authorization,
        _ => return Err(WRONG),
    };
    let (scheme, credential) = authorization.split_once(' ').ok_or(WRONG)?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => shared.admission.by_key(credential.trim()).ok_or(WRONG),
        "basic" => {
            let (name, secret) = name_and_secret(credential).ok_or(WRONG)?;
            Ok(shared.admission.by_secret(&name, &secret, source(shared, request), now)?)
        }
        _ => Err(WRONG),
    }
}

/// The values of a header; one that is no text is empty, which proves nothing.
fn texts<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h str> {
    let values = headers.get_all(name).iter();
    values.map(|value| std::str::from_utf8(value.as_bytes()).unwrap_or_default()).collect()
}

fn name_and_secret(credential: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(STANDARD.decode(credential.trim()).ok()?).ok()?;
    let (name, secret) = decoded.split_once(':')?;
    Some((name.to_owned(), secret.to_owned()))
}

/// The name of the cookie. The prefix has the browser refuse it from anything but this host over TLS.
pub(super) fn cookie_name(shared: &HttpState) -> &'static str {
    match &shared.settings.console.url {
        Some(url) if url.is_secure => "__Host-rollcall_session",
        _ => "rollcall_session",
    }
}

/// The values of the session's cookie: several, if another port of this host has set one too.
fn session_cookies<'h>(shared: &HttpState, headers: &'h HeaderMap) -> Vec<&'h str> {
    let lines = texts(headers, header::COOKIE.as_str()).into_iter();
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == cookie_name(shared)).map(|(_, value)| value).collect()
}

/// True unless a browser says that the request comes from a page of another origin.
fn is_own_page(shared: &HttpState, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let own = format!("http://{host}");
    let console = shared.settings.console.url.as_ref().map(|url| url.origin.as_str());
    let is_own =
        |origin: &&str| origin.eq_ignore_ascii_case(&own) || console.is_some_and(|url| url == *origin);
    let is_own_site = |site: &&str| ["same-origin", "none"].contains(site);
    texts(headers, header::ORIGIN.as_str()).iter().all(is_own)
        && texts(headers, "sec-fetch-site").iter().all(is_own_site)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_forwarded_address_is_read_in_every_form() {
        for (list, last) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("198.51.100.7, 192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:4711", Some("192.0.2.1")),
            ("198.51.100.7,2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:4711", Some("2001:db8::1")),
            ("192.0.2.1,", None),
            ("unknown", None),
        ] {
            assert_eq!(last_address(list), last.map(|ip| ip.parse().unwrap()), "{list}");
        }
    }
}
