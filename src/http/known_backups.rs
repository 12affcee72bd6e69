//! What the running service knows of its backups.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::now_ms;
use crate::store::sqlite::Checked;

/// What is known of backups that this process made or verified, by file name. Clones share it.
#[derive(Clone, Default)]
pub(super) struct KnownBackups(Arc<Mutex<BTreeMap<String, KnownBackup>>>);

/// What is known of a backup.
#[derive(Clone)]
pub(super) struct KnownBackup {
    pub(super) checksum: Option<String>,
    /// When it was verified, in ms since 1970; a new backup is verified as it is made.
    pub(super) verified: i64,
}

impl KnownBackups {
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, KnownBackup>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, name: &str, checked: &Checked) {
        let known = KnownBackup { checksum: checked.checksum.clone(), verified: now_ms() };
        self.lock().insert(name.to_owned(), known);
    }
}
