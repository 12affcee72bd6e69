//! What stands beside a record in its row, for lists and searches: of the root of a group what the whole
//! group shows, of anybody else nothing.

use super::search;
use crate::domain::{Directory, Entry, Group, Key, Summary, Traits};

/// No moment: less than any.
pub(super) const NONE: i64 = -(1 << 62);
/// It has a `userId`.
pub(super) const IDENTIFIED: i64 = 1;
/// Its conversation has started.
pub(super) const STARTED: i64 = 2;

/// A moment as a column has it.
pub(super) fn moment(moment: Option<i64>) -> i64 {
    moment.map_or(NONE, |moment| moment.max(NONE + 1))
}

/// See the module.
#[derive(PartialEq)]
pub(super) struct Columns {
    pub(super) listed: bool,
    pub(super) last_seen: i64,
    pub(super) signed_up: i64,
    pub(super) flags: i64,
    /// Nothing where the row has them already, and is listed with the same `signed_up`.
    pub(super) words: Option<String>,
}

impl Columns {
    /// Of a record as it is now.
    pub(super) fn of(directory: &Directory, (app, id): &Key, entry: &Entry) -> Self {
        let group = directory.group(app, id).filter(|group| group.root == id && !id.is_app());
        let Some(group) = group else {
            let words = Some(String::new());
            return Self { listed: false, last_seen: NONE, signed_up: NONE, flags: 0, words };
        };
        let before = entry.before.as_ref().and_then(Option::as_ref);
        let known = before.is_some_and(|before| Traits::are_the_same(before, &entry.now));
        let words = (!known).then(|| search::row(app, &Traits::of(&group)));
        Self { words, ..Self::moments(&group) }
    }

    fn moments(group: &Group<'_>) -> Self {
        let Summary { last_seen, signed_up, identified, started } = Summary::of(group);
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
