//! The subcommands but `serve`, and their shared parts.

mod admin_client;
mod apps;
pub mod audit;
pub mod backup;
pub mod check_config;
pub mod check_health;
pub mod console;
mod database;
pub mod describe;
pub mod doctor;
pub mod erase;
pub mod export;
pub mod import;
pub mod journal;
pub mod listing;
mod progress;
pub mod quarantine;
pub mod rebuild;
pub mod replay;
pub mod tail;
pub mod token;
mod visible;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::CommandError;

/// Listens for Ctrl-C and SIGTERM. The future resolves with the first.
fn end_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Holds true after the first Ctrl-C or SIGTERM. The second one ends the process.
fn stop_signal() -> anyhow::Result<watch::Receiver<bool>> {
    let (stop, stopped) = watch::channel(false);
    let first = end_signal()?;
    tokio::spawn(async move {
        first.await;
        let second = end_signal();
        stop.send_replace(true);
        if let Ok(second) = second {
            second.await;
            std::process::exit(130);
        }
    });
    Ok(stopped)
}
