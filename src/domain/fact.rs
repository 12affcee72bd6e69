//! Events and facts: every statement that the directory can apply to an app user.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::client::{Client, Mention};
use super::field::Field;
use super::field_form::Part;
use super::ids::{ClientId, SmoochId, Stamp};
use super::record::Reason;
use super::record_snapshot::RecordSnapshot;
use super::value::JsonText;

/// One webhook event, API call or import, as journalled: the unit of the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// The trigger, such as `message:appUser` or `user:merge`.
    pub trigger: Box<str>,
    /// The stamp of all facts of the event.
    pub stamp: Arc<Stamp>,
    /// The facts. Empty for a trigger that does not concern app users.
    pub facts: Vec<Fact>,
}

impl Event {
    /// The app users that the event concerns, each once, its main subject first.
    pub fn users(&self) -> Vec<&SmoochId> {
        let mut users: Vec<&SmoochId> = Vec::new();
        for user in self.facts.iter().flat_map(Fact::users).flatten() {
            if !users.contains(&user) {
                users.push(user);
            }
        }
        users
    }

    /// Removes the personal facts about erased app users. Merges stay, because other app users are part of them.
    pub fn without_erased(mut self, is_erased: impl Fn(&SmoochId) -> bool) -> Self {
        let of_the_erased = |fact: &Fact| fact.users().into_iter().flatten().any(&is_erased);
        self.facts.retain(|fact| !(fact.is_personal() && of_the_erased(fact)));
        self
    }
}

/// A statement about app users. Facts are the only way to change an app user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// Smooch mentioned an app user; the observation has all that the event carried.
    Seen(Observation),
    /// Our own API created this `_id`, for an app user that Smooch has not reported yet.
    Minted {
        /// The app user's `_id`.
        user: SmoochId,
    },
    /// A JWT was used for the app user. From now on app tokens are refused for it.
    Secured {
        /// The app user that is secured.
        user: SmoochId,
    },
    /// The app's own code recorded a custom event. No field of the app user changes.
    Tracked {
        /// The app user that the event happened to.
        user: SmoochId,
        /// The name of the event.
        name: JsonText,
    },
    /// Our own API set the state of a client. It overrides what Smooch reported before.
    ClientSet {
        /// The app user that has the client.
        user: SmoochId,
        /// The client.
        client: ClientId,
        /// The complete state of the client.
        value: Client,
    },
    /// Our own API set these fields. They override what Smooch reported until then.
    Set {
        /// The app user.
        user: SmoochId,
        /// Each field with its new value and with Smooch's value at that moment; `None` is no value.
        fields: Vec<(Field, Option<JsonText>, Option<JsonText>)>,
    },
    /// `discarded` is now part of `surviving`.
    Merged {
        /// The app user that remains.
        surviving: SmoochId,
        /// The app user that becomes part of it.
        discarded: SmoochId,
        /// The cause of the merge.
        reason: Reason,
    },
    /// `discarded` is no longer part of `surviving`.
    Unmerged {
        /// The app user that the other was merged into.
        surviving: SmoochId,
        /// The app user that is separate again.
        discarded: SmoochId,
    },
    /// A client was added or updated, or, without a value, removed.
    ClientChanged {
        /// The app user that has the client.
        user: SmoochId,
        /// The client.
        client: ClientId,
        /// The members reported of the client; `None` removes it.
        value: Option<Mention>,
    },
    /// This client is now active for this app user, and for no other.
    ClientBound {
        /// The app user.
        user: SmoochId,
        /// The client.
        client: ClientId,
        /// Other ids of the same client.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        also: Vec<ClientId>,
    },
    /// Smooch deleted the app user and all `_id`s merged into it.
    Removed {
        /// The removed app user.
        user: SmoochId,
    },
    /// The app user is erased: this `_id` and all `_id`s merged into it. Only the tombstones stay, here and in the
    /// journal.
    Erased {
        /// The `_id` that stays as a tombstone.
        user: SmoochId,
    },
    /// The snapshot of a record of another directory. Its assertions have stamps of their own.
    Known(RecordSnapshot),
    /// A merge, or an un-merge, of another directory.
    Linked {
        /// The surviving app user.
        surviving: SmoochId,
        /// The discarded app user.
        discarded: SmoochId,
        /// The stamp of the merge or un-merge.
        stamp: Arc<Stamp>,
        /// `true` for a merge, `false` for an un-merge.
        joined: bool,
        /// The cause of the merge.
        reason: Reason,
    },
}

impl Fact {
    /// The app users that the fact concerns.
    pub fn users(&self) -> [Option<&SmoochId>; 2] {
        match self {
            Self::Seen(seen) => [Some(&seen.user), None],
            Self::Set { user, .. }
            | Self::ClientChanged { user, .. }
            | Self::ClientBound { user, .. }
            | Self::ClientSet { user, .. }
            | Self::Minted { user }
            | Self::Secured { user }
            | Self::Tracked { user, .. }
            | Self::Removed { user }
            | Self::Erased { user } => [Some(user), None],
            Self::Known(known) => [Some(&known.user), None],
            Self::Merged { surviving, discarded, .. }
            | Self::Unmerged { surviving, discarded }
            | Self::Linked { surviving, discarded, .. } => [Some(surviving), Some(discarded)],
        }
    }

    /// True if the fact contains personal data. The other facts only relate `_id`s: merges, removals, secured flags.
    pub fn is_personal(&self) -> bool {
        match self {
            Self::Seen(_)
            | Self::Set { .. }
            | Self::ClientSet { .. }
            | Self::ClientChanged { .. }
            | Self::ClientBound { .. }
            | Self::Tracked { .. } => true,
            // A snapshot of a removed record contains nothing else.
            Self::Known(known) => !known.removed,
            Self::Minted { .. }
            | Self::Secured { .. }
            | Self::Merged { .. }
            | Self::Unmerged { .. }
            | Self::Linked { .. }
            | Self::Removed { .. }
            | Self::Erased { .. } => false,
        }
    }

    /// True if the fact can remove or deactivate a client, or remove a statement about one.
    pub fn may_retract_clients(&self) -> bool {
        match self {
            Self::Seen(seen) => {
                let inactive = |(_, mention): &(ClientId, Mention)| !mention.is_in_use();
                seen.complete.contains(&Part::Clients) || seen.clients.iter().any(inactive)
            }
            Self::ClientChanged { value, .. } => value.as_ref().is_none_or(|mention| !mention.is_in_use()),
            Self::ClientSet { .. } | Self::Known(_) => true,
            _ => false,
        }
    }

    /// The clients that the fact assigns to its app user, under every id that it has for each of them.
    pub fn claims(&self) -> impl Iterator<Item = ClientId> {
        let (list, one, bound): (&[(ClientId, Mention)], _, &[ClientId]) = match self {
            Self::Seen(seen) => (&seen.clients, None, &[]),
            Self::ClientChanged { client, value: Some(mention), .. } => {
                (&[], Some((client, Some(mention))), &[])
            }
            Self::ClientBound { client, also, .. } => (&[], Some((client, None)), also),
            _ => (&[], None, &[]),
        };
        let known = if let Self::Known(known) = self { Some(known) } else { None };
        let known = known.into_iter().flat_map(RecordSnapshot::claims).map(|(_, client)| client);
        let mentions = list.iter().map(|(id, mention)| (id, Some(mention))).chain(one);
        let mentions = mentions.filter(|(_, mention)| mention.is_none_or(Mention::is_in_use));
        mentions
            .flat_map(|(id, mention)| {
                let others = mention.into_iter().flat_map(|mention| mention.other_ids(id));
                std::iter::once(id.clone()).chain(others)
            })
            .chain(bound.iter().chain(known).cloned())
    }
}

/// The content of one event about one app user. A missing member is unknown, not empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The app user's `_id`.
    pub user: SmoochId,
    /// The fields that the event carried; `None` is an explicit null.
    pub fields: Vec<(Field, Option<JsonText>)>,
    /// The clients that the event carried.
    pub clients: Vec<(ClientId, Mention)>,
    /// The parts carried as a whole: the part has no other members from now on.
    pub complete: Vec<Part>,
    /// The event shows that the conversation has started.
    pub started: bool,
}

impl Observation {
    /// An observation of the `_id` alone.
    pub fn bare(user: SmoochId) -> Self {
        Self { user, fields: Vec::new(), clients: Vec::new(), complete: Vec::new(), started: false }
    }
}
