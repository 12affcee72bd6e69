//! The running service, asked over HTTP with a key of the settings.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Client, Method, StatusCode, Url, redirect, retry};
use serde_json::Value;

use super::service::choose_cryptography;
use super::{Failure, replay};
use crate::config::{App, Key, Settings};

/// The service answers a change within a few seconds; it may wait for the disk.
const PATIENCE: Duration = Duration::from_secs(30);

/// The service, and the key that it is asked with.
pub(super) struct Rest {
    client: Client,
    base: Url,
    key: Key,
}

impl Rest {
    /// The service at `to`, else where the settings let it listen, asked with the app's first key.
    ///
    /// # Errors
    /// The app has no key, or nobody knows where the service is.
    pub(super) fn new(to: Option<&Url>, settings: &Settings, app: &App) -> anyhow::Result<Self> {
        let key = app.keys.first().cloned();
        let key = key.with_context(|| format!("the app {} has no keys: add one to its `keys`", app.id))?;
        let base = to.cloned().map_or_else(|| replay::default_target(settings.server.listen), Ok)?;
        choose_cryptography();
        let mut client = Client::builder()
            .user_agent(concat!("rollcall/", env!("CARGO_PKG_VERSION")))
            .timeout(PATIENCE)
            .retry(retry::never())
            .redirect(redirect::Policy::none())
            .no_proxy();
        if base.scheme() == "http" {
            client = client.tls_certs_only([]);
        }
        let client = client.build().context("the HTTP client could not be set up")?;
        Ok(Self { client, base, key })
    }

    /// Asks for a path, each of its segments as it is, below the address of the service: gives the status, and
    /// the JSON.
    ///
    /// # Errors
    /// Nobody answers there ([`Failure::Unavailable`]), or what they answer is not JSON.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &str,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let mut url = self.base.clone();
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        let asked = self.client.request(method, url).basic_auth(&self.key.id, Some(self.key.secret.expose()));
        let answer = match asked.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => {
                let at = self.base.origin().ascii_serialization();
                let why = format!(
                    "no service answers at {at}: one process writes the directory, so start `rollcall serve`, or \
                     name a running one with --to"
                );
                return Err(Failure::Unavailable(why).into());
            }
            // The URL may hold a name.
            Err(error) => return Err(error.without_url()).context("the service did not answer"),
        };
        let status = answer.status();
        let body =
            answer.bytes().await.map_err(reqwest::Error::without_url).context("the answer broke off")?;
        let said =
            serde_json::from_slice(&body).with_context(|| format!("the answer ({status}) is not JSON"))?;
        Ok((status, said))
    }
}

/// What an answer says went wrong.
pub(super) fn description(said: &Value) -> String {
    let text = said.pointer("/error/description").or_else(|| said.pointer("/errors/0/title"));
    text.and_then(Value::as_str).unwrap_or("no description").to_owned()
}
