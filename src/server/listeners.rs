//! The two listeners.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::error::{ServerError, io};
use crate::config::ServerSettings;
use crate::http;
use crate::http::listen::{self, Routes};
use crate::metrics::Metrics;

/// The two listeners; they answer 503 until the database is open.
pub(super) struct Listeners {
    pub(super) listen: SocketAddr,
    pub(super) admin_listen: SocketAddr,
    pub(super) routes: Routes,
    pub(super) admin_routes: Routes,
    pub(super) settings: watch::Sender<Arc<ServerSettings>>,
    pub(super) public: JoinHandle<()>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) stop_admin: watch::Sender<bool>,
}

impl Listeners {
    pub(super) async fn open(server: &ServerSettings, metrics: &Arc<Metrics>) -> Result<Self, ServerError> {
        let (public, listen) = bind(server.listen).await?;
        let (admin, admin_listen) = bind(server.admin_listen).await?;
        let (stop, stopping) = watch::channel(false);
        let (stop_admin, stopping_admin) = watch::channel(false);
        let (settings, given) = watch::channel(Arc::new(server.clone()));
        let routes = Routes::from(http::starting_router(metrics.clone()));
        let admin_routes = Routes::from(http::starting_admin_router(server));
        let public =
            tokio::spawn(listen::serve(public, routes.clone(), given.clone(), metrics.clone(), stopping));
        // Connections to the admin listener are not counted as the public one's.
        tokio::spawn(listen::serve(admin, admin_routes.clone(), given, Arc::default(), stopping_admin));
        Ok(Self { listen, admin_listen, routes, admin_routes, settings, public, stop, stop_admin })
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let listener = TcpListener::bind(address).await.map_err(io(&format!("listening on {address}")))?;
    let bound = listener.local_addr().map_err(io("the listener's address"))?;
    Ok((listener, bound))
}
