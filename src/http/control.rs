//! What a handler asks of the running service itself.

use tokio::sync::{mpsc, oneshot};

use crate::config::{SettingsProblem, SettingsSources};

/// The result of a reload, or every problem.
pub type ReloadResult = Result<Reloaded, Vec<SettingsProblem>>;

/// A reload that was asked for; the answer goes back through it.
type ReloadRequest = oneshot::Sender<ReloadResult>;

/// The sources of the settings, and the way to reload them. Clones share it.
#[derive(Clone)]
pub struct ServiceControl {
    pub(super) sources: SettingsSources,
    reloads: mpsc::Sender<ReloadRequest>,
}

/// What a reload changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// The keys whose values in force changed.
    pub changed: Vec<&'static str>,
    /// Those that take effect with a restart only.
    pub need_restart: Vec<&'static str>,
}

impl ServiceControl {
    /// The control of a service that reloads what arrives at the other end.
    pub fn new(sources: SettingsSources) -> (Self, mpsc::Receiver<ReloadRequest>) {
        let (reloads, requests) = mpsc::channel(1);
        (Self { sources, reloads }, requests)
    }

    /// Reloads the settings as SIGHUP does. None if the service is stopping.
    pub(super) async fn reload(&self) -> Option<ReloadResult> {
        let (answer, answered) = oneshot::channel();
        self.reloads.send(answer).await.ok()?;
        answered.await.ok()
    }
}
