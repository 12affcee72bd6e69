//! The work of an erasure, step by step.

use std::collections::BTreeSet;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::needles::Needles;
use crate::domain::{AppId, Edge, Register, SmoochId};
use crate::store::sqlite::Kept;
use crate::store::{BodyReader, ErasureCounts, Error, Result, Seq};

/// What a step came to.
pub(crate) enum Step {
    /// Nobody is to be forgotten.
    Nothing,
    /// Something was done.
    Some,
    /// All that is left is to empty the log; then [`super::finish`] this receipt.
    Swept(Seq),
}

/// What is to be done yet for a receipt, as it is kept in the file.
#[derive(Serialize, Deserialize)]
pub(super) struct Work {
    pub(super) ids: BTreeSet<SmoochId>,
    pub(super) needles: Needles,
    pub(super) stage: Stage,
}

#[derive(Serialize, Deserialize)]
pub(super) enum Stage {
    /// The journal of these app users, from these entries backwards.
    Journal(BTreeSet<Seq>),
    /// The bodies of every batch after this one.
    Bodies(i64),
    /// What the journal came to before it was trimmed, and the statistics.
    Base,
    /// The feed after this change.
    Changes(i64),
    /// Kept answers after this row.
    Answers(i64),
    /// The quarantine after this body.
    Quarantine(i64),
    /// What is between the rows of every page after this one.
    Pages(u32),
    /// The log.
    Sweep,
}

impl Work {
    /// Only the log is left, and nothing that is looked for.
    pub(super) fn swept() -> Self {
        Self { ids: BTreeSet::new(), needles: Needles::default(), stage: Stage::Sweep }
    }
}

pub(super) struct Forget<'a> {
    pub(super) conn: &'a Connection,
    pub(super) app: &'a AppId,
    pub(super) work: &'a Work,
    pub(super) counts: ErasureCounts,
    pub(super) kept: &'a mut Kept,
    pub(super) reading: &'a BodyReader,
}

pub(super) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Unavailable(error.to_string()))
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    let lost = |error| Error::Derived { name: "receipts", why: format!("one cannot be read: {error}") };
    serde_json::from_str(text).map_err(lost)
}

/// A merge that was derived: an app user made here, and whom Smooch reported under its `userId`.
pub(super) struct MadeOne {
    pub(super) id: SmoochId,
    pub(super) into: SmoochId,
    pub(super) edge: Register<Edge>,
}
