//! A record as stamped assertions, for export and import. Applying all of them reproduces the record.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::brand::parse_brand;
use super::client::{Client, Mention};
use super::field::Field;
use super::field_form::Part;
use super::ids::{ClientId, SmoochId, Stamp};
use super::value::JsonText;

/// The snapshot of one record without its merges. Each assertion has its stamp.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordSnapshot {
    /// The `_id`.
    pub user: SmoochId,
    /// The assertions, grouped by stamp.
    #[serde(rename = "said")]
    pub stamped: Vec<StampedAssertions>,
    /// The `_id`s with the same `userId` that are known not to be merged with it: of each pair one was created by a
    /// rollcall, the other is Smooch's.
    #[serde(rename = "apart", default)]
    pub not_merged_with: Vec<SmoochId>,
    /// The conversation has started.
    pub started: bool,
    /// App tokens are refused.
    pub secured: bool,
    /// A rollcall created the `_id`.
    pub minted: bool,
    /// It was removed; the snapshot has no other content.
    pub removed: bool,
    /// It was erased; implies `removed`.
    #[serde(default)]
    pub erased: bool,
    /// Event time of its first event, in µs since 1970.
    pub first_seen: Option<i64>,
    /// Event time of its last event, in µs since 1970.
    pub last_seen: Option<i64>,
}

/// The assertions with one stamp that are still valid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StampedAssertions {
    /// The stamp.
    pub stamp: Arc<Stamp>,
    /// The assertions.
    #[serde(rename = "words")]
    pub assertions: Vec<Assertion>,
}

/// One statement about an app user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Assertion {
    /// Smooch's value of a field; `None` is an explicit null.
    Field(Field, Option<JsonText>),
    /// Smooch's mention of a client; `None` is its removal, which voids earlier mentions.
    Client(ClientId, Option<Mention>),
    /// A complete picture of this part by Smooch.
    Complete(Part),
    /// A value of a field set by our own API, and Smooch's value at that moment.
    Set(Field, Option<JsonText>, Option<JsonText>),
    /// The state of a client set by our own API.
    Device(ClientId, Client),
    /// A claim of the app user on a client.
    Claim(ClientId),
    /// Two ids of one client of the app user.
    OneClient(ClientId, ClientId),
}

impl RecordSnapshot {
    /// The snapshot of an app user of which only the `_id` is known.
    pub fn bare(user: SmoochId) -> Self {
        Self { user, ..Self::default() }
    }

    /// The assertions, each with its stamp.
    pub fn assertions(&self) -> impl Iterator<Item = (&Arc<Stamp>, &Assertion)> {
        self.stamped
            .iter()
            .flat_map(|one| one.assertions.iter().map(move |assertion| (&one.stamp, assertion)))
    }

    /// Smooch's values of the `userId`, as JSON text.
    pub fn reported_user_ids(&self) -> impl Iterator<Item = &JsonText> {
        self.assertions().filter_map(|(_, assertion)| match assertion {
            Assertion::Field(Field::UserId, text) => text.as_ref(),
            _ => None,
        })
    }

    /// Smooch's value of the brand, as JSON text, if there is an assertion about it.
    pub fn reported_brand(&self) -> Option<Option<&JsonText>> {
        self.assertions().find_map(|(_, assertion)| match assertion {
            Assertion::Field(field, text) if *field == Field::BrandId => Some(text.as_ref()),
            _ => None,
        })
    }

    /// The brand in which a rollcall created the app user.
    pub fn created_in_brand(&self) -> Option<Cow<'_, str>> {
        let set = self.assertions().find_map(|(_, assertion)| match assertion {
            Assertion::Set(field, text, _) if *field == Field::BrandId => Some(text.as_ref()),
            _ => None,
        });
        set.flatten().and_then(|text| parse_brand(text))
    }

    /// The `userId` with which a rollcall created the app user, as JSON text, and the stamp.
    pub fn created_for_user_id(&self) -> Option<(&Arc<Stamp>, &JsonText)> {
        let mut set = self.assertions().filter_map(|(stamp, assertion)| match assertion {
            Assertion::Set(Field::UserId, Some(text), _) => Some((stamp, text)),
            _ => None,
        });
        set.next().filter(|_| self.minted)
    }

    /// The clients that the app user had, each with the stamp of the claim.
    pub fn claims(&self) -> impl Iterator<Item = (&Arc<Stamp>, &ClientId)> {
        self.assertions().filter_map(|(stamp, assertion)| match assertion {
            Assertion::Claim(client) => Some((stamp, client)),
            _ => None,
        })
    }

    pub(super) fn client_id_pairs(&self) -> impl Iterator<Item = [&ClientId; 2]> {
        self.assertions().filter_map(|(_, assertion)| match assertion {
            Assertion::OneClient(one, other) => Some([one, other]),
            _ => None,
        })
    }
}
