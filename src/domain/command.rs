//! The commands of our own API and their results.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use super::brand::Name;
use super::field::Field;
use super::ids::{ClientId, SmoochId};
use super::value::JsonText;
use super::view::View;

/// New values of fields; `None` clears a field.
pub type Fields = Vec<(Field, Option<JsonText>)>;

/// A call of our API that may change the directory.
#[derive(Clone, Debug)]
pub struct Command {
    /// The requested change.
    pub action: Action,
    /// The credential of the caller.
    pub authority: Authority,
    /// The command is refused as stale unless the app user's [`View::tag`] is in this list. Without a list there is
    /// no such check.
    pub only_if: Option<Vec<String>>,
    /// The time of the command, ISO 8601 with ms as JSON text: the new value of `signedUpAt` and `lastSeen`.
    pub at: JsonText,
}

/// The credential that a caller presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The app itself: a JWT of scope `app` or `account`, or a key.
    App,
    /// The app user with this `userId` (as JSON text), by a JWT of scope `appUser`.
    User(JsonText),
    /// The app token, which is public.
    Token,
}

/// See [`Command`].
#[derive(Clone, Debug)]
pub enum Action {
    /// A device starts: Smooch's `POST /v1/init`.
    Init {
        /// The device.
        device: Device,
        /// The `userId` that is logged in on the device, as JSON text.
        user_id: Option<JsonText>,
        /// The brand of the `userId`. `None`: the brand of the device.
        brand: Option<Box<str>>,
    },
    /// Creates an app user before Smooch reports it.
    Create {
        /// Its `userId`, as JSON text.
        user_id: JsonText,
        /// Its other fields. A `brandId`, or its explicit null, limits the brands in which the `userId` must be
        /// unique. Without it the `userId` must be unique in all brands.
        fields: Fields,
        /// True if app tokens are refused for it.
        secured: bool,
    },
    /// Sets fields.
    Update {
        /// The app user.
        user: Name,
        /// The new values.
        fields: Fields,
        /// Read-only members that the body repeats. The command is refused if one of them differs.
        repeated: Vec<Repeated>,
    },
    /// Records a custom event of an app user.
    Track {
        /// The app user.
        user: Name,
        /// The name of the event, as JSON text.
        name: JsonText,
        /// Fields to set at the same time.
        fields: Fields,
    },
    /// Changes the members of a device.
    UpdateDevice {
        /// The app user that has the device.
        user: Name,
        /// The changes; the platform is not among them.
        device: Device,
    },
    /// Removes an app user and all `_id`s merged into it.
    Delete {
        /// The app user.
        user: Name,
    },
    /// Erases an app user and all `_id`s merged into it, here and in the journal.
    Erase {
        /// The app user; may be an `_id` that was removed.
        user: Name,
        /// True: only the named `_id` and the `_id`s merged into it. False: the whole app user that it is part of.
        only: bool,
    },
    /// Clears name, e-mail and properties, and the personal members of the clients.
    DeleteProfile {
        /// The app user.
        user: Name,
    },
    /// Merges two app users.
    Merge {
        /// The app user that remains.
        surviving: Name,
        /// The app user that becomes part of it.
        discarded: Name,
    },
    /// Undoes a merge.
    Unmerge {
        /// The app user that the other was merged into.
        surviving: Name,
        /// The `_id` that becomes separate again.
        discarded: SmoochId,
    },
    /// A JWT of scope `appUser` was used: from now on app tokens are refused for its app user.
    Secure {
        /// The app user of the JWT.
        user: Name,
    },
}

impl Action {
    /// The name of the trigger in the journal.
    pub fn trigger(&self) -> &'static str {
        match self {
            Self::Init { .. } => "api:init",
            Self::Create { .. } => "api:create",
            Self::Update { .. } => "api:update",
            Self::Track { .. } => "api:event",
            Self::UpdateDevice { .. } => "api:device",
            Self::Delete { .. } => "api:delete",
            Self::Erase { .. } => "api:erase",
            Self::DeleteProfile { .. } => "api:deleteProfile",
            Self::Merge { .. } => "api:merge",
            Self::Unmerge { .. } => "api:unmerge",
            Self::Secure { .. } => "api:secure",
        }
    }

    /// The `_id`s and `userId`s that the command names.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Init { .. } | Self::Create { .. } => Vec::new(),
            Self::Update { user, .. }
            | Self::Track { user, .. }
            | Self::UpdateDevice { user, .. }
            | Self::Delete { user }
            | Self::Erase { user, .. }
            | Self::DeleteProfile { user }
            | Self::Secure { user } => vec![&user.text],
            Self::Merge { surviving, discarded } => vec![&surviving.text, &discarded.text],
            Self::Unmerge { surviving, discarded } => vec![&surviving.text, discarded.as_str()],
        }
    }

    /// True if the command can move its app user to a brand, where another app user may have the same `userId`.
    pub fn gives_brand(&self) -> bool {
        matches!(self, Self::Update { fields, .. } if fields.iter().any(|(field, _)| *field == Field::BrandId))
    }

    /// The `userId` to look up, as JSON text.
    pub fn user_id(&self) -> Option<&JsonText> {
        match self {
            Self::Init { user_id, .. } => user_id.as_ref(),
            Self::Create { user_id, .. } => Some(user_id),
            _ => None,
        }
    }

    /// The client that the command makes active.
    pub fn client(&self) -> Option<&ClientId> {
        if let Self::Init { device, .. } = self { Some(&device.id) } else { None }
    }
}

/// A member of a request body that the call cannot change. Clients that read, modify and write back an app user
/// repeat such members; a different value is refused, because the call would not apply it.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeated {
    /// The name of the member in the API version of the call.
    pub name: &'static str,
    /// The member.
    pub what: Fixed,
    /// The value in the body, as JSON text; `None` is null.
    pub value: Option<JsonText>,
}

/// See [`Repeated`].
#[derive(Clone, Debug, PartialEq)]
pub enum Fixed {
    /// One of the app user's `_id`s.
    Id,
    /// A field.
    Field(Field),
}

/// The members of a device in a call. A missing member stays unchanged.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its id, which is also the id of the client.
    pub id: ClientId,
    /// Members of the client, each as JSON text; `None` removes one.
    pub members: BTreeMap<String, Option<JsonText>>,
    /// Members of its `info`.
    pub info: BTreeMap<String, Option<JsonText>>,
}

/// The result of a command that was applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandOutcome {
    /// The app user afterwards; `None` if it was removed.
    pub user: Option<View>,
    /// The app user that an un-merge separated.
    pub other: Option<View>,
    /// True if an app user was created.
    pub created: bool,
}

/// The reason for refusing a command. A refused command changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// There is no such app user.
    NoUser,
    /// The app user has no such client.
    NoClient,
    /// The app user has no such merged `_id`.
    NoMember,
    /// This app user has the `userId` already.
    Taken(SmoochId),
    /// App tokens are refused for this app user.
    Secured,
    /// The JWT belongs to another app user.
    NotYours,
    /// The app user differs from the state that the caller requires.
    Stale,
    /// The properties would be larger than [`super::decide::PROPERTIES_BYTES`] bytes.
    TooManyProperties,
    /// The merged app user would have more `_id`s than the settings allow.
    TooManyMembers,
    /// Both names resolve to the same app user.
    SameUser,
    /// App users of these brands have the `userId`; `None` is an app user without a brand.
    SeveralBrands(Vec<Option<String>>),
    /// Several app users have the `userId` of the JWT, so the JWT identifies none of them.
    SeveralUsers,
    /// The body has another value for this read-only member.
    Unchangeable(String),
    /// Several app users have the `userId` of the app user to remove or erase. A repeated call would remove the next
    /// one.
    SeveralCarriers,
    /// The `userId` is, or contains, the `_id` of an erased app user.
    NamesErased,
    /// With an app token, init would create an app user in a brand of the caller's choice, or with a `userId` that
    /// another app user has.
    BrandByToken,
    /// The same with a JWT of scope `appUser`.
    BrandByUser,
}
