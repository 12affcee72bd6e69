//! The columns beside a record that lists and searches read. The row of a group's root has those of the whole group;
//! the rows of its other members have none.

use super::search_words;
use crate::domain::{LoadedRecord, MergeGroup, RecordKey, SearchTerms, SortKeys, WorkingSet};

/// No time: less than any.
pub const NONE: i64 = -(1 << 62);
/// The flag of an app user with a `userId`.
pub const IDENTIFIED: i64 = 1;
/// The flag of an app user whose conversation has started.
pub const STARTED: i64 = 2;

/// A time as a column stores it.
pub fn moment(moment: Option<i64>) -> i64 {
    moment.map_or(NONE, |moment| moment.max(NONE + 1))
}

/// The columns of one row. Times in µs since 1970.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// The row is the root of a group, and appears in lists.
    pub listed: bool,
    /// The time of the last event, or [`NONE`].
    pub last_seen: i64,
    /// The time of signing up, or [`NONE`].
    pub signed_up: i64,
    /// [`IDENTIFIED`] and [`STARTED`].
    pub flags: i64,
    /// The words of a search. Absent if the stored row has the same words, `listed` and `signed_up`.
    pub words: Option<String>,
}

impl Columns {
    /// Computes the columns of a record as it is now.
    pub fn of(directory: &WorkingSet, (app, id): &RecordKey, entry: &LoadedRecord) -> Self {
        let group = directory.group(app, id).filter(|group| group.root == id && !id.is_app());
        let Some(group) = group else {
            let words = Some(String::new());
            return Self { listed: false, last_seen: NONE, signed_up: NONE, flags: 0, words };
        };
        let before = entry.before.as_ref().and_then(Option::as_ref);
        let known = before.is_some_and(|before| SearchTerms::are_the_same(before, &entry.now));
        let words = (!known).then(|| search_words::row(app, &SearchTerms::of(&group)));
        Self { words, ..Self::moments(&group) }
    }

    /// Whether stored columns are those of a record. Programs before words were bounded stored more of them.
    pub fn are_those_of(&self, directory: &WorkingSet, key: &RecordKey, entry: &LoadedRecord) -> bool {
        let expected = Self::of(directory, key, entry);
        let has_unbounded_words = match (&self.words, &expected.words) {
            (Some(stored), Some(words)) => search_words::are_unbounded(stored, words),
            _ => false,
        };
        let words = if has_unbounded_words { self.words.clone() } else { expected.words };
        *self == Self { words, ..expected }
    }

    fn moments(group: &MergeGroup<'_>) -> Self {
        let SortKeys { last_seen, signed_up, identified, started } = SortKeys::of(group);
        let flag = |set: bool, flag: i64| if set { flag } else { 0 };
        Self {
            listed: true,
            last_seen: moment(last_seen),
            signed_up: moment(signed_up),
            flags: flag(identified, IDENTIFIED) | flag(started, STARTED),
            words: None,
        }
    }
}
