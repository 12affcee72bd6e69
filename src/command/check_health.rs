//! `rollcall check-health`: whether the service would take a webhook now, for containers and probes.

use std::io::Write as _;

use anyhow::Context as _;

use super::service;
use crate::config::Settings;
use crate::exit::Failure;

/// Asks `/readyz` of the admin listener and says what it said.
///
/// # Errors
/// The service is not there or not ready; or nothing takes the output.
pub async fn run(settings: &Settings) -> anyhow::Result<()> {
    let listen = settings.server.admin_listen;
    let listen =
        service::reached_at(listen).context("server.admin_listen has port 0, which is any free one")?;
    match service::get(listen, "/readyz").await {
        Ok((200, _)) => writeln!(std::io::stdout(), "ready").context("the answer could not be printed"),
        Ok((_, why)) => Err(Failure::Unavailable(format!("not ready: {}", why.trim())).into()),
        Err(why) => Err(Failure::Unavailable(format!("{listen} {why}")).into()),
    }
}
