//! Where stamps stand in a record.

use std::sync::Arc;

use crate::domain::Stamp;

pub(super) type At = u32;

/// A record that cannot be read: not ours, of a newer program, or damaged.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub(super) String);

/// The stamp at a place of a row.
pub(super) type Stamped<'s> = &'s dyn Fn(At) -> Result<Arc<Stamp>, Unreadable>;
