//! The two listeners, and the settings in force: their reload by a running service.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::error::{ServerError, io};
use crate::config::{ServerSettings, SettingLocation, Settings, SettingsProblem, SettingsSources};
use crate::http::listen::{self, Routes};
use crate::http::{self, HttpState, ReloadResult, Reloaded};
use crate::metrics::Metrics;
use crate::operators::Key;
use crate::rebuild::background::BackgroundRebuild;
use crate::schedule::Schedule;
use crate::store::{AuditAction, How};
use crate::supervisor;

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
    pub(super) async fn open(all: &Settings, metrics: &Arc<Metrics>) -> Result<Self, ServerError> {
        let server = &all.server;
        let (public, listen) = bind(server.listen).await?;
        let (admin, admin_listen) = bind(server.admin_listen).await?;
        let (stop, stopping) = watch::channel(false);
        let (stop_admin, stopping_admin) = watch::channel(false);
        let (settings, given) = watch::channel(Arc::new(server.clone()));
        let routes = Routes::from(http::starting_router(metrics.clone()));
        let admin_routes = Routes::from(http::starting_admin_router(all));
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

/// The settings in force, and the parts that use them.
pub(super) struct Runtime {
    /// Settings of the start, which keys that need a restart still have.
    started: Settings,
    in_force: Settings,
    /// The bound addresses; new settings do not change them.
    listening_at: [SocketAddr; 2],
    metrics: Arc<Metrics>,
    shared: Arc<HttpState>,
    /// The state in force, for the task that runs the jobs of operators.
    states: watch::Sender<Arc<HttpState>>,
    schedule: Schedule,
    /// Stopped by being dropped.
    _relearning: BackgroundRebuild,
    routes: Routes,
    admin_routes: Routes,
    connections: watch::Sender<Arc<ServerSettings>>,
    listening: JoinSet<()>,
}

impl Runtime {
    pub(super) fn new(
        settings: &Settings,
        shared: HttpState,
        (schedule, relearning): (Schedule, BackgroundRebuild),
        front: &Listeners,
        metrics: Arc<Metrics>,
    ) -> Self {
        let shared = Arc::new(shared);
        let states = watch::Sender::new(shared.clone());
        tokio::spawn(http::run_operator_jobs(states.subscribe()));
        let live = Self {
            started: settings.clone(),
            in_force: settings.clone(),
            listening_at: [front.listen, front.admin_listen],
            metrics,
            listening: watch_beside(&shared),
            shared,
            states,
            schedule,
            _relearning: relearning,
            routes: front.routes.clone(),
            admin_routes: front.admin_routes.clone(),
            connections: front.settings.clone(),
        };
        live.route();
        live
    }

    fn route(&self) {
        self.routes.set(http::public_router(self.shared.clone()));
        self.admin_routes.set(http::admin_router(self.shared.clone()));
    }

    pub(super) fn drain_within(&self) -> Duration {
        self.in_force.server.drain_within
    }

    pub(super) fn draining(&self) {
        self.shared.draining.send_replace(true);
    }

    /// Adds to the audit log what has not been written yet.
    pub(super) async fn end_audit(&self) {
        self.shared.audit.count_left_out().await;
    }

    /// Reads the settings again and puts them in force together; a request keeps those of its start. Invalid
    /// settings, or those of a truncated file, are refused and nothing changes.
    pub(super) fn reload(&mut self, cause: &str, sources: &SettingsSources) -> ReloadResult {
        supervisor::reloading();
        let read = sources.load_again().and_then(|settings| {
            self.in_force.may_become(&settings, &self.listening_at)?;
            settings.check_database(None)?;
            Ok(settings)
        });
        let read = read.map_err(|problems| problems.iter().cloned().collect::<Vec<_>>());
        let key = self.shared.read_key().map_err(|error| {
            let place = SettingLocation::File("key file".to_owned(), None);
            vec![SettingsProblem { place, key: None, text: error.to_string() }]
        });
        let reloaded = read.and_then(|settings| Ok((settings, key?))).map(|(settings, key)| {
            let changed = self.in_force.changed_keys(&settings);
            let need_restart = self.started.need_restart(&settings);
            self.take(cause, &settings, key, &need_restart);
            Reloaded { changed, need_restart }
        });
        match &reloaded {
            Ok(_) => {
                self.metrics.reload("applied");
                supervisor::ready();
            }
            Err(problems) => {
                for problem in problems {
                    tracing::error!("{cause}: {problem}");
                }
                let problems = problems.len();
                tracing::error!(problems, "{cause}: reload refused; the previous settings stay in force");
                self.metrics.reload("refused");
                supervisor::reload_refused();
            }
        }
        reloaded
    }

    /// Reloads at SIGHUP; the audit log has it.
    pub(super) fn reload_by_signal(&mut self, sources: &SettingsSources) {
        let is_applied = self.reload("SIGHUP", sources).is_ok();
        self.shared.audit.add_unasked(How::Signal, AuditAction::Reload, is_applied);
    }

    fn take(&mut self, cause: &str, settings: &Settings, key: Key, need_restart: &[&'static str]) {
        self.shared = Arc::new(self.shared.with(settings, key));
        self.states.send_replace(self.shared.clone());
        self.listening = watch_beside(&self.shared);
        self.route();
        self.connections.send_replace(Arc::new(settings.server.clone()));
        self.schedule.reload(settings);
        let apps = settings.apps.len();
        tracing::info!(apps, "{cause}: reloaded credentials and limits for {apps} apps");
        for key in need_restart {
            tracing::warn!(key, "{cause}: {key} changed; restart the service to apply it");
        }
        for app in &self.in_force.apps {
            if !settings.apps.iter().any(|kept| kept.id == app.id) {
                let app = &app.id;
                tracing::warn!(
                    app,
                    "{cause}: app {app} was removed from the settings; its webhooks are answered 401"
                );
            }
        }
        self.in_force = settings.clone();
    }
}

/// Logs when an app falls silent and ends sessions that are over, until the set is dropped.
fn watch_beside(shared: &Arc<HttpState>) -> JoinSet<()> {
    let mut watching = JoinSet::new();
    let (of_apps, of_sessions) = (shared.clone(), shared.clone());
    watching.spawn(async move {
        of_apps.restore_app_activity().await;
        of_apps.app_activity.watch().await;
    });
    watching.spawn(async move { of_sessions.watch_sessions().await });
    watching
}
