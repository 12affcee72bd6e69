//! Backups and how they are restored.

pub(super) mod backup_checksum;
pub(super) mod create;
pub(super) mod restore;
pub(super) mod snapshot_copy;
