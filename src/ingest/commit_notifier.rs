//! Word of a commit, for whoever follows the directory.

use tokio::sync::watch;

/// Who commits tells, who follows is woken. Clones reach the same followers.
#[derive(Clone, Debug, Default)]
pub struct CommitNotifier(watch::Sender<u64>);

impl CommitNotifier {
    /// Something was committed. Costs one store, and never waits for a follower.
    pub fn notify(&self) {
        self.0.send_modify(|commits| *commits = commits.wrapping_add(1));
    }

    /// How many commits there were.
    pub fn count(&self) -> u64 {
        *self.0.borrow()
    }

    /// Changes with every commit from now on; how many commits were made between two looks does not matter.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
