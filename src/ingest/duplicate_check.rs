//! Duplicate check against the journal, for events that a record's recent events cannot decide.
//!
//! The journal of a subject (an app user, or an app) is read backwards once, as far as needed. Its digests stay in
//! memory and every commit adds to them, so each entry is read once, however many duplicates come.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::directory::batch::Link;
use crate::domain::{Digest, RecordKey};
use crate::store::{Entry, Result, Seq};

/// Maximum number of entries in memory of one subject. A duplicate of an older event is applied again.
const MAX_PER_SUBJECT: usize = 1 << 18;
/// Maximum number of entries in memory, about 60 bytes each. Beyond it all are dropped and read again.
const MAX_ENTRIES: usize = 1 << 19;
const PAGE: usize = 256;

/// Digests of the journal, by subject.
#[derive(Debug, Default)]
pub(super) struct JournalIndex {
    subjects: HashMap<RecordKey, SubjectIndex>,
    /// Entries of all subjects.
    len: usize,
}

/// Digests of one subject's latest entries.
#[derive(Debug, Default)]
struct SubjectIndex {
    /// Receive time, in ms since 1970, and digest of each entry, the oldest first.
    entries: VecDeque<(i64, Digest)>,
    /// The time of the last receipt of each event.
    last: HashMap<Digest, i64>,
    /// The entry before the oldest, if it is still to be read.
    next: Option<Seq>,
}

impl JournalIndex {
    /// True if the journal of `subject` has this event, received at `since` or later. `head` is the subject's last
    /// committed entry. `read` returns entries backwards from a number: as many as asked for, fewer only at the end.
    pub(super) fn contains(
        &mut self,
        (subject, head): (&RecordKey, Option<Seq>),
        digest: &Digest,
        since: i64,
        read: impl FnMut(Seq, usize) -> Result<Vec<Link>>,
    ) -> Result<bool> {
        if self.len > MAX_ENTRIES {
            *self = Self::default();
        }
        let new = || SubjectIndex { next: head, ..SubjectIndex::default() };
        let of_subject = self.subjects.entry(subject.clone()).or_insert_with(new);
        self.len -= of_subject.entries.len();
        of_subject.drop_before(since);
        let found = of_subject.contains(digest, read);
        self.len += of_subject.entries.len();
        found
    }

    /// Adds committed entries to the subjects in memory.
    pub(super) fn add_committed(&mut self, committed: &[Entry]) {
        if self.subjects.is_empty() {
            return;
        }
        for entry in committed {
            for (user, _) in &entry.users {
                let Some(of_subject) = self.subjects.get_mut(&(entry.app.clone(), user.clone())) else {
                    continue;
                };
                self.len -= of_subject.entries.len();
                of_subject.push(entry.received, entry.digest);
                self.len += of_subject.entries.len();
            }
        }
    }
}

impl SubjectIndex {
    fn contains(
        &mut self,
        digest: &Digest,
        mut read: impl FnMut(Seq, usize) -> Result<Vec<Link>>,
    ) -> Result<bool> {
        while !self.last.contains_key(digest) {
            let Some(from) = self.next else { return Ok(false) };
            self.extend(&read(from, PAGE)?);
        }
        Ok(true)
    }

    fn extend(&mut self, older: &[Link]) {
        for link in older {
            self.entries.push_front((link.received, link.digest));
            self.last.entry(link.digest).or_insert(link.received);
        }
        let more = older.len() == PAGE && self.entries.len() < MAX_PER_SUBJECT;
        self.next = older.last().filter(|_| more).and_then(|link| link.previous);
    }

    fn push(&mut self, received: i64, digest: Digest) {
        self.entries.push_back((received, digest));
        self.last.insert(digest, received);
        if self.entries.len() > MAX_PER_SUBJECT {
            self.drop_oldest();
        }
    }

    fn drop_before(&mut self, since: i64) {
        while self.entries.front().is_some_and(|(received, _)| *received < since) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((received, digest)) = self.entries.pop_front() else { return };
        if self.last.get(&digest) == Some(&received) {
            self.last.remove(&digest);
        }
        // Entries before the oldest are older still.
        self.next = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::SmoochId;
    use crate::store::{Outcome, Source};

    fn digest(n: u64) -> Digest {
        std::array::from_fn(|at| n.to_le_bytes()[at % 8])
    }

    fn app() -> RecordKey {
        ("app".into(), SmoochId::APP.into())
    }

    /// A journal in which entry n was received at n ms; counts what is read of it.
    #[derive(Default)]
    struct Journal {
        head: Seq,
        read: usize,
    }

    impl Journal {
        fn contains(&mut self, index: &mut JournalIndex, n: u64, since: i64) -> bool {
            let head = Some(self.head).filter(|head| *head > 0);
            let read = |from: Seq, most: usize| {
                let numbers = (1..=from).rev().take_while(|n| *n as i64 >= since).take(most);
                let link =
                    |n: Seq| Link { digest: digest(n), received: n as i64, previous: (n > 1).then(|| n - 1) };
                let links: Vec<Link> = numbers.map(link).collect();
                self.read += links.len();
                Ok(links)
            };
            index.contains((&app(), head), &digest(n), since, read).unwrap()
        }

        fn append(&mut self, index: &mut JournalIndex) {
            self.head += 1;
            index.add_committed(&[Entry {
                source: Source::Webhook,
                seq: self.head,
                app: app().0,
                received: self.head as i64,
                event_time: None,
                trigger: Arc::from("test"),
                outcome: Outcome::Kept,
                digest: digest(self.head),
                users: vec![(app().1, None)],
                body: 0,
                place: 0,
            }]);
        }
    }

    #[test]
    fn an_entry_is_read_once_however_many_duplicates_come() {
        let (mut index, mut journal) = (JournalIndex::default(), Journal { head: 50_000, read: 0 });
        assert!(journal.contains(&mut index, 50_000, 0));
        assert_eq!(journal.read, PAGE, "no further than needed");
        for n in 1..=50_000 {
            assert!(journal.contains(&mut index, n, 0), "{n}");
            assert!(!journal.contains(&mut index, 1_000_000 + n, 0), "{n}");
        }
        for n in 50_001..=60_000 {
            assert!(!journal.contains(&mut index, n, 0), "{n}");
            journal.append(&mut index);
            assert!(journal.contains(&mut index, n, 0), "{n}");
        }
        assert_eq!(journal.read, 50_000);
    }

    #[test]
    fn older_entries_than_asked_for_are_neither_read_nor_stored() {
        let (mut index, mut journal) = (JournalIndex::default(), Journal { head: 10_000, read: 0 });
        assert!(journal.contains(&mut index, 9_000, 9_000) && !journal.contains(&mut index, 8_999, 9_000));
        assert_eq!(journal.read, 1_001);
        assert!(!journal.contains(&mut index, 9_500, 9_501) && journal.contains(&mut index, 9_501, 9_501));
        assert_eq!((journal.read, index.len), (1_001, 500));
    }

    #[test]
    fn a_subject_beyond_the_limit_drops_its_oldest() {
        let head = MAX_PER_SUBJECT as u64 + 1_000;
        let (mut index, mut journal) = (JournalIndex::default(), Journal { head, read: 0 });
        assert!(!journal.contains(&mut index, 1, 0) && journal.contains(&mut index, head, 0));
        assert_eq!((journal.read, index.len), (MAX_PER_SUBJECT, MAX_PER_SUBJECT));
        journal.append(&mut index);
        assert_eq!(index.len, MAX_PER_SUBJECT);
        assert!(journal.contains(&mut index, head + 1, 0) && !journal.contains(&mut index, 1_001, 0));
        assert_eq!(journal.read, MAX_PER_SUBJECT);
    }

    #[test]
    fn many_subjects_are_dropped_together_and_read_again() {
        let mut index = JournalIndex::default();
        for user in 0..4 {
            let key: RecordKey = ("app".into(), format!("{user}").as_str().into());
            let read = |from: Seq, most: usize| {
                let link =
                    |n: Seq| Link { digest: digest(n), received: 0, previous: Some(n.saturating_sub(1)) };
                Ok((0..most as u64).map(|back| link(from.saturating_sub(back))).collect())
            };
            for asked in 0..2 {
                assert!(
                    !index.contains((&key, Some(1 << 20)), &digest(1 << 40), 0, read).unwrap(),
                    "{asked}"
                );
                assert!(index.len <= MAX_ENTRIES + MAX_PER_SUBJECT, "{}", index.len);
            }
        }
        assert!(index.subjects.len() < 4);
    }
}
