//! Everything in the database that is derived from something else in it (decision 24).

mod columns;
pub(super) mod damaged_tables;
mod erasures;
mod identifiers;
pub(super) mod kind;
pub(super) mod list;
pub(super) mod numbers;
mod orders;
mod records;
pub(super) mod remake;
mod schema;
mod search;
mod sequences;
pub(super) mod start;

pub use damaged_tables::DamagedTables;
pub use kind::Derived;
pub(super) use kind::{Remaking, Tell, derived_error, last_user_row, number_error, require_row};
pub use list::DERIVED;
pub(super) use list::{check_source_tables, find_faults, is_about_derived, missing_table_error};
pub(super) use numbers::{KnownCounters, last_compacted_head};
pub(super) use remake::{RemakeProgress, make_anew, pending_table, remake_step};
pub(super) use start::{probe_tables, remake_at_start, remake_counters_at_start};
