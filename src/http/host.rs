//! The host names of the admin listener. A web page can make a name of its own resolve to any address,
//! the admin listener's too, and then read the answers as its own origin (DNS rebinding); only the `Host`
//! gives it away.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::request_id::note_route;
use crate::config::Settings;
use crate::metrics::Metrics;

#[derive(Clone, Debug)]
pub(super) struct Hosts {
    /// The address of the listener; a reload does not change it.
    listen: IpAddr,
    /// The configured names, in lower case, and the host of the console.
    names: Arc<[String]>,
}

impl Hosts {
    pub(super) fn new(settings: &Settings) -> Self {
        let of_console = settings.console.url.iter().map(|url| url.host.clone());
        let names = settings.server.admin_hosts.iter().cloned().chain(of_console);
        Self { listen: settings.server.admin_listen.ip(), names: names.collect() }
    }

    /// The same with the names of other settings.
    pub(super) fn with_settings(&self, settings: &Settings) -> Self {
        Self { listen: self.listen, ..Self::new(settings) }
    }

    /// True if a request uses one of the names, or none, as old clients do.
    fn admit(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut named = headers.get_all(header::HOST).iter();
        let host = match (named.next(), named.next()) {
            (None, _) => None,
            (Some(host), None) => match host.to_str().ok().and_then(|host| host.parse().ok()) {
                Some(host) => Some(host),
                None => return false,
            },
            (Some(_), Some(_)) => return false,
        };
        // An absolute request target repeats the host; then both must match.
        host.iter().chain(uri.authority()).all(|authority: &Authority| self.knows(authority.host()))
    }

    fn knows(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        match host.parse::<IpAddr>() {
            // A page has an address for a host only if it was served from there.
            Ok(ip) => {
                let ip = ip.to_canonical();
                // The name of the console may be an address too.
                self.names.contains(&ip.to_string())
                    || ip.is_loopback()
                    || self.listen.is_unspecified()
                    || ip == self.listen.to_canonical()
            }
            Err(_) => {
                let host = host.to_ascii_lowercase();
                host == "localhost" || self.names.contains(&host)
            }
        }
    }
}

/// Refuses, with 421, requests to the admin listener under a foreign host name.
pub(super) async fn require_own_host(
    State((hosts, metrics)): State<(Hosts, Arc<Metrics>)>,
    request: Request,
    next: Next,
) -> Response {
    if hosts.admit(request.uri(), request.headers()) {
        let route = request.extensions().get::<MatchedPath>().cloned();
        let mut response = next.run(request).await;
        note_route(&mut response, route.as_ref().map(MatchedPath::as_str));
        return response;
    }
    metrics.refuse_operator("host");
    let why = "The admin listener answers to localhost, to its own address, to the names in server.admin_hosts and to the \
               host of console.url; the Host of this request is none of them";
    ApiError::new(StatusCode::MISDIRECTED_REQUEST, "misdirected_request", why).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The other names, on the other addresses, are in `tests/it/operations/host.rs`.
    #[test]
    fn a_listener_on_one_address_of_several_knows_that_one() {
        let admits = |host: &str| {
            let hosts = Hosts { listen: "10.0.0.5".parse().unwrap(), names: Arc::default() };
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            hosts.admit(&Uri::from_static("/metrics"), &headers)
        };
        assert!(admits("10.0.0.5") && admits("10.0.0.5:8788") && !admits("10.0.0.6"));
    }
}
