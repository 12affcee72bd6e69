//! The vocabulary: everything that can be said about an app user.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::client::{Client, Mention};
use super::field::Field;
use super::ids::{ClientId, SmoochId, Stamp};
use super::part::Part;
use super::record::Reason;
use super::record_snapshot::RecordSnapshot;
use super::value::JsonText;

/// One thing that happened, as it came in: the unit of the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Smooch's word for it, such as `message:appUser` or `user:merge`.
    pub trigger: Box<str>,
    /// The stamp of all its facts.
    pub stamp: Arc<Stamp>,
    /// What it says. Empty for a trigger that says nothing about users.
    pub facts: Vec<Fact>,
}

impl Event {
    /// The app users it speaks of, each once, the one it is mainly about first.
    pub fn users(&self) -> Vec<&SmoochId> {
        let mut users: Vec<&SmoochId> = Vec::new();
        for user in self.facts.iter().flat_map(Fact::users).flatten() {
            if !users.contains(&user) {
                users.push(user);
            }
        }
        users
    }

    /// The same event without what it says of those who are erased. What it says of merges stays, since
    /// others are part of these.
    pub fn without_erased(mut self, is_erased: impl Fn(&SmoochId) -> bool) -> Self {
        let of_the_erased = |fact: &Fact| fact.users().into_iter().flatten().any(&is_erased);
        self.facts.retain(|fact| !(fact.is_personal() && of_the_erased(fact)));
        self
    }
}

/// What the directory can learn. There is no other way to change an app user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// Smooch mentioned an app user, with whatever it carried.
    Seen(Observation),
    /// Our own API made this `_id`, for somebody whom Smooch has not reported yet.
    Minted {
        /// The app user's `_id`.
        user: SmoochId,
    },
    /// A JWT spoke for the app user: from now on only a JWT may.
    Secured {
        /// The app user that is secured.
        user: SmoochId,
    },
    /// The app's own code noted that this happened. It changes nothing of the app user.
    Tracked {
        /// To whom it happened.
        user: SmoochId,
        /// What.
        name: JsonText,
    },
    /// Our own API gave a client this state, whatever Smooch said of it before.
    ClientSet {
        /// Whose client it is.
        user: SmoochId,
        /// Which client.
        client: ClientId,
        /// The whole of it.
        value: Client,
    },
    /// Our own API gave these fields these values, over what Smooch said of them then.
    Set {
        /// The app user they were given to.
        user: SmoochId,
        /// Each field with its new value and with Smooch's at that moment; `None` is no value.
        fields: Vec<(Field, Option<JsonText>, Option<JsonText>)>,
    },
    /// `discarded` is now part of `surviving`.
    Merged {
        /// The app user that goes on.
        surviving: SmoochId,
        /// The app user that is now a part of it.
        discarded: SmoochId,
        /// Who decided so.
        reason: Reason,
    },
    /// `discarded` is no longer part of `surviving`.
    Unmerged {
        /// The app user that had taken the other in.
        surviving: SmoochId,
        /// The app user that stands for itself again.
        discarded: SmoochId,
    },
    /// A client was added or updated, or, without a value, removed.
    ClientChanged {
        /// Whose client it is.
        user: SmoochId,
        /// Which client.
        client: ClientId,
        /// What is said of it.
        value: Option<Mention>,
    },
    /// This client is now active for this app user, and for no other.
    ClientBound {
        /// The app user.
        user: SmoochId,
        /// The client.
        client: ClientId,
        /// Other ids by which it is known.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        also: Vec<ClientId>,
    },
    /// Smooch deleted the app user, and with it everybody merged into it.
    Removed {
        /// The app user that is gone.
        user: SmoochId,
    },
    /// Somebody is to be forgotten: this `_id` and everybody merged into it. Nothing is kept of them, here
    /// or in the journal, but that they were erased.
    Erased {
        /// The `_id` that is left as a tombstone.
        user: SmoochId,
    },
    /// What another directory knew of an app user. It has stamps of its own.
    Known(RecordSnapshot),
    /// What another directory knew of a merge.
    Linked {
        /// The app user that took the other in.
        surviving: SmoochId,
        /// The app user that was taken in.
        discarded: SmoochId,
        /// When that was said.
        stamp: Arc<Stamp>,
        /// Whether it was merged, or stands for itself again.
        joined: bool,
        /// Who decided so.
        reason: Reason,
    },
}

impl Fact {
    /// The app users this fact speaks of.
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

    /// Whether it says anything of a person. What it is without that is between `_id`s: who is part of
    /// whom, who is gone, whose word counts.
    pub fn is_personal(&self) -> bool {
        match self {
            Self::Seen(_)
            | Self::Set { .. }
            | Self::ClientSet { .. }
            | Self::ClientChanged { .. }
            | Self::ClientBound { .. }
            | Self::Tracked { .. } => true,
            // Of somebody who is gone nothing else is known.
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

    /// Whether it may take back what was said of a client, or whether that is active.
    pub fn may_retract_clients(&self) -> bool {
        match self {
            Self::Seen(seen) => {
                let inactive = |(_, said): &(ClientId, Mention)| !said.is_in_use();
                seen.complete.contains(&Part::Clients) || seen.clients.iter().any(inactive)
            }
            Self::ClientChanged { value, .. } => value.as_ref().is_none_or(|said| !said.is_in_use()),
            Self::ClientSet { .. } | Self::Known(_) => true,
            _ => false,
        }
    }

    /// The clients that this fact gives to its app user, each under every id by which it names it.
    pub fn claims(&self) -> impl Iterator<Item = ClientId> {
        let (list, one, bound): (&[(ClientId, Mention)], _, &[ClientId]) = match self {
            Self::Seen(seen) => (&seen.clients, None, &[]),
            Self::ClientChanged { client, value: Some(said), .. } => (&[], Some((client, Some(said))), &[]),
            Self::ClientBound { client, also, .. } => (&[], Some((client, None)), also),
            _ => (&[], None, &[]),
        };
        let known = if let Self::Known(known) = self { Some(known) } else { None };
        let known = known.into_iter().flat_map(RecordSnapshot::claims).map(|(_, client)| client);
        let said = list.iter().map(|(id, said)| (id, Some(said))).chain(one);
        let said = said.filter(|(_, said)| said.is_none_or(Mention::is_in_use));
        said.flat_map(|(id, said)| {
            let others = said.into_iter().flat_map(|said| said.other_ids(id));
            std::iter::once(id.clone()).chain(others)
        })
        .chain(bound.iter().chain(known).cloned())
    }
}

/// A sighting: what one event carried of one app user. What it leaves out, it says nothing about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The app user's `_id`.
    pub user: SmoochId,
    /// Each field carried; `None` is an explicit null.
    pub fields: Vec<(Field, Option<JsonText>)>,
    /// The clients carried.
    pub clients: Vec<(ClientId, Mention)>,
    /// The parts that were carried whole: what such a part lacks is absent from now on.
    pub complete: Vec<Part>,
    /// The event shows that the conversation has started.
    pub started: bool,
}

impl Observation {
    /// A sighting that carries nothing but the `_id`.
    pub fn bare(user: SmoochId) -> Self {
        Self { user, fields: Vec::new(), clients: Vec::new(), complete: Vec::new(), started: false }
    }
}
