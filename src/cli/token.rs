//! `rollcall token`: a JWT for one of the keys in the settings.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::{CommandError, apps};
use crate::config::{self, AppSettings, Settings, SigningKey};
use crate::http::jwt::{self, Claims, Scope};

/// The arguments of `rollcall token`.
#[derive(Clone, Debug, clap::Args)]
pub struct TokenArgs {
    /// The id of the app; optional if the settings have only one
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Scope of the token: the business (app), or one of its users (appUser)
    #[arg(long, value_enum, default_value = "app")]
    scope: TokenScope,
    /// The userId for the scope appUser
    #[arg(long, value_name = "USERID", required_if_eq("scope", "appUser"))]
    user_id: Option<String>,
    /// Id of the signing key; by default the app's first key
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// Lifetime of the token, such as 1h or 30m; by default unlimited, as Smooch's own
    #[arg(long, value_name = "DURATION", value_parser = config::duration)]
    expires_in: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum TokenScope {
    #[value(name = "app")]
    App,
    #[value(name = "appUser")]
    AppUser,
}

/// Prints a token and a newline.
///
/// # Errors
/// The app or key is ambiguous or not in the settings, a userId is missing, empty or not allowed, or stdout cannot be written.
pub fn run(args: &TokenArgs, settings: &Settings) -> anyhow::Result<()> {
    let token = token(args, settings, crate::clock::now_seconds())?;
    writeln!(std::io::stdout(), "{token}").context("the token could not be printed")
}

fn token(args: &TokenArgs, settings: &Settings, now: i64) -> anyhow::Result<String> {
    let app = apps::of_settings(args.app.as_deref(), &settings.apps)?;
    let key = key(args.key.as_deref(), app)?;
    let scope = match (args.scope, args.user_id.as_deref()) {
        (TokenScope::App, None) => Scope::App,
        (TokenScope::App, Some(_)) => {
            return Err(usage("--user-id goes with --scope appUser: a token for the app has no user"));
        }
        (TokenScope::AppUser, None | Some("")) => {
            return Err(usage("--scope appUser needs a --user-id that is not empty"));
        }
        (TokenScope::AppUser, Some(_)) => Scope::AppUser,
    };
    let claims = Claims { scope, user_id: args.user_id.clone() };
    let expires = args.expires_in.map(|good| now.saturating_add_unsigned(good.as_secs().max(1)));
    Ok(jwt::sign(&claims, &key.id, key.secret.expose().as_bytes(), Some(now), expires))
}

fn usage(why: impl Into<String>) -> anyhow::Error {
    CommandError::Usage(why.into()).into()
}

fn key<'a>(wanted: Option<&str>, app: &'a AppSettings) -> anyhow::Result<&'a SigningKey> {
    let Some(first) = app.keys.first() else {
        bail!("the app {} has no keys: add one to its `keys` in the settings", app.id);
    };
    let Some(id) = wanted else { return Ok(first) };
    let ids = || app.keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>().join(", ");
    app.keys
        .iter()
        .find(|key| key.id == id)
        .ok_or_else(|| usage(format!("the app {} has no key {id:?}; it has {}", app.id, ids())))
}
