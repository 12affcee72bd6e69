//! What an answer may show of people: one place decides which values are private, and answers are written from
//! [`ShownUser`]s, which have no others.
//!
//! Private is what tells who a person is, and every text that a stranger can choose:
//!
//! - values: names, e-mail addresses, `userId`s, properties, identities, pictures, and every member that is not known;
//! - the names of properties and of unknown members, which may be any text;
//! - ids, names and further members of clients. `appVersion` is shown if it is a version of at most
//!   [`LONGEST_VERSION`] bytes: a device may send any other text as its own;
//! - bodies, headers, and the paths of calls;
//! - request ids in the audit log: a caller may have put a name into them.
//!
//! Not private are `_id`s, times, flags, brands, the platforms of clients, and triggers. A trigger is the type of an
//! event, named by Smooch or by whoever else has the secret of the webhook; the name of a custom event is in its body.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use super::app_version::AppVersion;
use super::client::Client;
use super::field::Field;
use super::ids::ClientId;
use super::json_members::{JsonMembers, write_object};
use super::list::Filter;
use super::value::JsonText;
use super::view::View;

/// The members of a client that tell nothing about its person, as written in canonical JSON.
const IMPERSONAL_OF_CLIENTS: [&str; 4] = ["\"lastSeen\"", "\"linkedAt\"", "\"platform\"", "\"primary\""];
/// The one that a device may send as any text.
const APP_VERSION: &str = "\"appVersion\"";
/// The most bytes of a version.
const LONGEST_VERSION: usize = 16;

/// The name of the member with the clients.
const CLIENTS: &str = "clients";
/// The name of the member with the properties, and the prefix of the name of one.
const PROPERTIES: &str = "properties";
const PROPERTY: &str = "properties.";
/// What stands for the names of unknown members: of v1, of a v2 user, and of its profile.
const UNKNOWN: [&str; 3] = ["unknownMembers", "v2.unknownMembers", "profile.unknownMembers"];

/// The values of app users that an answer may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// All of them.
    Whole,
    /// None that is private: no names, e-mail addresses, `userId`s and properties, and of clients no ids and no names.
    Masked,
}

impl Visibility {
    /// True if private values are left out.
    pub fn is_masked(self) -> bool {
        self == Self::Masked
    }

    /// An app user as an answer may show it.
    pub fn show(self, view: &View) -> ShownUser<'_> {
        match self {
            Self::Whole => ShownUser { view: Cow::Borrowed(view), masked: BTreeSet::new() },
            Self::Masked => ShownUser::masked(view),
        }
    }

    /// The same, without a borrow.
    pub fn show_owned(self, view: View) -> ShownUser<'static> {
        match self {
            Self::Whole => ShownUser { view: Cow::Owned(view), masked: BTreeSet::new() },
            Self::Masked => ShownUser::masked(&view),
        }
    }

    /// True if the value of the member with this name, as in the change feed and in histories, is left out.
    pub fn hides(self, member: &str) -> bool {
        self.is_masked() && is_private(member)
    }

    /// The name of a changed member as an answer may show it.
    pub fn name(self, member: &str) -> &str {
        match self {
            Self::Whole => member,
            Self::Masked if member.starts_with(PROPERTY) => PROPERTIES,
            Self::Masked if !is_private(member) => member,
            Self::Masked => stand_in(&Field::from_name(member)).unwrap_or(member),
        }
    }

    /// The same of several, each name once.
    pub fn names<'m>(self, members: impl Iterator<Item = &'m str>) -> Vec<&'m str> {
        let mut names: Vec<&str> = Vec::new();
        for name in members.map(|member| self.name(member)) {
            // The names of all members differ, and those that stand for others are few.
            if !self.is_masked() || !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The id of a request as an answer may show it.
    pub fn request_id(self, id: Option<&str>) -> Option<&str> {
        id.filter(|_| !self.is_masked())
    }
}

/// True if the value of the member with this name, as in the change feed and in histories, tells who a person is.
fn is_private(member: &str) -> bool {
    const FLAGS: [&str; 4] = ["_id", "aliases", "conversationStarted", "credentialRequired"];
    member == CLIENTS
        || member.starts_with(PROPERTY)
        || !FLAGS.contains(&member) && Field::from_name(member).is_private()
}

/// What stands for the name of a private field, if that is private too.
fn stand_in(field: &Field) -> Option<&'static str> {
    let [v1, v2, profile] = UNKNOWN;
    match field {
        Field::Property(_) => Some(PROPERTIES),
        Field::Other(_) => Some(v1),
        Field::OtherV2(_) => Some(v2),
        Field::OtherProfile(_) => Some(profile),
        _ => None,
    }
}

impl Field {
    /// True if the field tells who a person is: personal data, or an identifier.
    pub fn is_private(&self) -> bool {
        self.is_personal() || matches!(self, Self::UserId | Self::PendingClients | Self::ZendeskId)
    }
}

impl Filter {
    /// The parameter of v1 of a condition on a private value, if there is one.
    pub fn private_parameter(&self) -> Option<&'static str> {
        let Self {
            q,
            user_id,
            email,
            identity_email,
            properties,
            brand: _,
            client,
            identified: _,
            started: _,
            seen: _,
            signed_up: _,
        } = self;
        let private = [
            ("q", q.is_some()),
            ("userId", user_id.is_some()),
            ("email", email.is_some()),
            ("identityEmail", identity_email.is_some()),
            (PROPERTIES, !properties.is_empty()),
            ("appVersion", client.version.as_deref().is_some_and(|version| !is_version(version))),
        ];
        private.into_iter().find(|(_, is_given)| *is_given).map(|(name, _)| name)
    }
}

/// An app user as an answer may show it. Made by [`Visibility`] alone, so that none is shown without a decision.
#[derive(Clone, Debug)]
pub struct ShownUser<'v> {
    view: Cow<'v, View>,
    masked: BTreeSet<Cow<'static, str>>,
}

impl Deref for ShownUser<'_> {
    type Target = View;

    fn deref(&self) -> &View {
        &self.view
    }
}

impl ShownUser<'static> {
    fn masked(view: &View) -> Self {
        let mut masked = BTreeSet::new();
        let mut fields = BTreeMap::new();
        for (field, value) in &view.fields {
            if !field.is_private() {
                fields.insert(field.clone(), value.clone());
            } else {
                let own = || Cow::Owned(field.name().into_owned());
                masked.insert(stand_in(field).map_or_else(own, Cow::Borrowed));
            }
        }
        if !view.clients.is_empty() {
            masked.insert(Cow::Borrowed(CLIENTS));
        }
        // Places in the order of the real ids, which are private.
        let clients = view.clients.values().enumerate().map(|(place, client)| {
            let rest = without_private_members(&client.rest);
            (ClientId::from(&*format!("{place:06}")), Client { active: client.active, rest })
        });
        let View { id, aliases, started, secured, .. } = view;
        let view = View {
            id: id.clone(),
            aliases: aliases.clone(),
            fields,
            clients: clients.collect(),
            started: *started,
            secured: *secured,
            // In no answer, and they would make the tag change with every event.
            first_seen: None,
            last_seen: None,
        };
        Self { view: Cow::Owned(view), masked }
    }
}

impl ShownUser<'_> {
    /// The names of the members of which something was left out, sorted.
    pub fn masked_names(&self) -> impl Iterator<Item = &str> {
        self.masked.iter().map(|name| &**name)
    }

    /// True if the ids of the clients, and most of their members, are left out.
    pub fn hides_clients(&self) -> bool {
        self.masked.contains(CLIENTS)
    }

    /// The id of a client as an answer may show it.
    pub fn client_id<'c>(&self, id: &'c ClientId) -> Option<&'c ClientId> {
        (!self.hides_clients()).then_some(id)
    }
}

/// The members of a client that may be shown of anybody.
fn without_private_members(rest: &str) -> JsonText {
    let shown = JsonMembers::of(rest).filter(|(key, value)| {
        IMPERSONAL_OF_CLIENTS.contains(key)
            || *key == APP_VERSION
                && serde_json::from_str(value).is_ok_and(|text: Cow<'_, str>| is_version(&text))
    });
    write_object(shown.map(|(key, value)| (key, ((), value))).collect())
}

/// True for a version that is too short to hold much else.
fn is_version(text: &str) -> bool {
    text.len() <= LONGEST_VERSION && AppVersion::read(text).is_some()
}
