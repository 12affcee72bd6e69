//! The work that is left of an erasure, as its receipt stores it: JSON.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::SmoochId;

/// The work that is left. By default that is the last stage, without anything that is searched for.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ErasureWork {
    /// The erased app users.
    pub ids: BTreeSet<SmoochId>,
    /// The texts by which they are found.
    pub needles: Needles,
    /// The next stage.
    pub stage: ErasureStage,
}

/// A stage of an erasure, in their order, with the place where it continues.
#[derive(Debug, Default, Serialize, Deserialize)]
pub enum ErasureStage {
    /// The journal of the erased app users, from these entries backwards.
    Journal(BTreeSet<u64>),
    /// The bodies of every batch after this one.
    Bodies(u64),
    /// The compacted records.
    Base,
    /// The feed after this change.
    Changes(u64),
    /// Stored answers after this row.
    Answers(i64),
    /// The quarantine after this body.
    Quarantine(u64),
    /// The audit log after this entry.
    Audit(u64),
    /// The bytes of deleted rows, in every page after this one.
    Pages(u32),
    /// The log of the store.
    #[default]
    Sweep,
}

/// The texts by which an erased app user is found, beside its `_id`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Needles {
    /// `userId`s.
    pub names: BTreeSet<String>,
    /// Client ids and e-mail addresses.
    pub reached: BTreeSet<String>,
    /// The names of properties, as the feed has them.
    pub fields: BTreeSet<String>,
    /// All app users that merges connect with the erased.
    pub kin: BTreeSet<SmoochId>,
}

impl ErasureWork {
    /// The work of a receipt that was lost: of the texts that are searched for, only the `_id`s are known.
    pub fn of_lost_receipt(ids: BTreeSet<SmoochId>) -> Self {
        Self { ids, needles: Needles::default(), stage: ErasureStage::Bodies(0) }
    }
}
