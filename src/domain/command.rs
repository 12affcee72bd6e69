//! What our own API can be asked to do, and what it answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use super::brand::Name;
use super::field::Field;
use super::ids::{ClientId, SmoochId};
use super::value::JsonText;
use super::view::View;

/// New values of fields; `None` clears.
pub type Fields = Vec<(Field, Option<JsonText>)>;

/// A call to our API that may change the directory.
#[derive(Clone, Debug)]
pub struct Command {
    /// What is to be done.
    pub action: Action,
    /// On whose authority.
    pub authority: Authority,
    /// Only if the app user's [`View::tag`] is one of these; without a list, in any case.
    pub only_if: Option<Vec<String>>,
    /// The moment, ISO 8601 with ms as JSON text: what `signedUpAt` and `lastSeen` are set to.
    pub at: JsonText,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The app itself: a JWT of scope `app` or `account`, or a key.
    App,
    /// The app user with this `userId` (as JSON text), by a JWT of scope `appUser`.
    User(JsonText),
    /// Whoever holds the app token.
    Token,
}

/// See [`Command`].
#[derive(Clone, Debug)]
pub enum Action {
    /// A device starts: `wire` facts §2.3.
    Init {
        /// The device.
        device: Device,
        /// Who is logged in on it, as JSON text.
        user_id: Option<JsonText>,
        /// The brand in which that is meant; nothing: that of the device.
        brand: Option<Box<str>>,
    },
    /// Makes an app user before Smooch knows it.
    Create {
        /// Its `userId`, as JSON text.
        user_id: JsonText,
        /// Whatever else is known. A `brandId`, or that there is none, says within what the `userId` is to be
        /// unique; if nothing is said of it, that is all brands.
        fields: Fields,
        /// Whether only a JWT may speak for it.
        secured: bool,
    },
    /// Gives fields new values.
    Update {
        /// Whose.
        user: Name,
        /// Which.
        fields: Fields,
        /// What the call says besides, and cannot change: it must be so.
        repeated: Vec<Repeated>,
    },
    /// Notes that something happened to an app user.
    Track {
        /// To whom.
        user: Name,
        /// What, as JSON text.
        name: JsonText,
        /// Values given along with it.
        fields: Fields,
    },
    /// Changes what is known of a device.
    UpdateDevice {
        /// Whose.
        user: Name,
        /// The device, without a platform.
        device: Device,
    },
    /// Removes an app user, and everybody merged into it.
    Delete {
        /// Whom.
        user: Name,
    },
    /// Erases an app user and everybody merged into it, here and in the journal.
    Erase {
        /// Whom; also an `_id` that was removed.
        user: Name,
        /// Only the `_id` that was named, with whoever is merged into it, and not the app user it is part of.
        only: bool,
    },
    /// Clears name, e-mail and properties, and what the clients tell of the person.
    DeleteProfile {
        /// Whose.
        user: Name,
    },
    /// Makes two app users one.
    Merge {
        /// Who goes on.
        surviving: Name,
        /// Who becomes part of it.
        discarded: Name,
    },
    /// Undoes a merge.
    Unmerge {
        /// Who had taken the other in.
        surviving: Name,
        /// The `_id` that stands for itself again.
        discarded: SmoochId,
    },
    /// A JWT of scope `appUser` was used: from now on only a JWT speaks for its app user.
    Secure {
        /// Whom it named.
        user: Name,
    },
}

impl Action {
    /// The word for it in the journal.
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

    /// The app users it names by an `_id` or a `userId`.
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

    /// Whether it moves whom it names to a brand, in which another may go by the same `userId`.
    pub fn gives_brand(&self) -> bool {
        matches!(self, Self::Update { fields, .. } if fields.iter().any(|(field, _)| *field == Field::BrandId))
    }

    /// The `userId` it looks for, as JSON text.
    pub fn user_id(&self) -> Option<&JsonText> {
        match self {
            Self::Init { user_id, .. } => user_id.as_ref(),
            Self::Create { user_id, .. } => Some(user_id),
            _ => None,
        }
    }

    /// The client it makes active.
    pub fn client(&self) -> Option<&ClientId> {
        if let Self::Init { device, .. } = self { Some(&device.id) } else { None }
    }
}

/// What a call says of an app user that it cannot change. Whoever changes what a look-up has shown sends this back
/// along with the rest; whoever says something else must not believe that it is so now.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeated {
    /// Its name in the words of the version.
    pub name: &'static str,
    /// What it is.
    pub what: Fixed,
    /// What the call says, as JSON text; `None` is that there is nothing.
    pub value: Option<JsonText>,
}

/// See [`Repeated`].
#[derive(Clone, Debug, PartialEq)]
pub enum Fixed {
    /// One of its `_id`s.
    Id,
    /// Anything else.
    Field(Field),
}

/// What a call says of a device. What it leaves out stays as it is.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its id, which is also the client's.
    pub id: ClientId,
    /// JsonMembers of the client, each as JSON text; `None` takes one away.
    pub members: BTreeMap<String, Option<JsonText>>,
    /// JsonMembers of its `info`.
    pub info: BTreeMap<String, Option<JsonText>>,
}

/// What became of a command that was carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandOutcome {
    /// The app user afterwards; nothing if it was removed.
    pub user: Option<View>,
    /// The app user that a merge took in stands for itself again.
    pub other: Option<View>,
    /// Whether an app user was made.
    pub created: bool,
}

/// Why a command was not carried out. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// There is no such app user.
    NoUser,
    /// The app user has no such client.
    NoClient,
    /// The app user has no such part.
    NoMember,
    /// The `userId` is taken by this app user.
    Taken(SmoochId),
    /// Only a JWT may speak for this app user.
    Secured,
    /// The JWT is another app user's.
    NotYours,
    /// The app user is not, or no longer, what the caller believes.
    Stale,
    /// The properties would be larger than [`super::decide::PROPERTIES_BYTES`] bytes.
    TooManyProperties,
    /// The merge would make one app user of more `_id`s than the settings allow.
    TooManyMembers,
    /// The two are one already.
    SameUser,
    /// The `userId` is carried in each of these brands; `None` is by somebody without one.
    SeveralBrands(Vec<Option<String>>),
    /// Several app users carry the JWT's `userId`: it does not say whose it is.
    SeveralUsers,
    /// The call says something else of what it cannot change; its name there.
    Unchangeable(String),
    /// The `userId` by which somebody is to end is carried by several: the same call again would end the next.
    SeveralCarriers,
    /// The `userId` names somebody who is erased, by an `_id`.
    NamesErased,
    /// An app token would begin an app user in a brand of its choice, or beside whoever carries the `userId`.
    BrandByToken,
    /// A JWT of scope `appUser` would do so.
    BrandByUser,
}
