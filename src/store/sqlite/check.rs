//! Checks of a whole database.

pub(super) mod checked;
pub(super) mod health;
pub(super) mod verify;
