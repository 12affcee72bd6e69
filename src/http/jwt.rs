//! The JSON Web Tokens that Smooch's clients sign: HMAC only, parsed strictly, because any text that two
//! parsers read differently is a way around one of them.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

use crate::domain::json_text;

#[cfg(test)]
mod tests;

/// The most bytes of a token; real ones have 150 to 300.
const LONGEST_TOKEN: usize = 8 << 10;
const LONGEST_KEY_ID: usize = 128;
/// Seconds by which the clocks of signer and server may differ where `exp` or `nbf` limits a token.
const LEEWAY: f64 = 60.0;
/// The same for `iat`, which limits nothing and only records the signer's clock.
const IAT_LEEWAY: f64 = 300.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// `app`: the business, for every user of one app.
    App,
    /// `appUser`: one user.
    AppUser,
    /// `account`: the business, for every app of the account.
    Account,
}

impl Scope {
    /// The name in a token's claims.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::AppUser => "appUser",
            Self::Account => "account",
        }
    }
}

/// The claims of a token. `user_id` is present, and not empty, exactly when the scope is
/// [`Scope::AppUser`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) scope: Scope,
    pub(crate) user_id: Option<String>,
}

/// The reason for refusing a token. Its text is shown to the caller: it quotes nothing of the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("Invalid JWT. It is longer than {LONGEST_TOKEN} bytes")]
    TooLong,
    #[error("Invalid JWT. It must be three parts in unpadded base64url, separated by dots")]
    Shape,
    #[error("Invalid JWT header. It must be a JSON object, with each member once")]
    Header,
    #[error("Invalid JWT header. Missing key id (kid)")]
    KeyIdMissing,
    #[error(
        "Invalid JWT header. The key id (kid) must be a string of 1 to {LONGEST_KEY_ID} printable characters"
    )]
    KeyId,
    #[error("Invalid JWT header. The algorithm (alg) must be HS256, HS384 or HS512")]
    Algorithm,
    #[error("Invalid JWT header. Extensions (crit, b64) are not supported")]
    Extension,
    #[error("Invalid JWT signature")]
    Signature,
    #[error("Invalid JWT payload. It must be a JSON object, with each member once")]
    Payload,
    #[error("Invalid JWT payload. {0} must be a number of seconds, not below zero")]
    Time(&'static str),
    #[error("JWT expired")]
    Expired,
    #[error("JWT not yet valid ({0} is in the future)")]
    NotYetValid(&'static str),
    #[error("Invalid JWT payload. The scope must be app, appUser or account")]
    Scope,
    #[error(
        "Invalid JWT payload. With the scope appUser, userId must be a string that is not empty and without NUL"
    )]
    UserId,
}

/// The key id (`kid`) in the header of a token, once that header is acceptable. The token is not verified
/// yet: look the key up, then call [`verify`].
pub(crate) fn key_id(token: &str) -> Result<String, TokenError> {
    Token::read(token).map(|token| token.key_id)
}

/// Verifies `token` with `secret` and returns its claims, at the time `now` in Unix seconds. Keys in the
/// header, or referenced by it, are ignored. `exp`, `nbf` and `iat` are optional, and checked if present.
/// An error is the first problem; nothing about the claims before the signature is right.
pub(crate) fn verify(token: &str, secret: &[u8], now: i64) -> Result<Claims, TokenError> {
    let token = Token::read(token)?;
    let signed = token.algorithm.verify(secret, token.message.as_bytes(), &token.signature);
    // With an empty secret, anyone could have signed.
    if secret.is_empty() || !signed {
        return Err(TokenError::Signature);
    }
    let UniqueMembers(claims) = serde_json::from_slice(&token.payload).map_err(|_| TokenError::Payload)?;
    check_times(&claims, now)?;
    let told = claims.get("scope").and_then(Value::as_str);
    let mut scopes = [Scope::App, Scope::AppUser, Scope::Account].into_iter();
    let scope = scopes.find(|scope| told == Some(scope.name())).ok_or(TokenError::Scope)?;
    let user_id = match (scope, claims.get("userId").and_then(Value::as_str)) {
        (Scope::AppUser, None | Some("")) => return Err(TokenError::UserId),
        // No `userId` contains NUL.
        (Scope::AppUser, Some(id)) if id.contains('\0') => return Err(TokenError::UserId),
        (Scope::AppUser, Some(id)) => Some(id.to_owned()),
        _ => None,
    };
    Ok(Claims { scope, user_id })
}

/// A token with these claims, signed with HS256; `iat` and `exp` are Unix seconds.
pub(crate) fn sign(
    claims: &Claims,
    key_id: &str,
    secret: &[u8],
    iat: Option<i64>,
    exp: Option<i64>,
) -> String {
    let mut payload = json!({ "scope": claims.scope.name() });
    for (name, value) in [("userId", json!(claims.user_id)), ("iat", json!(iat)), ("exp", json!(exp))] {
        if !value.is_null() {
            payload[name] = value;
        }
    }
    let header = format!(r#"{{"typ":"JWT","alg":"HS256","kid":{}}}"#, json_text(key_id));
    let message =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload.to_string()));
    let tag = mac::<Hmac<Sha256>>(secret, message.as_bytes()).finalize().into_bytes();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// A token split into its parts, with an accepted header.
struct Token<'a> {
    key_id: String,
    algorithm: Algorithm,
    message: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    fn read(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > LONGEST_TOKEN {
            return Err(TokenError::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Shape)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Shape)?;
        // The decoder accepts one spelling of each value only, and a dot is not in its alphabet.
        let bytes = |part| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Shape);
        let (header, payload, signature) = (bytes(header)?, bytes(payload)?, bytes(signature)?);

        let UniqueMembers(header) = serde_json::from_slice(&header).map_err(|_| TokenError::Header)?;
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(TokenError::Extension);
        }
        let algorithm = match header.get("alg").and_then(Value::as_str) {
            Some("HS256") => Algorithm::Hs256,
            Some("HS384") => Algorithm::Hs384,
            Some("HS512") => Algorithm::Hs512,
            _ => return Err(TokenError::Algorithm),
        };
        let key_id = header.get("kid").ok_or(TokenError::KeyIdMissing)?.as_str().ok_or(TokenError::KeyId)?;
        if !(1..=LONGEST_KEY_ID).contains(&key_id.chars().count()) || key_id.chars().any(char::is_control) {
            return Err(TokenError::KeyId);
        }
        Ok(Self { key_id: key_id.to_owned(), algorithm, message, payload, signature })
    }
}

fn check_times(claims: &BTreeMap<String, Value>, now: i64) -> Result<(), TokenError> {
    // Seconds are exact in an f64 for the next 285 million years.
    let now = now as f64;
    let time = |name: &'static str| match claims.get(name).map(Value::as_f64) {
        None => Ok(None),
        Some(Some(seconds)) if seconds.is_finite() && seconds >= 0.0 => Ok(Some(seconds)),
        Some(_) => Err(TokenError::Time(name)),
    };
    if time("exp")?.is_some_and(|end| now >= end + LEEWAY) {
        return Err(TokenError::Expired);
    }
    for (name, leeway) in [("nbf", LEEWAY), ("iat", IAT_LEEWAY)] {
        if time(name)?.is_some_and(|start| now < start - leeway) {
            return Err(TokenError::NotYetValid(name));
        }
    }
    Ok(())
}

/// A JSON object in which no member is repeated.
struct UniqueMembers(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for UniqueMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UniqueMembersVisitor;
        impl<'de> Visitor<'de> for UniqueMembersVisitor {
            type Value = UniqueMembers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueMembers, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member is repeated"));
                    }
                }
                Ok(UniqueMembers(members))
            }
        }
        deserializer.deserialize_map(UniqueMembersVisitor)
    }
}

/// The HMAC algorithms of RFC 7518, section 3.2.
#[derive(Clone, Copy, Debug)]
enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
}

impl Algorithm {
    /// Compares in constant time; a tag that is cut short is not equal.
    fn verify(self, key: &[u8], message: &[u8], tag: &[u8]) -> bool {
        let result = match self {
            Self::Hs256 => mac::<Hmac<Sha256>>(key, message).verify_slice(tag),
            Self::Hs384 => mac::<Hmac<Sha384>>(key, message).verify_slice(tag),
            Self::Hs512 => mac::<Hmac<Sha512>>(key, message).verify_slice(tag),
        };
        result.is_ok()
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> M {
    <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length").chain_update(message)
}
