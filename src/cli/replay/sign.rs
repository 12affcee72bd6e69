//! Signs payloads with the secret of their app.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, STANDARD_NO_PAD as NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};

use super::payloads::NotSent;
use crate::cli::apps::of_settings;
use crate::clock::now_seconds;
use crate::config::AppSettings;
use crate::smooch::json::without_mark;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SignatureScheme {
    /// `X-API-Key` with the secret itself.
    ApiKey,
    /// `X-Hub-Signature-256` with an HMAC-SHA256 of the body.
    Hmac,
    /// The three headers of Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature`.
    StandardWebhooks,
    /// The same under the names of Svix: `svix-id`, `svix-timestamp` and `svix-signature`.
    Svix,
}

/// Signs payloads for the apps of the settings, each with its first webhook secret.
pub(crate) struct Signer {
    keys: Vec<(String, SchemeKey)>,
    /// True if the only key signs every payload, for any app.
    chosen: bool,
}

enum SchemeKey {
    ApiKey(HeaderValue),
    Hmac(Hmac<Sha256>),
    /// With the names of the id, the timestamp and the signature.
    Standard(Hmac<Sha256>, [HeaderName; 3]),
}

pub(crate) type Headers = Vec<(HeaderName, HeaderValue)>;

const STANDARD: [HeaderName; 3] = [
    HeaderName::from_static("webhook-id"),
    HeaderName::from_static("webhook-timestamp"),
    HeaderName::from_static("webhook-signature"),
];
const SVIX: [HeaderName; 3] = [
    HeaderName::from_static("svix-id"),
    HeaderName::from_static("svix-timestamp"),
    HeaderName::from_static("svix-signature"),
];

impl Signer {
    /// A signer for all apps, or for the app `wanted` alone, which then signs everything.
    /// Fails if the settings have no such app, or a secret does not fit in a header.
    pub(crate) fn new(
        scheme: SignatureScheme,
        wanted: Option<&str>,
        apps: &[AppSettings],
    ) -> anyhow::Result<Self> {
        let key = |app: &AppSettings| anyhow::Ok((app.id.clone(), SchemeKey::of(scheme, app)?));
        let keys = match wanted {
            Some(id) => vec![key(of_settings(Some(id), apps)?)?],
            None => apps.iter().map(key).collect::<anyhow::Result<Vec<_>>>()?,
        };
        Ok(Self { keys, chosen: wanted.is_some() })
    }

    /// The headers to post a body of this app with, now.
    pub(crate) fn sign_as(&self, app: &str, body: &[u8]) -> Result<Headers, NotSent> {
        let key = self.keys.iter().find(|(id, _)| id == app);
        key.map(|(_, key)| key.headers(body, now_seconds()))
            .ok_or_else(|| NotSent::UnknownApp(app.to_owned()))
    }

    /// The headers to post this body with, now.
    pub(crate) fn sign(&self, body: &[u8]) -> Result<Headers, NotSent> {
        let named = app_of(body).map_err(|error| NotSent::NotJson(error.to_string()))?;
        let key = match (named, &*self.keys) {
            (_, [(_, only)]) if self.chosen => only,
            (None, [(_, only)]) => only,
            (None, _) => return Err(NotSent::NoApp),
            (Some(id), keys) => match keys.iter().find(|(app, _)| *app == id) {
                Some((_, key)) => key,
                None => return Err(NotSent::UnknownApp(id)),
            },
        };
        Ok(key.headers(body, now_seconds()))
    }
}

impl SchemeKey {
    fn of(scheme: SignatureScheme, app: &AppSettings) -> anyhow::Result<Self> {
        let secret = app
            .webhook_secrets
            .first()
            .with_context(|| format!("the app {} has no webhook secret", app.id))?;
        let secret = secret.expose().as_bytes();
        match scheme {
            SignatureScheme::ApiKey => {
                let mut value = HeaderValue::from_bytes(secret).ok().with_context(|| {
                    format!(
                        "the first webhook secret of the app {} has characters that are invalid in a header",
                        app.id
                    )
                })?;
                value.set_sensitive(true);
                Ok(Self::ApiKey(value))
            }
            SignatureScheme::Hmac => Ok(Self::Hmac(keyed(secret))),
            SignatureScheme::StandardWebhooks => Ok(Self::Standard(keyed(&standard_key(secret)), STANDARD)),
            SignatureScheme::Svix => Ok(Self::Standard(keyed(&standard_key(secret)), SVIX)),
        }
    }

    /// The headers for a body that is sent at this second since 1970.
    fn headers(&self, body: &[u8], now: i64) -> Headers {
        match self {
            Self::ApiKey(secret) => vec![(API_KEY, secret.clone())],
            Self::Hmac(key) => {
                let tag = key.clone().chain_update(body).finalize().into_bytes();
                vec![(SIGNATURE, plain(format!("sha256={}", hex(&tag))))]
            }
            Self::Standard(key, [id, timestamp, signature]) => {
                // The same body has the same id: a repetition is the same message.
                let own = format!("msg_{}", hex(&Sha256::digest(body)[..12]));
                let signed = key.clone().chain_update(format!("{own}.{now}.")).chain_update(body);
                let tag = BASE64.encode(signed.finalize().into_bytes());
                vec![
                    (id.clone(), plain(own)),
                    (timestamp.clone(), plain(now.to_string())),
                    (signature.clone(), plain(format!("v1,{tag}"))),
                ]
            }
        }
    }
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes a key of any length")
}

/// The key of Standard Webhooks: the decoded bytes of `whsec_` and base64, else the secret itself, as the target reads
/// it.
fn standard_key(secret: &[u8]) -> Vec<u8> {
    let decoded = secret.strip_prefix(b"whsec_").and_then(|text| {
        let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
        NO_PAD.decode(&text[..end]).ok()
    });
    decoded.unwrap_or_else(|| secret.to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A header of visible ASCII.
fn plain(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("plain text may stand in a header")
}

/// The app that a payload names, as the target reads it: `app._id`, or `app.id` in v2.
///
/// Any JSON will do, of any depth and with lone surrogates: serde_json skips other members without recursion and
/// without decoding them.
fn app_of(body: &[u8]) -> serde_json::Result<Option<String>> {
    let body = without_mark(body);
    match serde_json::from_slice(body) {
        Ok(Payload { app }) => Ok(app.and_then(|app| app.smooch_id.or(app.id)).and_then(AppIdValue::text)),
        // JSON of another shape, without an app, or not JSON.
        Err(_) => serde_json::from_slice::<IgnoredAny>(body).map(|_| None),
    }
}

#[derive(Deserialize)]
struct Payload {
    app: Option<AppReference>,
}

#[derive(Deserialize)]
struct AppReference {
    #[serde(rename = "_id")]
    smooch_id: Option<AppIdValue>,
    id: Option<AppIdValue>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AppIdValue {
    Text(String),
    Number(u64),
}

impl AppIdValue {
    fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text).filter(|text| !text.is_empty()),
            Self::Number(number) => Some(number.to_string()),
        }
    }
}
