//! `rollcall erase`: the running service erases a person permanently.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Client, StatusCode, Url};
use serde_json::Value;

use super::admin_client::ServiceAnswer;
use super::progress::Progress;
use super::{CommandError, admin_client, apps, database, replay};
use crate::config::{AppSettings, Settings, SigningKey};

/// Time limit of a request; the service answers in a few seconds, unless it waits for the disk.
const PATIENCE: Duration = Duration::from_secs(30);

const AFTER_HELP: &str = "\
Erases the app user as GET shows it, with every _id merged into it: records, identifiers, history, bodies in the \
journal and the quarantine, the feed, stored answers, and unfinished files beside the database. The _ids stay as \
tombstones. Earlier backups and exports are not changed.

Exit codes: 0 all is erased, 1 something is left, or there is no such app user, 69 no service is running.

Example:
  rollcall erase 5d7c0b3f --app 5698edbf2a43bd081be982f1 > receipt.json";

/// The arguments of `rollcall erase`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct EraseArgs {
    /// The app user: an _id, also a merged or removed one, or a userId
    user: String,
    /// The brand of the userId, if several have it
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    brand: Option<String>,
    /// The id of the app; optional if the settings have only one
    #[arg(long, value_name = "ID")]
    app: Option<String>,
    /// Only this _id and those merged into it, not the app user that it is part of
    #[arg(long)]
    only: bool,
    /// URL of the service; by default server.listen of the settings
    #[arg(long, value_name = "URL", value_parser = replay::driver::target)]
    to: Option<Url>,
}

/// Requests an erasure, waits until it is complete, and prints the receipt on stdout.
///
/// # Errors
/// The service does not answer ([`CommandError::Unavailable`]) or refuses the key, or there is no such app user.
pub async fn run(args: &EraseArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let app = apps::of_settings(args.app.as_deref(), &settings.apps)?;
    let asked = ErasureClient::new(args.to.as_ref(), settings, app)?;
    let mut query = vec![("erase", "true")];
    query.extend(args.only.then_some(("only", "true")));
    query.extend(args.brand.as_deref().map(|brand| ("brandId", brand)));
    let mut progress = Progress::new(|| None, "rows erased")?;
    // An erased userId no longer leads to an app user; the receipt names the _ids.
    let mut user = args.user.clone();
    loop {
        let answer = asked.delete(&["v1", "apps", &app.id, "appusers", &user], &query).await?;
        let (status, said) = (answer.status, &answer.json);
        if !answer.is_own() || (status.is_success() && !said["erasure"]["_ids"].is_array()) {
            let at = asked.base.origin().ascii_serialization();
            let why = admin_client::foreign(status.as_u16());
            return Err(CommandError::Unavailable(format!("{at} {why}")).into());
        }
        match status {
            StatusCode::OK => {
                progress.finish();
                writeln!(std::io::stdout(), "{said}")?;
                return Ok(ExitCode::SUCCESS);
            }
            StatusCode::ACCEPTED => {
                let counts = said["erasure"]["erased"].as_object().into_iter().flatten();
                progress.reach(counts.filter_map(|(_, count)| count.as_u64()).sum());
                if let Some(left) = said["erasure"]["leftovers"].as_array().filter(|left| !left.is_empty()) {
                    progress.finish();
                    writeln!(std::io::stdout(), "{said}")?;
                    let left: Vec<&str> = left.iter().filter_map(Value::as_str).collect();
                    let left = left.join(", ");
                    bail!(
                        "erased from the database, but unfinished files beside it may hold personal data: {left}. \
                           Wait for the running task, or delete them, and erase again"
                    )
                }
                let ids = said["erasure"]["_ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let ids: Vec<&str> = ids.collect();
                if let Some(first) = ids.first().filter(|_| !ids.contains(&&*user)) {
                    user = (*first).to_owned();
                    query.retain(|(name, _)| *name != "brandId");
                }
            }
            _ => {
                let why = admin_client::description(said);
                let why = why.map(|why| why.replace("`brandId` in the query", "--brand"));
                bail!("not erased ({status}): {}", why.as_deref().unwrap_or("no reason given"))
            }
        }
    }
}

/// A client of the REST interface, with the app's first key.
struct ErasureClient<'s> {
    client: Client,
    base: Url,
    key: &'s SigningKey,
}

impl<'s> ErasureClient<'s> {
    fn new(to: Option<&Url>, settings: &Settings, app: &'s AppSettings) -> anyhow::Result<Self> {
        let key = app.keys.first();
        let key = key.with_context(|| format!("the app {} has no keys: add one to its `keys`", app.id))?;
        let base = match to {
            Some(to) => to.clone(),
            None => {
                database::refuse_newer(settings)?;
                let (listen, remedy) = (settings.server.listen, "name the service with --to");
                let listen = admin_client::fixed_address("server.listen", listen, remedy)?;
                Url::parse(&format!("http://{listen}")).context("server.listen makes no URL: use --to")?
            }
        };
        let client = admin_client::client_builder(base.scheme() == "http").timeout(PATIENCE);
        Ok(Self { client: client.build().context("the HTTP client could not be set up")?, base, key })
    }

    /// Sends a DELETE; path segments are percent-encoded.
    async fn delete(&self, path: &[&str], query: &[(&str, &str)]) -> Result<ServiceAnswer, CommandError> {
        let mut url = self.base.clone();
        url.set_query(None);
        url.query_pairs_mut().extend_pairs(query);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        let request = self.client.delete(url).basic_auth(&self.key.id, Some(self.key.secret.expose()));
        let at = self.base.origin().ascii_serialization();
        admin_client::send(request, &format!("{at}: start it, or name another with --to")).await
    }
}
