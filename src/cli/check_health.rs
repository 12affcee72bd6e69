//! `rollcall check-health`: whether the service would take a webhook now, for containers and probes.

use std::io::Write as _;

use anyhow::Context as _;

use super::service::{self, Readiness};
use crate::config::Settings;
use crate::exit::Failure;

/// Asks `/readyz` of the admin listener and says what it said.
///
/// # Errors
/// The service is not there or not ready; or nothing takes the output.
pub async fn run(settings: &Settings) -> anyhow::Result<()> {
    let listen = settings.server.admin_listen;
    let listen = service::reached_at(listen).ok_or_else(|| Failure::Usage(service::ANY_PORT.to_owned()))?;
    match service::readiness(listen).await {
        Readiness::Ready => writeln!(std::io::stdout(), "ready").context("the answer could not be printed"),
        Readiness::NotReady(why) => Err(Failure::Unavailable(format!("not ready: {why}")).into()),
        Readiness::Foreign(why) | Readiness::Silent(why) => {
            Err(Failure::Unavailable(format!("{listen} {why}")).into())
        }
    }
}
