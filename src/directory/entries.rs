//! Pages of journal entries that meet conditions. A page looks at a bounded number of entries, so one of a rare kind may
//! have few of them and go on behind the last one looked at.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde::{Deserialize, Serialize};

use super::history::{JournalWalk, find_connected};
use super::reader::DirectoryReader;
use crate::domain::{AppId, SmoochId, timestamp};
use crate::store::rows::Rows;
use crate::store::tables::EntryTime;
use crate::store::{Entry, Outcome, ReadRow as _, Result, Seq};

/// Entries read at a time.
const PIECE: usize = 500;

/// The most links of a place, so that it fits into an address. The entries of more app users are found otherwise.
const MOST_LINKS: usize = 500;

/// An entry is stored at most this long after it was received, in ms. So a later entry may have been received earlier,
/// but not by more than this unless the clock was set back.
const LATENESS: i64 = 60_000;

/// A bound of a range of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryBound {
    /// The entry with this number.
    Entry(Seq),
    /// The time of receipt, in ms since 1970.
    Received(i64),
}

impl EntryBound {
    /// Parses a number of the journal, which is below 100,000,000,000, or a time as [`timestamp::parse_parameter`] takes
    /// it. `None` for other text. Numbers and times are not negative: a negative one would mean before everything.
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.parse().ok().filter(|number| *number < 100_000_000_000).map(Self::Entry);
        let time = || timestamp::parse_parameter(text).map(|time| Self::Received(time.div_euclid(1000)));
        number.or_else(time).filter(|_| !text.starts_with('-'))
    }
}

/// A range of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EntrySpan {
    /// The least number.
    pub from: Seq,
    /// The greatest number.
    #[serde(skip_serializing_if = "is_last")]
    pub to: Seq,
    /// The earliest time of receipt, in ms since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// The latest time of receipt, in ms since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_last(seq: &Seq) -> bool {
    *seq == EntrySpan::default().to
}

impl Default for EntrySpan {
    /// All entries.
    fn default() -> Self {
        Self { from: 0, to: i64::MAX as Seq, since: None, until: None }
    }
}

impl EntrySpan {
    /// The range between two bounds, both included; `None` if it ends before it begins.
    pub fn between(since: Option<EntryBound>, until: Option<EntryBound>) -> Option<Self> {
        let mut span = Self::default();
        match since {
            Some(EntryBound::Entry(seq)) => span.from = seq,
            Some(EntryBound::Received(time)) => span.since = Some(time),
            None => {}
        }
        match until {
            Some(EntryBound::Entry(seq)) => span.to = seq,
            Some(EntryBound::Received(time)) => span.until = Some(time),
            None => {}
        }
        let is_forwards =
            span.from <= span.to && span.since.zip(span.until).is_none_or(|(since, until)| since <= until);
        is_forwards.then_some(span)
    }

    /// Whether a row with this number and time of receipt is in it.
    pub fn has(&self, seq: Seq, received: i64) -> bool {
        (self.from..=self.to).contains(&seq)
            && self.since.is_none_or(|since| received >= since)
            && self.until.is_none_or(|until| received <= until)
    }

    /// The same with the numbers between which every entry with these times is. They are found by bisection: the times of
    /// receipt rise with the numbers, except by [`LATENESS`].
    fn with_numbers(self, rows: &dyn Rows) -> Result<Self> {
        let mut narrowed = self;
        if let Some(since) = self.since {
            narrowed.from = self.from.max(first_received(rows, since.saturating_sub(LATENESS))?);
        }
        if let Some(until) = self.until.filter(|until| until.checked_add(LATENESS + 1).is_some()) {
            let behind = first_received(rows, until + LATENESS + 1)?;
            narrowed.to = self.to.min(behind.saturating_sub(1));
        }
        Ok(narrowed)
    }
}

/// The number of the first entry that was received at this time or later, if all times rose; one behind the last if
/// there is none.
fn first_received(rows: &dyn Rows, time: i64) -> Result<Seq> {
    let Some(oldest) = EntryTime::select().first(rows)? else { return Ok(0) };
    let newest = EntryTime::select().descending().first(rows)?.map_or(oldest.seq, |entry| entry.seq);
    let (mut low, mut high) = (oldest.seq, newest + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        // There may be none with this very number.
        match EntryTime::select().from("seq", &middle).first(rows)? {
            Some(entry) if entry.received < time => low = entry.seq + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// Conditions on journal entries. All must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EntryQuery {
    /// The apps; `None` for all.
    pub apps: Option<BTreeSet<AppId>>,
    /// An app, and app users of it: the entry is about one of them.
    pub users: Option<(AppId, BTreeSet<SmoochId>)>,
    /// The trigger.
    pub trigger: Option<String>,
    /// Who told the event, as [`crate::store::Source::as_shown`] has it.
    pub source: Option<&'static str>,
    /// What was done with the event.
    pub outcome: Option<Outcome>,
    /// The range.
    pub span: EntrySpan,
    /// The order.
    pub oldest_first: bool,
}

impl EntryQuery {
    /// Whether an entry meets the conditions.
    pub fn admits(&self, entry: &Entry) -> bool {
        let is_about = |(app, users): &(AppId, BTreeSet<SmoochId>)| {
            entry.app == *app && entry.users.iter().any(|(id, _)| users.contains(id))
        };
        self.span.has(entry.seq, entry.received)
            && self.apps.as_ref().is_none_or(|apps| apps.contains(&entry.app))
            && self.trigger.as_ref().is_none_or(|trigger| **trigger == *entry.trigger)
            && self.source.is_none_or(|source| source == entry.source.as_shown())
            && self.outcome.is_none_or(|outcome| outcome == entry.outcome)
            && self.users.as_ref().is_none_or(is_about)
    }
}

/// Where a page ends and the next one begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPlace {
    /// The last entry that was looked at.
    last: Seq,
    /// Of a walk: the entries from which it goes on.
    links: BTreeSet<Seq>,
    /// Of a walk: the hash of the app users. If others were merged with them since, the links are found anew.
    users: u64,
}

/// A page of entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EntryPage {
    /// The entries, in the order of the query.
    pub entries: Vec<Entry>,
    /// How many entries were looked at.
    pub looked: usize,
    /// The start of the next page; none at the end.
    pub next: Option<EntryPlace>,
}

impl EntryPlace {
    /// The last entry that was looked at.
    pub fn last(&self) -> Seq {
        self.last
    }
}

impl DirectoryReader {
    /// The first page of a query, found by looking at one entry after the other. It looks at no more than `most`.
    pub fn scan_entries(&self, query: &EntryQuery, limit: usize, most: usize) -> Result<EntryPage> {
        let (rows, page) = (self.snapshot()?, EntryPage::default());
        let mut page = PageBuilder { rows: &*rows, query, after: None, limit, most, page, last: None };
        page.scan()?;
        Ok(page.page)
    }

    /// A page of at most `limit` entries after a place. It looks at no more than `most` entries, and at one at least.
    ///
    /// The entries of app users are found along their links, and not by looking at all.
    pub fn read_entries(
        &self,
        query: &EntryQuery,
        after: Option<&EntryPlace>,
        limit: usize,
        most: usize,
    ) -> Result<EntryPage> {
        let rows = self.snapshot()?;
        let span = query.span.with_numbers(&*rows)?;
        let query = &EntryQuery { span, ..query.clone() };
        let (page, most) = (EntryPage::default(), most.max(1));
        let mut page = PageBuilder { rows: &*rows, query, after, limit, most, page, last: None };
        match &query.users {
            Some((app, ids)) if !query.oldest_first && ids.len() <= MOST_LINKS => page.walk(app, ids)?,
            Some((app, ids)) => match self.find_entry_numbers_within(app, ids, most)? {
                Some(seqs) => page.pick(&seqs)?,
                None => page.scan()?,
            },
            None => page.scan()?,
        }
        Ok(page.page)
    }
}

/// A page in the making.
struct PageBuilder<'r> {
    rows: &'r dyn Rows,
    query: &'r EntryQuery,
    after: Option<&'r EntryPlace>,
    limit: usize,
    most: usize,
    page: EntryPage,
    last: Option<Seq>,
}

impl PageBuilder<'_> {
    /// Looks at the next entry; false if the page ends before it.
    fn look(&mut self, entry: Entry) -> bool {
        let is_shown = self.query.admits(&entry);
        if self.left() == 0 || is_shown && self.page.entries.len() == self.limit {
            return false;
        }
        self.page.looked += 1;
        self.last = Some(entry.seq);
        if is_shown {
            self.page.entries.push(entry);
        }
        true
    }

    /// How many more entries may be looked at.
    fn left(&self) -> usize {
        self.most.saturating_sub(self.page.looked)
    }

    /// Ends the page before the end of the list.
    fn end(&mut self, links: BTreeSet<Seq>, users: u64) {
        let last = self.last.or(self.after.map(|after| after.last));
        self.page.next = last.map(|last| EntryPlace { last, links, users });
    }

    /// The numbers of the entries that this page may have.
    fn range(&self) -> (Seq, Seq) {
        let EntrySpan { from, to, .. } = self.query.span;
        match self.after {
            Some(after) if self.query.oldest_first => (from.max(after.last + 1), to),
            Some(after) => (from, to.min(after.last.saturating_sub(1))),
            None => (from, to),
        }
    }

    /// Fills the page backwards along the links of app users.
    fn walk(&mut self, app: &AppId, ids: &BTreeSet<SmoochId>) -> Result<()> {
        let mut hasher = DefaultHasher::new();
        ids.iter().for_each(|id| id.as_str().hash(&mut hasher));
        let users = hasher.finish();
        let (from, to) = self.range();
        let known = self.after.filter(|after| after.users == users).map(|after| after.links.clone());
        let links = known.map_or_else(|| heads(self.rows, app, ids), Ok)?;
        let mut walk = JournalWalk::new(app, ids, links);
        while let Some(next) = walk.links().last().copied().filter(|next| *next >= from) {
            if self.left() == 0 {
                self.end(walk.into_links(), users);
                break;
            }
            let Some(entry) = walk.next(self.rows)? else { continue };
            // A newer one only leads to those of this page.
            if next > to {
                self.page.looked += 1;
            } else if !self.look(entry) {
                let mut links = walk.into_links();
                links.insert(next);
                self.end(links, users);
                break;
            }
        }
        Ok(())
    }

    /// Fills the page with the entries of these numbers.
    fn pick(&mut self, seqs: &BTreeSet<Seq>) -> Result<()> {
        let (from, to) = self.range();
        if from > to {
            return Ok(());
        }
        let mut seqs: Vec<Seq> = seqs.range(from..=to).copied().collect();
        if !self.query.oldest_first {
            seqs.reverse();
        }
        for piece in seqs.chunks(PIECE) {
            for entry in Entry::get(self.rows, piece)?.into_iter().flatten() {
                if !self.look(entry) {
                    self.end(BTreeSet::new(), 0);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Fills the page with the entries of the journal, one after the other.
    fn scan(&mut self) -> Result<()> {
        let (mut from, mut to) = self.range();
        loop {
            // One more than may be looked at, to see whether there are more.
            let select =
                Entry::select().from("seq", &from).up_to("seq", &to).limit(PIECE.min(self.left() + 1));
            let is_ascending = self.query.oldest_first;
            let piece = if is_ascending { select } else { select.descending() }.read(self.rows)?;
            let Some(last) = piece.last().map(|entry| entry.seq) else { return Ok(()) };
            for entry in piece {
                if !self.look(entry) {
                    self.end(BTreeSet::new(), 0);
                    return Ok(());
                }
            }
            if is_ascending { from = last + 1 } else { to = last.saturating_sub(1) }
        }
    }
}

/// The last entry of each of these app users.
fn heads(rows: &dyn Rows, app: &AppId, ids: &BTreeSet<SmoochId>) -> Result<BTreeSet<Seq>> {
    let list: Vec<SmoochId> = ids.iter().cloned().collect();
    let heads = find_connected(rows, app, &list)?.into_iter().filter(|(id, _)| ids.contains(id));
    Ok(heads.filter_map(|(_, head)| head).collect())
}
