//! Notification of commits.

use tokio::sync::watch;

/// Wakes feed readers after each commit. Clones share their subscribers.
#[derive(Clone, Debug, Default)]
pub struct CommitNotifier(watch::Sender<u64>);

impl CommitNotifier {
    /// Announces a commit. Costs one store and never blocks.
    pub fn notify(&self) {
        self.0.send_modify(|commits| *commits = commits.wrapping_add(1));
    }

    /// The number of commits.
    pub fn count(&self) -> u64 {
        *self.0.borrow()
    }

    /// Changes with every later commit. Several commits between two reads are one change.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
