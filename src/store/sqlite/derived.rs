//! Everything in the database that is made of something else in it (decision 24).

mod columns;
pub(super) mod doubts;
mod feed;
mod identifiers;
pub(super) mod kind;
pub(super) mod list;
pub(super) mod numbers;
mod orders;
mod records;
pub(super) mod remake;
pub(super) mod remaking;
mod schema;
mod search;
pub(super) mod start;
mod tombstones;
mod unneeded;

pub use doubts::Doubts;
pub use kind::{Derived, Fault};
pub(super) use kind::{Tell, numbered, of, written};
pub use list::DERIVED;
pub(super) use list::{faults, is_about_one};
pub(super) use numbers::Known;
pub(super) use remake::{Told, make_anew, pending, step};
pub(super) use remaking::{Remaking, last_row};
pub(super) use start::{at_start, check_truth, counters_at_start, look};
