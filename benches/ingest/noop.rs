//! The yardstick: a handler that reads the same body and answers 200 without doing anything, behind
//! the program's own accept loop, runtime and allocator.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use rollcall::config::Settings;
use rollcall::http::listen::serve;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::server::Server;

/// Starts this program again as the baseline.
pub fn start(home: &Path) -> Result<Server> {
    let program = std::env::current_exe()?;
    Server::start(home, |port| {
        let mut command = Command::new(program);
        command.arg("--noop").arg(port.to_string());
        command
    })
}

/// Is the yardstick, until it is killed.
pub fn run(port: u16) -> Result<()> {
    let settings = Settings::load(None, &[]).map_err(|problems| anyhow!("{problems}"))?;
    let router =
        Router::new().route("/webhooks", post(nothing).get(probe)).route("/v1/appusers/{id}", get(user));
    rollcall::server::block_on(async move {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
        let (_stop, stopping) = watch::channel(false);
        let (_settings, settings) = watch::channel(Arc::new(settings.server));
        serve(listener, router.into(), settings, Arc::default(), stopping).await;
        Ok(())
    })?
}

async fn nothing(body: Bytes) -> impl IntoResponse {
    drop(body);
    probe().await
}

/// As large as the program's answer for an app user.
async fn user() -> impl IntoResponse {
    static TEXT: &str = include_str!("user.json");
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], TEXT)
}

async fn probe() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], "{}")
}
