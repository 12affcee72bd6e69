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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: TokenArgs,
    }

    const TWO_APPS: &str = r#"
        [[apps]]
        id = "one"
        webhook_secrets = ["first"]
        keys = [{ id = "k1", secret = "sixteen bytes or more" }, { id = "k2", secret = "another sixteen bytes" }]
        [[apps]]
        id = "two"
        webhook_secrets = ["second"]
    "#;

    fn token_for(line: &str, text: &str) -> Result<String, String> {
        let settings = Settings::parse(text, "config.toml", &BTreeMap::new(), &[]).unwrap();
        let words = std::iter::once("token").chain(line.split_whitespace());
        let Line { args } = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        token(&args, &settings, 1_700_000_000).map_err(|error| error.to_string())
    }

    #[test]
    fn a_printed_token_is_one_the_service_takes() {
        let demo = b"demo-key-secret-change-me";
        for (line, user_id) in [("", None), ("--scope appUser --user-id bob", Some("bob".to_owned()))] {
            let token = token_for(line, "").unwrap();
            assert_eq!(jwt::key_id(&token).unwrap(), "app_demo");
            let claims = jwt::verify(&token, demo, 1_700_000_000).unwrap();
            assert_eq!(claims.user_id, user_id);
            assert!(jwt::verify(&token, demo, 4_000_000_000).is_ok(), "no end unless one is asked for");
        }
        let hour = token_for("--expires-in 1h", "").unwrap();
        assert!(jwt::verify(&hour, demo, 1_700_003_600).is_ok());
        assert_eq!(jwt::verify(&hour, demo, 1_700_003_660), Err(jwt::TokenError::Expired));
        assert_eq!(jwt::key_id(&token_for("--app one --key k2", TWO_APPS).unwrap()).unwrap(), "k2");
    }

    #[test]
    fn impossible_claims_are_refused_with_a_plain_message() {
        for (line, text, said) in [
            ("", TWO_APPS, "name one with --app (one, two)"),
            ("--app three", TWO_APPS, "no app \"three\"; the settings have one, two"),
            ("--app two", TWO_APPS, "the app two has no keys"),
            ("--app one --key k3", TWO_APPS, "no key \"k3\"; it has k1, k2"),
            ("--user-id bob", "", "goes with --scope appUser"),
            ("--scope appUser", "", "--user-id <USERID>"),
            ("--scope appUser --user-id=", "", "not empty"),
            ("--scope integration", "", "possible values: app, appUser"),
            ("--expires-in soon", "", "not a duration"),
        ] {
            let error = token_for(line, text).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
