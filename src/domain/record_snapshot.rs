//! What is known of an app user elsewhere, in the words it was told with: learned here, it is known here.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::brand::brand;
use super::client::{Client, Mention};
use super::field::Field;
use super::ids::{ClientId, SmoochId, Stamp};
use super::part::Part;
use super::value::JsonText;

/// Everything known of one `_id` but for its merges, each thing with the stamp it was said with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordSnapshot {
    /// The `_id`.
    pub user: SmoochId,
    /// What was said, each stamp once.
    pub said: Vec<StampedAssertions>,
    /// Those with its `userId` of whom it is known that they are not merged: one of the two was made by a
    /// rollcall, the other is Smooch's.
    #[serde(default)]
    pub apart: Vec<SmoochId>,
    /// The conversation has started.
    pub started: bool,
    /// Only a JWT may speak for it.
    pub secured: bool,
    /// A rollcall made the `_id`.
    pub minted: bool,
    /// It was removed, and nothing else is known.
    pub removed: bool,
    /// It was erased, and so removed as well.
    #[serde(default)]
    pub erased: bool,
    /// Event time of its first event, in µs since 1970.
    pub first_seen: Option<i64>,
    /// Event time of its last event, in µs since 1970.
    pub last_seen: Option<i64>,
}

/// What was said with one stamp, as far as it still counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StampedAssertions {
    /// The stamp.
    pub stamp: Arc<Stamp>,
    /// What.
    pub words: Vec<Assertion>,
}

/// One thing that was said of an app user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Assertion {
    /// Smooch gave this field a value; `None` is an explicit null.
    Field(Field, Option<JsonText>),
    /// Smooch said this of a client; `None` is that there is none, and what was said before is gone.
    Client(ClientId, Option<Mention>),
    /// Smooch's picture of this part was complete.
    Complete(Part),
    /// Our own API gave this field a value, over what Smooch said of it then.
    Set(Field, Option<JsonText>, Option<JsonText>),
    /// Our own API gave this client this state.
    Device(ClientId, Client),
    /// The app user had this client.
    Claim(ClientId),
    /// The app user had a client under both of these ids.
    OneClient(ClientId, ClientId),
}

impl RecordSnapshot {
    /// Somebody of whom nothing is known but the `_id`.
    pub fn bare(user: SmoochId) -> Self {
        let (first_seen, last_seen) = (None, None);
        let (started, secured, minted, removed, erased) = (false, false, false, false, false);
        let (said, apart) = (Vec::new(), Vec::new());
        Self { user, said, apart, started, secured, minted, removed, erased, first_seen, last_seen }
    }

    /// What was said, each thing with its stamp.
    pub fn assertions(&self) -> impl Iterator<Item = (&Arc<Stamp>, &Assertion)> {
        self.said.iter().flat_map(|told| told.words.iter().map(move |word| (&told.stamp, word)))
    }

    /// The `userId`s that Smooch gave it, as JSON text.
    pub fn reported(&self) -> impl Iterator<Item = &JsonText> {
        self.assertions().filter_map(|(_, word)| match word {
            Assertion::Field(Field::UserId, text) => text.as_ref(),
            _ => None,
        })
    }

    /// What Smooch said of its brand, as JSON text, if it said anything.
    pub fn told_brand(&self) -> Option<Option<&JsonText>> {
        self.assertions().find_map(|(_, word)| match word {
            Assertion::Field(field, text) if *field == Field::BrandId => Some(text.as_ref()),
            _ => None,
        })
    }

    /// The brand for which a rollcall made it.
    pub fn created_in_brand(&self) -> Option<Cow<'_, str>> {
        let set = self.assertions().find_map(|(_, word)| match word {
            Assertion::Set(field, text, _) if *field == Field::BrandId => Some(text.as_ref()),
            _ => None,
        });
        set.flatten().and_then(|text| brand(text))
    }

    /// The `userId` for which a rollcall made it, as JSON text, and when.
    pub fn created_for_user_id(&self) -> Option<(&Arc<Stamp>, &JsonText)> {
        let mut set = self.assertions().filter_map(|(stamp, word)| match word {
            Assertion::Set(Field::UserId, Some(text), _) => Some((stamp, text)),
            _ => None,
        });
        set.next().filter(|_| self.minted)
    }

    /// The clients that it had, and when last.
    pub fn claims(&self) -> impl Iterator<Item = (&Arc<Stamp>, &ClientId)> {
        self.assertions().filter_map(|(stamp, word)| match word {
            Assertion::Claim(client) => Some((stamp, client)),
            _ => None,
        })
    }

    /// The pairs of ids of one client of it.
    pub(super) fn client_id_pairs(&self) -> impl Iterator<Item = [&ClientId; 2]> {
        self.assertions().filter_map(|(_, word)| match word {
            Assertion::OneClient(one, other) => Some([one, other]),
            _ => None,
        })
    }
}
