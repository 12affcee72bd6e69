//! The running service of the settings, asked for what only it may change.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Once;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Client, Method, header};
use serde_json::Value;
use tokio::net::TcpStream;

use super::{CommandError, database};
use crate::config::Settings;

/// Far longer than the service takes to answer, be it with a refusal.
const PATIENCE: Duration = Duration::from_secs(120);

/// A service that is well answers far sooner.
const WELL_WITHIN: Duration = Duration::from_secs(5);

/// How often something is asked that the service has no room for, and how long is waited between.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// Why it cannot be told where the service listens.
pub(super) const ANY_PORT: &str =
    "server.admin_listen has port 0, which is any free one: say which with --set";

/// The admin listener.
pub(super) struct AdminClient {
    client: Client,
    base: String,
}

/// An answer: its status, and its JSON.
pub(super) struct AdminResponse {
    pub(super) status: u16,
    pub(super) json: Value,
    /// When to ask again, as it says itself.
    pub(super) again_in: Option<Duration>,
}

impl AdminResponse {
    /// What a refusal says.
    pub(super) fn refusal(&self) -> String {
        let said = self.json.pointer("/error/description").and_then(Value::as_str);
        format!("{} {}", self.status, said.unwrap_or("without a word on why"))
    }
}

impl AdminClient {
    /// # Errors
    /// It cannot be told where it listens, or no service of this program can have the database.
    pub(super) fn of(settings: &Settings) -> anyhow::Result<Self> {
        database::refuse_newer(settings)?;
        let admin = reached_at(settings.server.admin_listen)
            .ok_or_else(|| CommandError::Usage(ANY_PORT.to_owned()))?;
        Self::at(&format!("http://{admin}"))
    }

    /// The service whose admin listener is reached at this address.
    ///
    /// # Errors
    /// There is no HTTP client.
    pub(super) fn at(base: &str) -> anyhow::Result<Self> {
        choose_cryptography();
        let client = Client::builder().timeout(PATIENCE).no_proxy().tls_certs_only([]);
        let client = client.build().context("the HTTP client could not be set up")?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned() })
    }

    /// Asks for something that may be asked twice: while the service has no room, again a little later.
    ///
    /// # Errors
    /// Nobody answers: [`CommandError::Unavailable`].
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<AdminResponse, CommandError> {
        let mut tries = 1;
        loop {
            let body = body.to_string().into_bytes();
            let answer = self.send(method.clone(), path, "application/json", body).await?;
            if answer.status != 503 || tries == TRIES {
                return Ok(answer);
            }
            tries += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Posts lines of JSON, once.
    ///
    /// # Errors
    /// Nobody answers: [`CommandError::Unavailable`].
    pub(super) async fn post_lines(&self, path: &str, lines: Vec<u8>) -> Result<AdminResponse, CommandError> {
        self.send(Method::POST, path, "application/x-ndjson", lines).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<AdminResponse, CommandError> {
        let failed = |error: reqwest::Error| {
            let why = if error.is_connect() { "is not there" } else { "does not answer" };
            let base = &self.base;
            CommandError::Unavailable(format!(
                "the service {why} at {base} (server.admin_listen): is it started?"
            ))
        };
        let request = self.client.request(method, format!("{}{path}", self.base));
        let request = request.header(header::CONTENT_TYPE, kind).body(body);
        let answer = request.send().await.map_err(failed)?;
        let status = answer.status().as_u16();
        let seconds =
            answer.headers().get(header::RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
        let again_in = seconds.map(Duration::from_secs);
        let text = answer.text().await.map_err(failed)?;
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        // A proxy in between may have no time either.
        if !(is_own(status, &json) || status == 503) {
            return Err(self.foreign(status));
        }
        Ok(AdminResponse { status, json, again_in })
    }

    /// What is said of an answer that no service of this program gives.
    pub(super) fn foreign(&self, status: u16) -> CommandError {
        CommandError::Unavailable(format!("{} {}", self.base, foreign(status)))
    }

    /// Whether a service of this program is there.
    pub(super) async fn is_there(&self) -> bool {
        self.ask(Method::GET, "/livez", &Value::Null).await.is_ok()
    }
}

/// Whether an answer has the form of this program's: an object, which says what went wrong where something did.
fn is_own(status: u16, json: &Value) -> bool {
    if status < 300 { json.is_object() } else { json.pointer("/error/code").is_some_and(Value::is_string) }
}

/// The same, to be put behind an address.
pub(super) fn foreign(status: u16) -> String {
    format!("answers {status}, but not as rollcall does: something else listens there")
}

/// How a service is.
pub(super) enum Readiness {
    /// It would store a webhook now.
    Ready,
    /// It would not, and why.
    NotReady(String),
    /// It is something else.
    Foreign(String),
    /// It does not answer.
    Silent(String),
}

/// Asks `/readyz` how the service at this admin listener is. Nothing of what another program answers is repeated.
pub(super) async fn readiness(at: SocketAddr) -> Readiness {
    let (status, text) = match get(at, "/readyz").await {
        Ok(answer) => answer,
        Err(why) => return Readiness::Silent(why),
    };
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let why = json.pointer("/error/description").and_then(Value::as_str);
    match (status, why) {
        (200, _) if json["ready"] == true => Readiness::Ready,
        (503, Some(why)) => Readiness::NotReady(why.to_owned()),
        _ => Readiness::Foreign(foreign(status)),
    }
}

/// # Errors
/// Nobody listens where webhooks are taken: [`CommandError::Unavailable`].
pub(super) async fn listens(settings: &Settings) -> Result<(), CommandError> {
    let Some(listen) = reached_at(settings.server.listen) else { return Ok(()) };
    let there = TcpStream::connect(listen).await;
    there.map(drop).map_err(|_| {
        CommandError::Unavailable(format!(
            "nobody listens at {listen} (server.listen): is the service started?"
        ))
    })
}

/// Where a service that listens there is reached from this machine; nothing for port 0.
pub(super) fn reached_at(mut listen: SocketAddr) -> Option<SocketAddr> {
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Some(listen).filter(|listen| listen.port() != 0)
}

/// Chooses who does the cryptography of TLS; rustls has to be told once a process.
pub(super) fn choose_cryptography() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error says that somebody else has chosen before, which is just as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// GETs a path: gives the status and the body, or why there is none.
pub(super) async fn get(from: SocketAddr, path: &str) -> Result<(u16, String), String> {
    choose_cryptography();
    // The machine's certificates are not needed, and a small container has none.
    let client = Client::builder().timeout(WELL_WITHIN).no_proxy().tls_certs_only([]).build();
    let asked = async {
        let answer = client?.get(format!("http://{from}{path}")).send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await?))
    };
    asked.await.map_err(|error: reqwest::Error| match error {
        error if error.is_timeout() => format!("does not answer within {} s", WELL_WITHIN.as_secs()),
        error if error.is_connect() => "takes no connection".to_owned(),
        _ => "does not speak HTTP".to_owned(),
    })
}
