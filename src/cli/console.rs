//! `rollcall console`: a link that signs somebody in.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::admin_client::{self, AdminClient};
use crate::config::{Role, Settings};

const AFTER_HELP: &str = "\
Prints a link that opens the console in a browser and signs in there. It is good once, and for a minute. The \
running service makes it, for whoever can read the key file beside the database. The address is console.url of the \
settings, else server.admin_listen.

Exit codes: 0 the link was printed, 1 the service refused, 69 no service is running, 74 the key file cannot be read.

Examples:
  rollcall console
  rollcall console --role viewer --name ann";

/// The arguments of `rollcall console`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct ConsoleArgs {
    /// What whoever opens the link may do: viewer looks, operator also changes
    #[arg(long, value_name = "ROLE", default_value = "operator", value_parser = role)]
    role: Role,
    /// The name in the audit log; by default the name of this user of the machine
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

fn role(text: &str) -> Result<Role, String> {
    Role::from_name(text).ok_or_else(|| "must be viewer or operator".to_owned())
}

/// Prints a link and a newline.
///
/// # Errors
/// The service does not answer or refuses, the key file cannot be read, or stdout cannot be written.
pub async fn run(args: &ConsoleArgs, settings: &Settings) -> anyhow::Result<()> {
    let of_machine = || std::env::var("USER").ok().filter(|user| !user.is_empty());
    let name = args.name.clone().or_else(of_machine).unwrap_or_else(|| "console".to_owned());
    let asked = json!({ "role": args.role.name(), "name": name });
    let answer = AdminClient::of(settings)?.ask(Method::POST, "/session/code", &asked).await?;
    let Some(code) = answer.json["code"].as_str().filter(|_| answer.status == StatusCode::OK) else {
        bail!("no link was made: {}", answer.refusal());
    };
    let base = match &settings.console.url {
        Some(url) => url.text.clone(),
        None => format!("http://{}", admin_client::admin_address(settings)?),
    };
    writeln!(std::io::stdout(), "{base}/console/#/login/{code}").context("the link could not be printed")
}
