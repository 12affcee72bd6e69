//! A client of the admin listener, for changes that only the running service may make.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Once;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Client, Method, header};
use serde_json::Value;
use tokio::net::TcpStream;

use super::{CommandError, database};
use crate::config::Settings;

/// Time limit of a request, far above the time of any answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// Time limit of a health check.
const WELL_WITHIN: Duration = Duration::from_secs(5);

/// Attempts while the service answers 503, and the pause between them.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

pub(super) const ANY_PORT: &str =
    "server.admin_listen has port 0, which is any free one: set the port with --set";

pub(super) struct AdminClient {
    client: Client,
    base: String,
}

pub(super) struct AdminResponse {
    pub(super) status: u16,
    pub(super) json: Value,
    pub(super) again_in: Option<Duration>,
}

impl AdminResponse {
    pub(super) fn refusal(&self) -> String {
        let said = self.json.pointer("/error/description").and_then(Value::as_str);
        format!("{} {}", self.status, said.unwrap_or("no reason given"))
    }
}

impl AdminClient {
    /// # Errors
    /// The address is unknown, or the database belongs to a newer program.
    pub(super) fn of(settings: &Settings) -> anyhow::Result<Self> {
        database::refuse_newer(settings)?;
        let admin = reached_at(settings.server.admin_listen)
            .ok_or_else(|| CommandError::Usage(ANY_PORT.to_owned()))?;
        Self::at(&format!("http://{admin}"))
    }

    /// A client for this address.
    ///
    /// # Errors
    /// The HTTP client cannot be created.
    pub(super) fn at(base: &str) -> anyhow::Result<Self> {
        choose_cryptography();
        let client = Client::builder().timeout(PATIENCE).no_proxy().tls_certs_only([]);
        let client = client.build().context("the HTTP client could not be set up")?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned() })
    }

    /// Sends an idempotent request, and retries it while the answer is 503.
    ///
    /// # Errors
    /// The service does not answer: [`CommandError::Unavailable`].
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
    /// The service does not answer: [`CommandError::Unavailable`].
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
                "the service {why} at {base} (server.admin_listen): is it running?"
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
        // A 503 may be of a proxy.
        if !(is_own(status, &json) || status == 503) {
            return Err(self.foreign(status));
        }
        Ok(AdminResponse { status, json, again_in })
    }

    /// The error for an answer of another program.
    pub(super) fn foreign(&self, status: u16) -> CommandError {
        CommandError::Unavailable(format!("{} {}", self.base, foreign(status)))
    }

    /// True if the service answers.
    pub(super) async fn is_there(&self) -> bool {
        self.ask(Method::GET, "/livez", &Value::Null).await.is_ok()
    }
}

/// True if an answer has rollcall's form: an object, with an error code for a failure.
fn is_own(status: u16, json: &Value) -> bool {
    if status < 300 { json.is_object() } else { json.pointer("/error/code").is_some_and(Value::is_string) }
}

/// The text for an answer of another program, after its address.
pub(super) fn foreign(status: u16) -> String {
    format!("answers {status}, but not as rollcall does: something else listens there")
}

/// The state of a service.
pub(super) enum Readiness {
    /// It accepts webhooks.
    Ready,
    /// It does not, for this reason.
    NotReady(String),
    /// Another program answers.
    Foreign(String),
    /// It does not answer.
    Silent(String),
}

/// Requests `/readyz` of an admin listener. The answer of another program is never repeated.
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
/// `server.listen` does not accept connections: [`CommandError::Unavailable`].
pub(super) async fn listens(settings: &Settings) -> Result<(), CommandError> {
    let Some(listen) = reached_at(settings.server.listen) else { return Ok(()) };
    let there = TcpStream::connect(listen).await;
    there.map(drop).map_err(|_| {
        CommandError::Unavailable(format!("no service answers at {listen} (server.listen): is it running?"))
    })
}

/// The address at which this machine reaches a listener; `None` for port 0.
pub(super) fn reached_at(mut listen: SocketAddr) -> Option<SocketAddr> {
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Some(listen).filter(|listen| listen.port() != 0)
}

/// Installs the TLS provider of rustls, once per process.
pub(super) fn choose_cryptography() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// GETs a path. Returns status and body, or the reason for a failure.
pub(super) async fn get(from: SocketAddr, path: &str) -> Result<(u16, String), String> {
    choose_cryptography();
    // HTTP needs no certificates, and a small container has none.
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
