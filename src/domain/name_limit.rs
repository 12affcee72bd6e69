//! The limit on the length of identifiers, so that every database can index them.

use std::borrow::Cow;

use super::client::Mention;
use super::fact::{Event, Fact};
use super::field::Field;
use super::ids::{ClientId, SmoochId};
use super::record_snapshot::Assertion;
use super::value::JsonText;

/// The maximum length of an `_id`, a `userId` or a client id, in bytes. Longer ones that are already stored stay
/// readable.
pub const NAME_BYTES: usize = 1024;

/// True if the string in a JSON text is longer than `bytes`.
pub fn is_longer(text: &JsonText, bytes: usize) -> bool {
    // The text is as long as its string and two quotes, or longer.
    text.len() > bytes.saturating_add(2)
        && serde_json::from_str::<Cow<'_, str>>(text).map_or(text.len(), |string| string.len()) > bytes
}

impl Event {
    /// True if the event has an `_id`, a `userId` or a client id longer than `bytes`.
    pub fn has_name_over(&self, bytes: usize) -> bool {
        self.facts.iter().any(|fact| fact.has_name_over(bytes))
    }
}

impl Fact {
    fn has_name_over(&self, bytes: usize) -> bool {
        let user = |id: &SmoochId| id.as_str().len() > bytes;
        let client = |id: &ClientId| id.as_str().len() > bytes;
        let user_id = |field: &Field, text: &Option<JsonText>| {
            *field == Field::UserId && text.as_ref().is_some_and(|text| is_longer(text, bytes))
        };
        let mentioned = |id: &ClientId, mention: Option<&Mention>| {
            client(id)
                || mention.is_some_and(|mention| {
                    mention.rest.len() > bytes && mention.other_ids(id).any(|id| client(&id))
                })
        };
        if self.users().into_iter().flatten().any(user) {
            return true;
        }
        match self {
            Self::Seen(seen) => {
                seen.fields.iter().any(|(field, text)| user_id(field, text))
                    || seen.clients.iter().any(|(id, mention)| mentioned(id, Some(mention)))
            }
            Self::Set { fields, .. } => fields.iter().any(|(field, text, _)| user_id(field, text)),
            Self::ClientChanged { client, value, .. } => mentioned(client, value.as_ref()),
            Self::ClientSet { client: id, .. } => client(id),
            Self::ClientBound { client: id, also, .. } => client(id) || also.iter().any(client),
            Self::Known(known) => {
                known.not_merged_with.iter().any(user)
                    || known.assertions().any(|(_, assertion)| match assertion {
                        Assertion::Field(field, text) | Assertion::Set(field, text, _) => {
                            user_id(field, text)
                        }
                        Assertion::Client(id, mention) => mentioned(id, mention.as_ref()),
                        Assertion::Device(id, _) | Assertion::Claim(id) => client(id),
                        Assertion::OneClient(one, other) => client(one) || client(other),
                        Assertion::Complete(_) => false,
                    })
            }
            Self::Minted { .. }
            | Self::Secured { .. }
            | Self::Tracked { .. }
            | Self::Merged { .. }
            | Self::Unmerged { .. }
            | Self::Removed { .. }
            | Self::Erased { .. }
            | Self::Linked { .. } => false,
        }
    }
}
