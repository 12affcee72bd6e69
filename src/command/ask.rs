//! Questions to a service on this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Once;
use std::time::Duration;

use reqwest::Client;

/// A service that is well answers far sooner.
const WITHIN: Duration = Duration::from_secs(5);

/// Chooses who does the cryptography of TLS; rustls has to be told once a process.
pub(super) fn choose_cryptography() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error says that somebody else has chosen before, which is just as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Where a service that listens there is reached from this machine; nowhere that can be told if it is any free
/// port.
pub(super) fn reachable(mut listen: SocketAddr) -> Option<SocketAddr> {
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    (listen.port() != 0).then_some(listen)
}

/// GETs a path: gives the status and the body, or why there is none.
pub(super) async fn get(from: SocketAddr, path: &str) -> Result<(u16, String), String> {
    choose_cryptography();
    // The machine's certificates are not needed, and a small container has none.
    let client = Client::builder().timeout(WITHIN).no_proxy().tls_certs_only([]).build();
    let asked = async {
        let answer = client?.get(format!("http://{from}{path}")).send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await?))
    };
    asked.await.map_err(|error: reqwest::Error| match error {
        error if error.is_timeout() => format!("does not answer within {} s", WITHIN.as_secs()),
        error if error.is_connect() => "takes no connection".to_owned(),
        _ => "does not speak HTTP".to_owned(),
    })
}
