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
    let listen = admin_client::admin_address(settings)?;
    match admin_client::readiness(listen).await {
        Readiness::Ready => writeln!(std::io::stdout(), "ready").context("the answer could not be printed"),
        Readiness::NotReady(why) => Err(CommandError::Unavailable(format!("not ready: {why}")).into()),
        Readiness::Absent(why) => Err(CommandError::Unavailable(format!("{listen} {why}")).into()),
    }
}
