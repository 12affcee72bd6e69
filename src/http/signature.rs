//! Verification of a webhook's sender: Smooch's plain secret, or a relay's HMAC of the body.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::config::AppSettings;
use crate::domain::AppId;

const API_KEY: &str = "x-api-key";
const HUB: &str = "x-hub-signature-256";
/// The headers of Standard Webhooks, each with Svix's earlier name.
const STANDARD_ID: [&str; 2] = ["webhook-id", "svix-id"];
const STANDARD_TIMESTAMP: [&str; 2] = ["webhook-timestamp", "svix-timestamp"];
const STANDARD_SIGNATURE: [&str; 2] = ["webhook-signature", "svix-signature"];
pub(super) const CREDENTIALS: [&str; 7] =
    [API_KEY, HUB, STANDARD_SIGNATURE[0], STANDARD_SIGNATURE[1], "authorization", "app-token", "cookie"];

const MOST_SIGNATURES: usize = 10;
const MOST_SIGNATURE_BYTES: usize = 4096;

/// True if a request has a header that can authenticate a webhook.
pub(super) fn has_credential(headers: &HeaderMap) -> bool {
    [API_KEY, HUB].iter().chain(&STANDARD_SIGNATURE).any(|name| headers.contains_key(*name))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VerifyError {
    Missing,
    /// A credential header is repeated or malformed.
    Malformed,
    /// The secret or signature belongs to no app here.
    Wrong,
    /// The secret or signature is right, but the address or the body names another app.
    OtherApp,
    /// The timestamp is too old, or ahead of the clock.
    Stale,
}

impl VerifyError {
    /// The label in the metrics.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Missing => "no_secret",
            Self::Malformed => "malformed_secret",
            Self::Wrong => "wrong_secret",
            Self::OtherApp => "wrong_app",
            Self::Stale => "stale_signature",
        }
    }
}

pub(super) enum WebhookCredential<'s, 'h> {
    Secret(&'s AppId),
    /// An HMAC of the body.
    Hub([u8; 32]),
    /// HMACs of `id.timestamp.body`, several of them while secrets rotate.
    Standard {
        id: &'h [u8],
        timestamp: &'h [u8],
        tags: Vec<[u8; 32]>,
    },
}

pub(super) struct Secrets {
    apps: Vec<AppId>,
    secrets: Vec<WebhookSecret>,
}

struct WebhookSecret {
    app: u32,
    hash: [u8; 32],
    /// Keyed with the secret as written.
    plain: Hmac<Sha256>,
    /// Keyed as Standard Webhooks does: `whsec_` and base64, or the secret as written.
    standard: Hmac<Sha256>,
}

impl Secrets {
    pub(super) fn new(apps: &[AppSettings]) -> Self {
        let secrets = apps.iter().zip(0u32..).flat_map(|(app, n)| {
            app.webhook_secrets.iter().filter_map(move |secret| WebhookSecret::new(n, secret.expose()))
        });
        Self { apps: apps.iter().map(|app| app.id.as_str().into()).collect(), secrets: secrets.collect() }
    }

    /// Checks the headers alone, before the body is read.
    pub(super) fn find_credential<'s, 'h>(
        &'s self,
        headers: &'h HeaderMap,
        now: i64,
        tolerance: Duration,
    ) -> Result<WebhookCredential<'s, 'h>, VerifyError> {
        if let Some(key) = single_value(headers, API_KEY)? {
            return self.app_by_key(key).map(WebhookCredential::Secret);
        }
        if let Some(given) = single_value_of(headers, STANDARD_SIGNATURE)? {
            return standard(headers, given, now, tolerance);
        }
        let given = single_value(headers, HUB)?.ok_or(VerifyError::Missing)?;
        let digits = given.strip_prefix(b"sha256=").ok_or(VerifyError::Malformed)?;
        Ok(WebhookCredential::Hub(unhex(digits).ok_or(VerifyError::Malformed)?))
    }

    /// The app that a request comes from, verified with its body.
    pub(super) fn verify<'s>(
        &'s self,
        proof: &WebhookCredential<'s, '_>,
        body: &[u8],
    ) -> Result<&'s AppId, VerifyError> {
        match proof {
            WebhookCredential::Secret(app) => Ok(app),
            WebhookCredential::Hub(given) => {
                self.app_by(|secret| tag_of(&secret.plain, &[body]).ct_eq(given))
            }
            WebhookCredential::Standard { id, timestamp, tags } => self.app_by(|secret| {
                let tag = tag_of(&secret.standard, &[id, b".", timestamp, b".", body]);
                tags.iter().fold(Choice::from(0), |fits, given| fits | given.ct_eq(&tag))
            }),
        }
    }

    #[inline(never)] // a test counts its instructions
    fn app_by_key(&self, key: &[u8]) -> Result<&AppId, VerifyError> {
        let hash: [u8; 32] = Sha256::digest(key).into();
        self.app_by(|secret| secret.hash.ct_eq(&hash))
    }

    /// Tries every secret, also after a match, and compares hashes: the time taken reveals nothing about
    /// a secret.
    #[inline(never)] // a test counts its instructions
    fn app_by(&self, fits: impl Fn(&WebhookSecret) -> Choice) -> Result<&AppId, VerifyError> {
        let found = self
            .secrets
            .iter()
            .fold(u32::MAX, |found, secret| u32::conditional_select(&found, &secret.app, fits(secret)));
        self.apps.get(found as usize).ok_or(VerifyError::Wrong)
    }
}

impl WebhookSecret {
    fn new(app: u32, secret: &str) -> Option<Self> {
        let keyed = |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).ok();
        let decoded = secret
            .strip_prefix("whsec_")
            .and_then(|text| STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok());
        Some(Self {
            app,
            hash: Sha256::digest(secret).into(),
            plain: keyed(secret.as_bytes())?,
            standard: keyed(decoded.as_deref().unwrap_or(secret.as_bytes()))?,
        })
    }
}

/// Standard Webhooks: `v1,` and base64 of the HMAC.
fn standard<'h>(
    headers: &'h HeaderMap,
    given: &[u8],
    now: i64,
    tolerance: Duration,
) -> Result<WebhookCredential<'static, 'h>, VerifyError> {
    let id = single_value_of(headers, STANDARD_ID)?.ok_or(VerifyError::Malformed)?;
    let timestamp = single_value_of(headers, STANDARD_TIMESTAMP)?.ok_or(VerifyError::Malformed)?;
    let digits = !timestamp.is_empty() && timestamp.len() <= 12 && timestamp.iter().all(u8::is_ascii_digit);
    if id.is_empty() || id.contains(&b'.') || !digits || given.len() > MOST_SIGNATURE_BYTES {
        return Err(VerifyError::Malformed);
    }
    let signed: i64 = std::str::from_utf8(timestamp)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(VerifyError::Malformed)?;
    if now.abs_diff(signed) > tolerance.as_secs() {
        return Err(VerifyError::Stale);
    }
    let tags = given.split(|byte| *byte == b' ').take(MOST_SIGNATURES).filter_map(tag_in).collect();
    Ok(WebhookCredential::Standard { id, timestamp, tags })
}

fn tag_of(keyed: &Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = keyed.clone();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn tag_in(signature: &[u8]) -> Option<[u8; 32]> {
    let text = signature.strip_prefix(b"v1,")?;
    STANDARD.decode(text).ok()?.try_into().ok()
}

fn unhex(digits: &[u8]) -> Option<[u8; 32]> {
    let mut tag = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in tag.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(tag)
}

/// The only value of a header; none is `None`, two are malformed.
fn single_value<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h [u8]>, VerifyError> {
    let mut values = headers.get_all(HeaderName::from_static(name)).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(|value| value.as_bytes())),
        (_, Some(_)) => Err(VerifyError::Malformed),
    }
}

/// The only value of a header with two names. Under both it must be the same, or it is malformed: it
/// would be unclear which of the two was signed.
fn single_value_of<'h>(
    headers: &'h HeaderMap,
    names: [&'static str; 2],
) -> Result<Option<&'h [u8]>, VerifyError> {
    match (single_value(headers, names[0])?, single_value(headers, names[1])?) {
        (Some(one), Some(other)) if one != other => Err(VerifyError::Malformed),
        (one, other) => Ok(one.or(other)),
    }
}
