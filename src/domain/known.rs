//! What is known of an app user elsewhere, in the words it was told with: learned here, it is known here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::app_user::{Override, Record, Text, raise};
use super::brand::{BRAND, brand};
use super::client::{Client, Mention};
use super::fact::{Fact, Field, Part};
use super::ids::{ClientId, SmoochId, Stamp};

/// Everything known of one `_id` but for its merges, each thing with the stamp it was said with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// The `_id`.
    pub user: SmoochId,
    /// What was said, each stamp once.
    pub said: Vec<Told>,
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
pub struct Told {
    /// The stamp.
    pub stamp: Arc<Stamp>,
    /// What.
    pub words: Vec<Word>,
}

/// One thing that was said of an app user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Word {
    /// Smooch gave this field a value; `None` is an explicit null.
    Field(Field, Option<Text>),
    /// Smooch said this of a client; `None` is that there is none, and what was said before is gone.
    Client(ClientId, Option<Mention>),
    /// Smooch's picture of this part was complete.
    Complete(Part),
    /// Our own API gave this field a value, over what Smooch said of it then.
    Set(Field, Option<Text>, Option<Text>),
    /// Our own API gave this client this state.
    Device(ClientId, Client),
    /// The app user had this client.
    Claim(ClientId),
    /// The app user had a client under both of these ids.
    OneClient(ClientId, ClientId),
}

impl Known {
    /// Somebody of whom nothing is known but the `_id`.
    pub fn bare(user: SmoochId) -> Self {
        let (first_seen, last_seen) = (None, None);
        let (started, secured, minted, removed, erased) = (false, false, false, false, false);
        let (said, apart) = (Vec::new(), Vec::new());
        Self { user, said, apart, started, secured, minted, removed, erased, first_seen, last_seen }
    }

    /// What was said, each thing with its stamp.
    pub fn words(&self) -> impl Iterator<Item = (&Arc<Stamp>, &Word)> {
        self.said.iter().flat_map(|told| told.words.iter().map(move |word| (&told.stamp, word)))
    }

    /// The `userId`s that Smooch gave it, as JSON text.
    pub fn reported(&self) -> impl Iterator<Item = &Text> {
        self.words().filter_map(|(_, word)| match word {
            Word::Field(Field::UserId, text) => text.as_ref(),
            _ => None,
        })
    }

    /// What Smooch said of its brand, as JSON text, if it said anything.
    pub fn told_brand(&self) -> Option<Option<&Text>> {
        self.words().find_map(|(_, word)| match word {
            Word::Field(field, text) if *field == *BRAND => Some(text.as_ref()),
            _ => None,
        })
    }

    /// The brand for which a rollcall made it.
    pub fn made_in_brand(&self) -> Option<Cow<'_, str>> {
        let set = self.words().find_map(|(_, word)| match word {
            Word::Set(field, text, _) if *field == *BRAND => Some(text.as_ref()),
            _ => None,
        });
        set.flatten().and_then(|text| brand(text))
    }

    /// The `userId` for which a rollcall made it, as JSON text, and when.
    pub fn made_for(&self) -> Option<(&Arc<Stamp>, &Text)> {
        let mut set = self.words().filter_map(|(stamp, word)| match word {
            Word::Set(Field::UserId, Some(text), _) => Some((stamp, text)),
            _ => None,
        });
        set.next().filter(|_| self.minted)
    }

    /// The clients that it had, and when last.
    pub fn claims(&self) -> impl Iterator<Item = (&Arc<Stamp>, &ClientId)> {
        self.words().filter_map(|(stamp, word)| match word {
            Word::Claim(client) => Some((stamp, client)),
            _ => None,
        })
    }

    /// The pairs of ids of one client of it.
    fn of_one_client(&self) -> impl Iterator<Item = [&ClientId; 2]> {
        self.words().filter_map(|(_, word)| match word {
            Word::OneClient(one, other) => Some([one, other]),
            _ => None,
        })
    }
}

/// Everything that a record holds, as facts: learned anywhere, in any order, they make the same record. What
/// is left out is where its journal is and what was received lately.
pub fn facts_of(user: &SmoochId, record: &Record, apart: Vec<SmoochId>) -> Vec<Fact> {
    let mut said: BTreeMap<&Arc<Stamp>, Vec<Word>> = BTreeMap::new();
    let mut say = |stamp, word| said.entry(stamp).or_default().push(word);
    let smooch = &record.smooch;
    smooch.floors.iter().for_each(|(part, stamp)| say(stamp, Word::Complete(*part)));
    for (field, register) in &smooch.fields {
        say(&register.stamp, Word::Field(field.clone(), register.value.clone()));
    }
    for (id, mentions) in &smooch.clients {
        for said in mentions.said() {
            say(&said.stamp, Word::Client(id.clone(), Some(said.value.clone())));
        }
        if let Some(removed) = mentions.removed() {
            say(removed, Word::Client(id.clone(), None));
        }
    }
    for (field, register) in &record.ours {
        let Override { value, basis } = &register.value;
        say(&register.stamp, Word::Set(field.clone(), value.clone(), basis.clone()));
    }
    for (id, register) in &record.devices {
        say(&register.stamp, Word::Device(id.clone(), register.value.clone()));
    }
    for (id, claim) in &record.claims {
        say(&claim.stamp, Word::Claim(id.clone()));
        if let Some(with) = claim.with.as_ref().filter(|with| *with != id) {
            say(&claim.stamp, Word::OneClient(with.clone(), id.clone()));
        }
    }
    let said = said.into_iter().map(|(stamp, words)| Told { stamp: stamp.clone(), words });
    let known = Known {
        user: user.clone(),
        said: said.collect(),
        apart,
        started: record.started,
        secured: record.secured,
        minted: record.minted,
        removed: record.dead,
        erased: record.erased,
        first_seen: record.first_seen,
        last_seen: record.last_seen,
    };
    let merges = record.into.iter().map(|(surviving, edge)| Fact::Linked {
        surviving: surviving.clone(),
        discarded: user.clone(),
        stamp: edge.stamp.clone(),
        joined: edge.value.joined,
        reason: edge.value.reason,
    });
    std::iter::once(Fact::Known(known)).chain(merges).collect()
}

impl Record {
    /// Takes in what is known elsewhere, but for what others are part of: a removal, and whose the clients
    /// are.
    pub(super) fn join(&mut self, known: &Known) {
        self.secured |= known.secured;
        self.minted |= known.minted;
        if self.dead {
            return;
        }
        self.started |= known.started;
        self.first_seen = self.first_seen.into_iter().chain(known.first_seen).min();
        self.last_seen = self.last_seen.max(known.last_seen);
        let smooch = &mut self.smooch;
        for (stamp, word) in known.words() {
            match word {
                Word::Complete(part) => smooch.complete(*part, stamp),
                Word::Field(field, value) if smooch.counts(field.part(), stamp) => {
                    raise(&mut smooch.fields, field.clone(), stamp, value.clone());
                }
                Word::Client(id, said) => smooch.client(id, stamp, said.as_ref()),
                Word::Set(field, value, basis) => {
                    let set = Override { value: value.clone(), basis: basis.clone() };
                    raise(&mut self.ours, field.clone(), stamp, set);
                }
                Word::Device(id, value) => raise(&mut self.devices, id.clone(), stamp, value.clone()),
                Word::Field(..) | Word::Claim(_) | Word::OneClient(..) => {}
            }
        }
    }

    /// Whether nothing of it is news.
    pub(super) fn knows(&self, known: &Known) -> bool {
        if known.removed && !self.dead || known.erased && !self.erased {
            return false;
        }
        let claimed = |(stamp, client): (&Arc<Stamp>, &ClientId)| {
            self.claims.get(client).is_some_and(|claim| claim.stamp >= *stamp)
        };
        let one = |ids: [&ClientId; 2]| {
            let [one, other] = ids.map(|id| self.claims.get(id).and_then(|claim| claim.with.as_ref()));
            one.is_some() && one == other
        };
        let has_clients = known.claims().all(claimed) && known.of_one_client().all(one);
        if !self.dead && !has_clients {
            return false;
        }
        let mut joined = self.clone();
        joined.join(known);
        joined == *self
    }
}
