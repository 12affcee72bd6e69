//! What a directory of app users is, and how it learns. Pure: no I/O, no clock, no randomness.
//!
//! Everything here is a join: a fact contributes the same whatever was learned before or after it,
//! so any order, repetition and batching of the same facts gives the same directory.

mod app_user;
pub mod brand;
mod calls;
mod client;
pub mod command;
pub mod decide;
mod directory;
mod fact;
mod field;
mod group;
mod ids;
mod known;
pub mod list;
mod members;
pub mod moment;
mod record_facts;
mod rules;
mod summary;
mod value;
mod version;
mod view;
mod words;

pub use app_user::{Claim, Edge, Layer, Override, Reason, Recent, Record};
pub use calls::{CallMade, entry_body};
pub use client::{Client, Mention, Mentions};
pub use directory::{Directory, Entry, Key, Pointer, TooLarge};
pub use fact::{Event, Fact, Seen};
pub use field::{Field, Part};
pub use group::Group;
pub use ids::{AppId, BEFORE_ALL, ClientId, Digest, SmoochId, Stamp};
pub use known::{Known, Told, Word};
pub use record_facts::facts_of;
pub use rules::RULES;
pub use summary::{ClientTraits, Summary, Traits};
pub use value::{Register, Said, Text, json_text};
pub use version::Version;
pub use view::{Change, ChangeKind, View, brands_of};
pub use words::words;
