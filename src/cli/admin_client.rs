//! A client of the admin listener, for changes that only the running service may make.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use percent_encoding::percent_decode_str;
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, StatusCode, Url, header, redirect};
use serde_json::Value;
use tokio::net::TcpStream;

use super::{CommandError, database};
use crate::config::{Settings, StoreUrl};
use crate::operators::{Key, KeyFileError, key_path, read_key};

/// Time limit of a request, far above the time of any answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// Time limit of a connection.
const REACHED_WITHIN: Duration = Duration::from_secs(10);

/// The command says on stderr that it waits once the service has not answered for this long.
const SILENCE: Duration = Duration::from_secs(5);

/// Time limit of a health check.
const WELL_WITHIN: Duration = Duration::from_secs(5);

/// Attempts while the service answers 503, and the pause between them.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct AdminClient {
    client: Client,
    base: String,
    credential: Credential,
}

/// What the client proves itself with.
enum Credential {
    /// The key of this key file.
    Key(Key, PathBuf),
    /// A name and a secret of the service's settings.
    Operator(String, String),
    /// This key file would be it, and does not exist.
    Missing(PathBuf),
    /// Nothing is needed, or known.
    None,
}

impl Credential {
    /// The key of the settings' database. The service makes it, so without one there may be no service.
    fn of(settings: &Settings) -> Result<Self, CommandError> {
        let StoreUrl::Sqlite(database) = &settings.store.url;
        match read_key(database) {
            Ok(key) => Ok(Self::Key(key, key_path(database))),
            Err(KeyFileError::Missing(path)) => Ok(Self::Missing(path)),
            Err(error) => Err(CommandError::Io(error.to_string())),
        }
    }

    /// Why the service refused it.
    fn refused(&self) -> String {
        match self {
            Self::Key(_, path) => format!(
                "does not accept the key in {}: it serves another database, or must be reloaded (SIGHUP) to read the new key",
                path.display()
            ),
            Self::Operator(..) => "does not know this name and secret".to_owned(),
            Self::Missing(path) => format!(
                "needs the key of its database, and {} does not exist: name the settings of that service with --config",
                path.display()
            ),
            Self::None => "needs an operator: write --to http://NAME:SECRET@HOST:PORT".to_owned(),
        }
    }
}

pub(super) struct ServiceAnswer {
    pub(super) status: StatusCode,
    pub(super) json: Value,
    pub(super) again_in: Option<Duration>,
}

impl ServiceAnswer {
    pub(super) fn refusal(&self) -> String {
        let why = description(&self.json).unwrap_or("no reason given");
        format!("{} {why}", self.status.as_u16())
    }

    /// True if the answer has rollcall's form: an object, with an error code for a failure.
    pub(super) fn is_own(&self) -> bool {
        match self.status.as_u16() {
            ..300 => self.json.is_object(),
            _ => self.json.pointer("/error/code").is_some_and(Value::is_string),
        }
    }
}

pub(super) fn description(answer: &Value) -> Option<&str> {
    answer.pointer("/error/description")?.as_str()
}

impl AdminClient {
    /// Fails if the address is unknown, or the database belongs to a newer program.
    pub(super) fn of(settings: &Settings) -> anyhow::Result<Self> {
        database::refuse_newer(settings)?;
        let admin = admin_address(settings)?;
        Self::with(&format!("http://{admin}"), Credential::of(settings)?)
    }

    /// A client of another address. It proves itself with the name and the secret in it; without them, on this machine,
    /// with the key file, which never leaves the machine.
    pub(super) fn at(base: &Url, settings: &Settings) -> anyhow::Result<Self> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let credential = match (base.username(), base.password()) {
            ("", _) if is_here => Credential::of(settings)?,
            ("", _) => Credential::None,
            (name, secret) => Credential::Operator(decoded(name), decoded(secret.unwrap_or_default())),
        };
        let mut base = base.clone();
        // It is sent as a header, and shown in no message.
        _ = base.set_username("");
        _ = base.set_password(None);
        Self::with(base.as_str(), credential)
    }

    /// A client that sends nothing.
    pub(super) fn none() -> anyhow::Result<Self> {
        Self::with("", Credential::None)
    }

    fn with(base: &str, credential: Credential) -> anyhow::Result<Self> {
        let client = client_builder(true).connect_timeout(REACHED_WITHIN).timeout(PATIENCE).build();
        let client = client.context("the HTTP client could not be set up")?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned(), credential })
    }

    /// Sends an idempotent request, and retries it while the answer is 503.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<ServiceAnswer, CommandError> {
        let mut tries = 1;
        loop {
            let body = body.to_string().into_bytes();
            let answer = self.send(method.clone(), path, "application/json", body).await?;
            if answer.status != StatusCode::SERVICE_UNAVAILABLE || tries == TRIES {
                return Ok(answer);
            }
            tries += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Posts lines of JSON, once.
    pub(super) async fn post_lines(&self, path: &str, lines: Vec<u8>) -> Result<ServiceAnswer, CommandError> {
        self.send(Method::POST, path, "application/x-ndjson", lines).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<ServiceAnswer, CommandError> {
        let request = self.client.request(method, format!("{}{path}", self.base));
        let request = request.header(header::CONTENT_TYPE, kind).body(body);
        let request = match &self.credential {
            Credential::Key(key, _) => request.bearer_auth(key.expose()),
            Credential::Operator(name, secret) => request.basic_auth(name, Some(secret)),
            Credential::Missing(_) | Credential::None => request,
        };
        let place = format!("{} (server.admin_listen): is it running?", self.base);
        let mut asked = pin!(send(request, &place));
        let answer = tokio::select! {
            answer = &mut asked => answer,
            () = tokio::time::sleep(SILENCE) => {
                self.say_waiting();
                asked.await
            }
        }?;
        // A 503 may be of a proxy.
        if !(answer.is_own() || answer.status == StatusCode::SERVICE_UNAVAILABLE) {
            return Err(self.foreign(answer.status));
        }
        if answer.status == StatusCode::UNAUTHORIZED {
            return Err(CommandError::Unavailable(format!("{} {}", self.base, self.credential.refused())));
        }
        Ok(answer)
    }

    /// Tells, on stderr, why nothing happens. A closed stderr is ignored.
    fn say_waiting(&self) {
        let (silence, patience) = (SILENCE.as_secs(), PATIENCE.as_secs());
        let base = &self.base;
        let said = format!("{base} has not answered for {silence} s; this waits for up to {patience} s");
        _ = writeln!(io::stderr(), "{said}");
    }

    /// The error for an answer of another program.
    pub(super) fn foreign(&self, status: StatusCode) -> CommandError {
        CommandError::Unavailable(format!("{} {}", self.base, foreign(status.as_u16())))
    }

    pub(super) async fn is_there(&self) -> bool {
        self.ask(Method::GET, "/livez", &Value::Null).await.is_ok()
    }
}

/// A client that uses no proxy and follows no redirect.
pub(super) fn client_builder(is_plain: bool) -> ClientBuilder {
    // An error means that a provider of TLS is installed already.
    _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().redirect(redirect::Policy::none()).no_proxy();
    // HTTP needs no certificates, and a small container has none.
    if is_plain { client.tls_certs_only([]) } else { client }
}

/// Sends a request. The error for a service that does not answer names its place.
pub(super) async fn send(request: RequestBuilder, place: &str) -> Result<ServiceAnswer, CommandError> {
    let failed = |error: reqwest::Error| {
        let why = if error.is_connect() { "is not there" } else { "does not answer" };
        CommandError::Unavailable(format!("the service {why} at {place}"))
    };
    let answer = request.send().await.map_err(failed)?;
    let status = answer.status();
    let seconds =
        answer.headers().get(header::RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
    let text = answer.text().await.map_err(failed)?;
    let json = serde_json::from_str(&text).unwrap_or_default();
    Ok(ServiceAnswer { status, json, again_in: seconds.map(Duration::from_secs) })
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
    /// It does not answer, or another program does.
    Absent(String),
}

/// Requests `/readyz` of an admin listener. The answer of another program is never repeated.
pub(super) async fn readiness(at: SocketAddr) -> Readiness {
    let (status, text) = match get(at, "/readyz").await {
        Ok(answer) => answer,
        Err(why) => return Readiness::Absent(why),
    };
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    match (status, description(&json)) {
        (200, _) if json["ready"] == true => Readiness::Ready,
        (503, Some(why)) => Readiness::NotReady(why.to_owned()),
        _ => Readiness::Absent(foreign(status)),
    }
}

/// Fails if `server.listen` does not accept connections.
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

pub(super) fn admin_address(settings: &Settings) -> Result<SocketAddr, CommandError> {
    fixed_address("server.admin_listen", settings.server.admin_listen, "set the port with --set")
}

/// As [`reached_at`], for a listener that must not have port 0.
pub(super) fn fixed_address(key: &str, listen: SocketAddr, remedy: &str) -> Result<SocketAddr, CommandError> {
    let why = || CommandError::Usage(format!("{key} has port 0, which is any free one: {remedy}"));
    reached_at(listen).ok_or_else(why)
}

/// GETs a path. Returns status and body, or the reason for a failure.
pub(super) async fn get(from: SocketAddr, path: &str) -> Result<(u16, String), String> {
    let client = client_builder(true).timeout(WELL_WITHIN).build();
    let asked = async {
        let answer = client?.get(format!("http://{from}{path}")).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    };
    asked.await.map_err(|error: reqwest::Error| match error {
        error if error.is_timeout() => format!("does not answer within {} s", WELL_WITHIN.as_secs()),
        error if error.is_connect() => "takes no connection".to_owned(),
        _ => "does not speak HTTP".to_owned(),
    })
}
