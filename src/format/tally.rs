//! The counts of one app in one minute or hour.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::value_names;

/// What events and changes are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedBy {
    /// What became of a journal entry, or of an event that has none.
    Outcome,
    /// The trigger of a journal entry.
    Trigger,
    /// The kind of a change in the feed.
    Change,
}

value_names!(CountedBy { Outcome: "outcome", Trigger: "trigger", Change: "change" });

/// The most names of one kind in a tally. What has another name is counted under [`OTHER`].
const MOST_NAMES: usize = 64;

/// The name for what has a name beyond the limit. No trigger of Smooch's has brackets.
pub const OTHER: &str = "(other)";

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    outcomes: BTreeMap<String, u64>,
    triggers: BTreeMap<String, u64>,
    changes: BTreeMap<String, u64>,
}

impl Tally {
    /// The counts of one kind.
    pub fn counts(&self, by: CountedBy) -> &BTreeMap<String, u64> {
        match by {
            CountedBy::Outcome => &self.outcomes,
            CountedBy::Trigger => &self.triggers,
            CountedBy::Change => &self.changes,
        }
    }

    /// Adds a count.
    pub fn add(&mut self, by: CountedBy, name: &str, count: u64) {
        let counts = match by {
            CountedBy::Outcome => &mut self.outcomes,
            CountedBy::Trigger => &mut self.triggers,
            CountedBy::Change => &mut self.changes,
        };
        if let Some(known) = counts.get_mut(name) {
            *known += count;
        } else {
            let name = if counts.len() < MOST_NAMES { name } else { OTHER };
            *counts.entry(name.to_owned()).or_default() += count;
        }
    }

    /// Adds all counts of another tally.
    pub fn add_all(&mut self, other: &Self) {
        for by in [CountedBy::Outcome, CountedBy::Trigger, CountedBy::Change] {
            other.counts(by).iter().for_each(|(name, count)| self.add(by, name, *count));
        }
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("maps of texts and numbers always serialize")
    }

    /// Reads the stored form; `None` if it is damaged.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_adds_and_is_read_back() {
        let (mut one, mut other) = (Tally::default(), Tally::default());
        one.add(CountedBy::Trigger, "message:appUser", 2);
        other.add(CountedBy::Trigger, "message:appUser", 3);
        other.add(CountedBy::Change, "created", 1);
        one.add_all(&other);
        let read = Tally::decode(&one.encode()).unwrap();
        assert_eq!(read, one);
        assert_eq!(read.counts(CountedBy::Trigger), &BTreeMap::from([("message:appUser".to_owned(), 5)]));
        assert_eq!(read.counts(CountedBy::Change), &BTreeMap::from([("created".to_owned(), 1)]));
        assert_eq!(Tally::decode(&[0xff]), None);
    }

    #[test]
    fn names_beyond_the_limit_are_counted_together() {
        let mut tally = Tally::default();
        (0..100).for_each(|n| tally.add(CountedBy::Trigger, &format!("trigger {n:03}"), 1));
        let counts = tally.counts(CountedBy::Trigger);
        assert_eq!((counts.len(), counts[OTHER], counts.values().sum::<u64>()), (65, 36, 100));
    }
}
