//! Checks of a whole database.

pub(super) mod checked;
pub(super) mod health;
pub(super) mod hole;
pub(super) mod journal_holes;
pub(super) mod verify;
