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
mod group;
mod ids;
mod known;
mod members;
pub mod moment;
mod rules;
mod summary;
mod version;
mod view;
mod words;

pub use app_user::{Claim, Edge, Layer, Override, Recent, Record, Register, Said, Text};
pub use calls::{CallMade, entry_body};
pub use client::{Client, Mention, Mentions};
pub use directory::{Directory, Entry, Key, Pointer, TooLarge, json_text};
pub use fact::{Event, Fact, Field, Part, Reason, Seen};
pub use group::Group;
pub use ids::{AppId, BEFORE_ALL, ClientId, Digest, SmoochId, Stamp};
pub use known::{Known, Told, Word, facts_of};
pub use rules::RULES;
pub use summary::{ClientTraits, Summary, Traits};
pub use version::Version;
pub use view::{Change, ChangeKind, View};
pub use words::words;
