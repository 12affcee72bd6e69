//! The model of the directory: records, merges, views, commands. Pure: no I/O, no clock, no randomness.
//!
//! Every fact is a join: its contribution does not depend on the facts applied before or after it. Any order,
//! repetition and batching of the same facts gives the same directory.

mod app_version;
pub mod brand;
mod calls;
mod client;
pub mod command;
pub mod decide;
mod fact;
mod field;
mod field_form;
mod ids;
mod json_members;
pub mod list;
mod merge_group;
mod name_limit;
mod names;
mod record;
mod record_snapshot;
mod search_terms;
mod snapshot_facts;
pub mod timestamp;
mod unusable;
mod value;
mod view;
mod visibility;
mod working_set;

pub use app_version::AppVersion;
pub use calls::{CallMade, CalledBy, entry_body};
pub use client::{Client, Mention, Mentions};
pub use fact::{Event, Fact, Observation};
pub use field::{FIELDS, Field, FieldSpec};
pub use field_form::{Input, Part, Shape, V2Path};
pub use ids::{AppId, BEFORE_ALL, ClientId, Digest, SmoochId, Stamp};
pub use merge_group::{MemberMerge, MergeGroup};
pub use name_limit::{NAME_BYTES, is_longer};
pub use names::UnknownName;
pub(crate) use names::value_names;
pub use record::{Claim, Edge, Override, Reason, Recent, Record, SmoochState};
pub use record_snapshot::{Assertion, RecordSnapshot, StampedAssertions};
pub use search_terms::{ClientTraits, SEARCHED_WORDS, SearchTerms, SortKeys, bound_word, split_words};
pub use snapshot_facts::snapshot_facts;
pub use unusable::UnusableReason;
pub use value::{JsonText, Register, SmoochValue, json_text};
pub use view::{Change, ChangeKind, View, brands_of};
pub use visibility::{ShownUser, Visibility};
pub use working_set::{LoadedRecord, Pointer, RecordKey, TooLarge, WorkingSet};

/// The version of the rules that turn a journalled event into the directory: parsing of bodies, and application of
/// facts. Raise it with every change of either. After the start, the service rebuilds a directory of older rules from
/// its journal; see `rebuild/background.rs`.
pub const RULES_VERSION: i64 = 4;
