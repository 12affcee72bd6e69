//! Authentication: the caller of a request, and its app.

use std::collections::{HashMap, HashSet};

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::ApiError;
use super::jwt::{self, Scope};
use super::operator_apps::must_see;
use crate::config::{self, AppSettings, Secret};
use crate::domain::command::Authority;
use crate::domain::{AppId, Visibility, json_text};
use crate::operators::Operator;

/// The credentials of all apps, and the keys of the account.
pub(super) struct Apps {
    apps: HashSet<AppId>,
    keys: HashMap<String, ApiKey>,
    tokens: HashMap<[u8; 32], AppId>,
}

struct ApiKey {
    /// None for an account's key.
    app: Option<AppId>,
    secret: Secret,
    hash: [u8; 32],
}

/// The caller of a request, and the app it reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) app: AppId,
    pub(super) authority: Authority,
    /// The name of the credential, without its secret: the key of rate limits.
    pub(super) credential: String,
    /// The id of the key; none for an app token.
    pub(super) key: Option<String>,
    /// The scope of the credential, or `appToken`, or `operator`.
    pub(super) scope: &'static str,
    /// The name of the operator, on the admin listener.
    pub(super) operator: Option<String>,
    /// What its answers may show.
    pub(super) visibility: Visibility,
}

impl Caller {
    /// Refuses callers without the app's own authority.
    pub(super) fn must_be_app(&self) -> Result<(), ApiError> {
        match self.authority {
            Authority::App => Ok(()),
            Authority::User(_) => {
                Err(ApiError::forbidden("Invalid scope: scope app is needed here, not appUser"))
            }
            Authority::Token => Err(ApiError::unauthorized(
                "This call needs more than an app token, such as a JWT of scope app",
            )),
        }
    }

    /// Refuses callers whose answers leave private values out. `what` is what they would do with such values.
    pub(super) fn must_see_people(&self, what: impl FnOnce() -> String) -> Result<(), ApiError> {
        match self.visibility {
            Visibility::Whole => Ok(()),
            Visibility::Masked => Err(ApiError::needs_people(&what())),
        }
    }
}

impl Apps {
    pub(super) fn new(apps: &[AppSettings], account_keys: &[config::SigningKey]) -> Self {
        let of_apps =
            apps.iter().flat_map(|app| app.keys.iter().map(|key| (Some(AppId::from(app.id.as_str())), key)));
        let all = of_apps.chain(account_keys.iter().map(|key| (None, key)));
        let key = |(app, key): (_, &config::SigningKey)| {
            let (secret, hash) = (key.secret.clone(), hash(key.secret.expose()));
            (key.id.clone(), ApiKey { app, secret, hash })
        };
        let keys = all.map(key).collect();
        let tokens = apps.iter().filter_map(|app| {
            let token = app.app_token.as_ref()?;
            Some((hash(token.expose()), app.id.as_str().into()))
        });
        Self { apps: apps.iter().map(|app| app.id.as_str().into()).collect(), keys, tokens: tokens.collect() }
    }

    /// Authorises a request; `path` is the app named by the path.
    ///
    /// A JWT or a key takes precedence over an app token; a valid token does not rescue an invalid JWT.
    /// Refusals: 401 for a missing, repeated or invalid credential, 403 for one whose scope does not
    /// reach, 400 if the path names another app, existing or not.
    pub(super) fn authorise(
        &self,
        headers: &HeaderMap,
        path: Option<&str>,
        now: i64,
    ) -> Result<Caller, ApiError> {
        let Some(credential) = only(headers, "Authorization")? else { return self.token(headers, path) };
        let credential = credential.to_str().map_err(|_| invalid("The Authorization header is not text"))?;
        let (scheme, credential) = credential.split_once(' ').unwrap_or((credential, ""));
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" => self.bearer(credential, now, path),
            "basic" => self.basic(credential, path),
            _ => Err(invalid("The Authorization header must be Bearer or Basic")),
        }
    }

    /// The caller of a request to the admin listener: the app in the path, by an operator. 403 for an app that the
    /// operator does not see, whether it exists or not.
    pub(super) fn of_operator(&self, operator: &Operator, path: Option<&str>) -> Result<Caller, ApiError> {
        let named = AppId::from(path.unwrap_or_default());
        must_see(operator, &named)?;
        let app = self.apps.get(&named).ok_or_else(|| ApiError::not_found("There is no such app"))?;
        Ok(Caller {
            app: app.clone(),
            authority: Authority::App,
            credential: format!("operator {}", operator.name),
            key: None,
            scope: "operator",
            operator: Some(operator.name.clone()),
            visibility: if operator.personal_data { Visibility::Whole } else { Visibility::Masked },
        })
    }

    /// The app that a credential reaches: `of` is its own, `path` the one that the path names.
    fn app(&self, of: Option<&AppId>, path: Option<&str>) -> Result<AppId, ApiError> {
        let other = || ApiError {
            v2: Some((StatusCode::NOT_FOUND, "app_not_found")),
            ..ApiError::bad_request("AppId in path does not match supplied credentials")
        };
        match (of, path) {
            (Some(app), Some(path)) if path != app.as_str() => Err(other()),
            (Some(app), _) => Ok(app.clone()),
            (None, None) => {
                Err(ApiError::forbidden("Invalid scope: scope account needs /apps/{appId} in the path"))
            }
            (None, Some(path)) => self.apps.get(&AppId::from(path)).cloned().ok_or_else(other),
        }
    }

    /// Looks up an app token by its hash, so that timing reveals nothing about a guess.
    fn token(&self, headers: &HeaderMap, path: Option<&str>) -> Result<Caller, ApiError> {
        let token = only(headers, "app-token")?;
        let token = token.ok_or_else(|| ApiError::unauthorized("Authorization is required"))?;
        let app = self.tokens.get(&hash(token)).ok_or_else(|| ApiError::unauthorized("Unknown app token"))?;
        let credential = format!("token of {app}");
        Ok(Caller {
            app: self.app(Some(app), path)?,
            authority: Authority::Token,
            credential,
            key: None,
            scope: "appToken",
            operator: None,
            visibility: Visibility::Whole,
        })
    }

    fn bearer(&self, token: &str, now: i64, path: Option<&str>) -> Result<Caller, ApiError> {
        let refused = |refusal: jwt::TokenError| invalid(refusal.to_string());
        let key_id = jwt::key_id(token).map_err(refused)?;
        let key = self
            .keys
            .get(&key_id)
            .ok_or_else(|| invalid("Invalid JWT. Unknown key id (kid) or wrong signature"))?;
        let claims =
            jwt::verify(token, key.secret.expose().as_bytes(), now).map_err(|refusal| match refusal {
                // Different texts for these two would reveal which key ids exist.
                jwt::TokenError::Signature => invalid("Invalid JWT. Unknown key id (kid) or wrong signature"),
                other => refused(other),
            })?;
        let (shown, scope) = (Some(key_id.clone()), claims.scope.name());
        let (authority, credential) = match (claims.scope, claims.user_id, &key.app) {
            (Scope::App, _, Some(_)) => (Authority::App, key_id),
            (Scope::AppUser, Some(user_id), Some(_)) => {
                let user_id = json_text(&user_id);
                let credential = format!("{key_id} {user_id}");
                (Authority::User(user_id), credential)
            }
            (Scope::Account, _, None) => (Authority::App, key_id),
            (Scope::Account, ..) => {
                return Err(ApiError::forbidden("Invalid scope: an app's key cannot claim scope account"));
            }
            (_, _, _) => {
                return Err(ApiError::forbidden("Invalid scope: an account's key claims scope account"));
            }
        };
        Ok(Caller {
            app: self.app(key.app.as_ref(), path)?,
            authority,
            credential,
            key: shown,
            scope,
            operator: None,
            visibility: Visibility::Whole,
        })
    }

    fn basic(&self, credential: &str, path: Option<&str>) -> Result<Caller, ApiError> {
        let decoded = STANDARD.decode(credential).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let decoded = decoded.ok_or_else(|| invalid("The Basic credential is not base64 of keyId:secret"))?;
        let (key_id, secret) =
            decoded.split_once(':').ok_or_else(|| invalid("The Basic credential is not keyId:secret"))?;
        let key = self.keys.get(key_id);
        let expected = key.map_or([0; 32], |key| key.hash);
        let fits = bool::from(expected.ct_eq(&hash(secret)));
        let key = key.filter(|_| fits).ok_or_else(|| invalid("Unknown key id or wrong secret"))?;
        let scope = if key.app.is_some() { Scope::App } else { Scope::Account };
        Ok(Caller {
            app: self.app(key.app.as_ref(), path)?,
            authority: Authority::App,
            credential: key_id.to_owned(),
            key: Some(key_id.to_owned()),
            scope: scope.name(),
            operator: None,
            visibility: Visibility::Whole,
        })
    }
}

fn only<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h HeaderValue>, ApiError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(invalid(format!("There is more than one {name} header"))),
    }
}

fn hash(text: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn invalid(description: impl Into<std::borrow::Cow<'static, str>>) -> ApiError {
    let v2 = Some((StatusCode::UNAUTHORIZED, "unauthorized"));
    ApiError { v2, ..ApiError::new(StatusCode::UNAUTHORIZED, "invalid_auth", description) }
}
