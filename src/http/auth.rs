//! Who asks, and for which app.

use std::collections::HashMap;

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::ApiError;
use super::jwt::{self, Scope};
use crate::config::{App, Secret};
use crate::domain::AppId;

/// The keys of all apps.
pub(super) struct Apps {
    keys: HashMap<String, Key>,
}

struct Key {
    app: AppId,
    secret: Secret,
}

impl Apps {
    pub(super) fn new(apps: &[App]) -> Self {
        let keys = apps.iter().flat_map(|app| {
            app.keys
                .iter()
                .map(|key| (key.id.clone(), Key { app: app.id.as_str().into(), secret: key.secret.clone() }))
        });
        Self { keys: keys.collect() }
    }

    /// The app that a request with the app's own authority asks about: a JWT of scope `app`, or
    /// `keyId:secret` as Basic. `path` is the app that the path names, if it names one.
    ///
    /// Refusals: 401 for a missing, repeated or invalid credential, 403 for one whose scope does
    /// not reach, 400 if the path names another app, whether that exists or not.
    pub(super) fn authorise(
        &self,
        headers: &HeaderMap,
        path: Option<&str>,
        now: i64,
    ) -> Result<AppId, ApiError> {
        let mut credentials = headers.get_all(header::AUTHORIZATION).iter();
        let credential = match (credentials.next(), credentials.next()) {
            (Some(credential), None) => {
                credential.to_str().map_err(|_| invalid("The Authorization header is not text"))?
            }
            (Some(_), Some(_)) => return Err(invalid("There is more than one Authorization header")),
            (None, _) if headers.contains_key("app-token") => {
                return Err(ApiError::unauthorized(
                    "An app token does not reach this; a JWT of scope app does",
                ));
            }
            (None, _) => return Err(ApiError::unauthorized("Authorization is required")),
        };
        let (scheme, credential) = credential.split_once(' ').unwrap_or((credential, ""));
        let app = match scheme.to_ascii_lowercase().as_str() {
            "bearer" => self.bearer(credential, now)?,
            "basic" => self.basic(credential)?,
            _ => return Err(invalid("The Authorization header must be Bearer or Basic")),
        };
        match path {
            Some(path) if path != app.as_str() => {
                Err(ApiError::bad_request("AppId in path does not match supplied credentials"))
            }
            _ => Ok(app.clone()),
        }
    }

    fn bearer(&self, token: &str, now: i64) -> Result<&AppId, ApiError> {
        let refused = |refusal: jwt::Refusal| invalid(refusal.to_string());
        let key_id = jwt::key_id(token).map_err(refused)?;
        let key = self
            .keys
            .get(&key_id)
            .ok_or_else(|| invalid("Invalid JWT. Unknown key id (kid) or wrong signature"))?;
        let claims =
            jwt::verify(token, key.secret.expose().as_bytes(), now).map_err(|refusal| match refusal {
                // Told apart, these two would tell which key ids exist.
                jwt::Refusal::Signature => invalid("Invalid JWT. Unknown key id (kid) or wrong signature"),
                other => refused(other),
            })?;
        match claims.scope {
            Scope::App => Ok(&key.app),
            Scope::AppUser => Err(forbidden("Invalid scope: scope app is needed here, not appUser")),
            Scope::Account => Err(forbidden("Invalid scope: an app's key cannot claim scope account")),
        }
    }

    fn basic(&self, credential: &str) -> Result<&AppId, ApiError> {
        let decoded = STANDARD.decode(credential).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let decoded = decoded.ok_or_else(|| invalid("The Basic credential is not base64 of keyId:secret"))?;
        let (key_id, secret) =
            decoded.split_once(':').ok_or_else(|| invalid("The Basic credential is not keyId:secret"))?;
        let hash = |text: &str| <[u8; 32]>::from(Sha256::digest(text));
        let key = self.keys.get(key_id);
        let expected = hash(key.map_or("", |key| key.secret.expose()));
        let fits = bool::from(expected.ct_eq(&hash(secret)));
        key.filter(|_| fits).map(|key| &key.app).ok_or_else(|| invalid("Unknown key id or wrong secret"))
    }
}

fn invalid(description: impl Into<std::borrow::Cow<'static, str>>) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "invalid_auth", description)
}

fn forbidden(description: &'static str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "forbidden", description)
}
