//! `rollcall check-health`: a readiness probe for containers.

use std::io::Write as _;

use anyhow::Context as _;

use super::admin_client::{self, Readiness};
use crate::config::Settings;
use crate::exit::CommandError;

/// Requests `/readyz` from the admin listener and prints the answer.
///
/// # Errors
/// The service does not answer or is not ready; or stdout cannot be written.
pub async fn run(settings: &Settings) -> anyhow::Result<()> {
    let listen = settings.server.admin_listen;
    let listen = admin_client::reached_at(listen)
        .ok_or_else(|| CommandError::Usage(admin_client::ANY_PORT.to_owned()))?;
    match admin_client::readiness(listen).await {
        Readiness::Ready => writeln!(std::io::stdout(), "ready").context("the answer could not be printed"),
        Readiness::NotReady(why) => Err(CommandError::Unavailable(format!("not ready: {why}")).into()),
        Readiness::Foreign(why) | Readiness::Silent(why) => {
            Err(CommandError::Unavailable(format!("{listen} {why}")).into())
        }
    }
}
