//! `rollcall erase`: somebody is forgotten for good, by the running service.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use reqwest::{Method, StatusCode, Url};

use super::rest::{Rest, description};
use super::{replay, token};
use crate::config::Settings;

/// Between two lines that tell how far it is.
const TELL: Duration = Duration::from_secs(5);

/// What `rollcall erase` is told.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: rollcall erase 5d7c0b3f --app 5698edbf2a43bd081be982f1 > receipt.json\n\n\
    Erased are the app user as a GET shows it, with every _id merged into it: records, identifiers, history,\n\
    the bodies in the journal, quarantine, feed and kept answers. The _ids stay as tombstones. Backups and\n\
    exports made before are not touched. Exit code 69: no service is running.")]
pub struct Args {
    /// Whom: an _id, also an old one or that of somebody who was removed, or a userId
    user: String,
    /// The app, by its id; not needed where the settings have only one
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Only this _id and whoever is merged into it, not the app user that it is part of
    #[arg(long)]
    only: bool,
    /// The service's address, if it is not the one of the settings
    #[arg(long, value_name = "URL", value_parser = replay::target)]
    to: Option<Url>,
}

/// Has the service erase somebody, waits until nothing is left, and prints the receipt on stdout. Returns
/// what to exit with.
///
/// # Errors
/// No service answers, there is no such app user, the key is refused, or the service cannot do it now.
pub async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let app = token::app(args.app.as_deref(), &settings.apps)?;
    let service = Rest::new(args.to.as_ref(), settings, app)?;
    let path = ["v1", "apps", &app.id, "appusers", &args.user];
    let query = if args.only { "erase=true&only=true" } else { "erase=true" };
    let mut told = Instant::now();
    // Once erased, a userId leads to nobody any more; the receipt names the _ids.
    let mut id: Option<String> = None;
    loop {
        let mut path = path;
        if let Some(id) = &id {
            path[4] = id;
        }
        match service.ask(Method::DELETE, &path, query).await? {
            (StatusCode::OK, receipt) => {
                writeln!(std::io::stdout(), "{receipt}").context("the receipt could not be printed")?;
                return Ok(ExitCode::SUCCESS);
            }
            (StatusCode::ACCEPTED, receipt) => {
                if told.elapsed() > TELL {
                    told = Instant::now();
                    eprintln!("erased so far: {}", receipt["erasure"]["erased"]);
                }
                let first = receipt.pointer("/erasure/_ids/0").and_then(|id| id.as_str());
                id = id.or_else(|| first.map(str::to_owned));
            }
            (status, said) => bail!("not erased ({status}): {}", description(&said)),
        }
    }
}
