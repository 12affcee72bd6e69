//! Pages of lists. The reader walks the order of the list, or, if an index finds few candidates, sorts those.
//!
//! The sort key of an app user can change while a caller reads page after page. Invariant of a cursor (key, n): every
//! app user whose key was before `key` at move n has been returned, and no other. To resume, the reader first returns
//! the app users that moved from behind `key` to before it since n, then continues the walk. So none is left out,
//! and only one that moves from before `key` to behind it is returned twice.

mod filter;

use std::collections::BTreeSet;
use std::time::Instant;

use super::list_page::{CountResult, ListCursor, ListPage, ListResult, ScanLimits};
use super::reader::DirectoryReader;
use crate::domain::list::{Filter, Query, Sort, TimeRange};
use crate::domain::{AppId, SmoochId};
use crate::format::list_columns::NONE;
use crate::format::search_words::Wanted;
use crate::store::rows::{ListOrder, Rows};
use crate::store::tables::Move;
use crate::store::{Epoch, Error, ReadRow as _, Result};
use filter::{ListIndexes, Match, Matcher};

/// The number of moves that cost as much as reading one row.
const MOVES: usize = 10;

const MOVES_STEP: usize = 1000;

/// Rows that are read at once, after the first time.
const STEP: usize = 256;

/// Bytes of app users beyond which a page takes no further one.
const PAGE_BYTES: usize = 4 << 20;

impl DirectoryReader {
    /// A page of a list.
    ///
    /// Whatever is written meanwhile, an app user that matches throughout is on one page of a list; on a second one
    /// only if its sort key changes to one that is still to come. Pages that are read backwards ignore moves.
    pub fn read_list(
        &self,
        app: &AppId,
        query: &Query,
        after: Option<&ListCursor>,
        limits: ScanLimits,
    ) -> Result<ListResult> {
        let rows = self.snapshot()?;
        self.with_indexes(|search| read_list(&*rows, app, query, after, limits, search))
    }

    /// Counts the matching app users among the next `looks` after `after`, in the order of their `_id`s; or all of
    /// them, if that takes no longer.
    pub fn count_list(
        &self,
        app: &AppId,
        filter: &Filter,
        after: Option<&SmoochId>,
        looks: usize,
    ) -> Result<CountResult> {
        let rows = self.snapshot()?;
        self.with_indexes(|search| count_list(&*rows, app, filter, after, looks, search))
    }
}

/// Reads a page; by the index of words only with `search`.
fn read_list(
    rows: &dyn Rows,
    app: &AppId,
    query: &Query,
    after: Option<&ListCursor>,
    limits: ScanLimits,
    search: bool,
) -> Result<ListResult> {
    let indexes = usable(rows, search)?;
    if query.sort == Sort::LastSeen && !indexes.has_last_seen {
        return Err(Error::Remaking("seen"));
    }
    let by_time = query.sort != Sort::Id;
    let (oldest, last) = if by_time { move_range(rows)? } else { (None, None) };
    let moves = last.unwrap_or(0);
    let epoch = by_time.then(|| rows.feed_epoch()).transpose()?.map(|is| is.epoch);
    if let Some(after) = after.filter(|_| by_time)
        && (after.epoch != epoch
            || (after.moves > moves && after.moves != i64::MAX)
            || oldest.is_some_and(|oldest| after.moves < oldest - 1))
    {
        return Ok(ListResult::Expired);
    }
    let upto = match after {
        Some(after) => after.upto,
        None if query.sort == Sort::LastSeen && !query.descending => latest_seen(rows, app)?.unwrap_or(NONE),
        None => i64::MAX,
    };
    let matcher = Matcher { rows, app, query, wanted: Wanted::of(app, &query.filter), indexes };
    let mut reading = PageRead { matcher, page: ListPage::default(), bytes: 0, limits, upto, moves, epoch };
    if let Some(after) = after.filter(|_| by_time)
        && reading.moved(after)?
    {
        return Ok(ListResult::Page(reading.page));
    }
    match reading.matcher.candidates()? {
        Some(few) => reading.sort(&few, after)?,
        None => reading.walk(after)?,
    }
    Ok(ListResult::Page(reading.page))
}

fn count_list(
    rows: &dyn Rows,
    app: &AppId,
    filter: &Filter,
    after: Option<&SmoochId>,
    looks: usize,
    search: bool,
) -> Result<CountResult> {
    if *filter == Filter::default() {
        return Ok(CountResult { fit: rows.count_listed(Some(app))?, next: None });
    }
    let query = Query { filter: filter.clone(), ..Query::default() };
    let indexes = usable(rows, search)?;
    let matcher = Matcher { rows, app, query: &query, wanted: Wanted::of(app, filter), indexes };
    if after.is_none()
        && let Some(few) = matcher.candidates()?
    {
        let mut fit = 0;
        for user in few {
            fit += u64::from(matcher.by_row(user)?.is_some());
        }
        return Ok(CountResult { fit, next: None });
    }
    let order = ListOrder { sort: Sort::Id, descending: false };
    let (mut fit, mut looked) = (0, 0);
    let mut last = after.map_or(SmoochId::from(SmoochId::APP), SmoochId::clone);
    while looked < looks {
        let step = rows.walk_order(app, order, Some((0, last.as_str())), STEP.min(looks - looked))?;
        let Some(end) = step.last().map(|(_, row)| row.id.clone()) else { break };
        (looked, last) = (looked + step.len(), end);
        for (_, row) in &step {
            let fits =
                matcher.columns_match(row) && (matcher.is_in_columns() || matcher.matches(row)?.is_some());
            fit += u64::from(fits);
        }
    }
    Ok(CountResult { fit, next: Some(last).filter(|_| looked == looks) })
}

/// Which indexes may be used.
fn usable(rows: &dyn Rows, search: bool) -> Result<ListIndexes> {
    let remaking = rows.remaking()?;
    let is_whole = |name| remaking.iter().all(|progress| progress.table != name);
    Ok(ListIndexes { has_last_seen: is_whole("seen"), has_words: search && is_whole("search") })
}

/// The numbers of the oldest stored move and of the last one.
fn move_range(rows: &dyn Rows) -> Result<(Option<i64>, Option<i64>)> {
    let (oldest, last) = (Move::select().first(rows)?, Move::select().descending().first(rows)?);
    Ok((oldest.map(|oldest| oldest.n), last.map(|last| last.n)))
}

/// The latest time of an event of an app user of an app, in µs since 1970.
fn latest_seen(rows: &dyn Rows, app: &AppId) -> Result<Option<i64>> {
    let order = ListOrder { sort: Sort::LastSeen, descending: true };
    Ok(rows.walk_order(app, order, Some((i64::MAX, "")), 1)?.first().map(|(time, _)| *time))
}

struct PageRead<'c> {
    matcher: Matcher<'c>,
    page: ListPage,
    /// The bytes of an answer that shows it, roughly.
    bytes: usize,
    limits: ScanLimits,
    upto: i64,
    moves: i64,
    epoch: Option<Epoch>,
}

impl PageRead<'_> {
    fn place(&self, key: i64, id: &SmoochId) -> ListCursor {
        ListCursor { key, id: id.clone(), upto: self.upto, moves: self.moves, epoch: self.epoch }
    }

    fn is_full(&self) -> bool {
        self.page.users.len() >= self.limits.limit || self.bytes >= PAGE_BYTES
    }

    /// Adds an app user to the page, if there is room.
    fn take(&mut self, (key, id, view): Match) -> bool {
        if self.is_full() {
            self.page.next = self.page.ends.as_ref().map(|[_, last]| last.clone());
            return false;
        }
        self.bytes += view.bytes();
        let place = self.place(key, &id);
        let first = self.page.ends.take().map_or_else(|| place.clone(), |[first, _]| first);
        self.page.ends = Some([first, place]);
        self.page.users.push(view);
        true
    }

    /// Whether an app user comes after a cursor.
    fn is_behind(&self, key: i64, id: &SmoochId, place: &ListCursor) -> bool {
        let (one, other) = ((key, id), (place.key, &place.id));
        if self.matcher.query.descending { one < other } else { one > other && key <= self.upto }
    }

    /// Returns the app users that moved past the cursor; whether the page ends with them.
    fn moved(&mut self, after: &ListCursor) -> Result<bool> {
        let (rows, app, sort) = (self.matcher.rows, self.matcher.app, self.matcher.query.sort);
        let mut looks = self.limits.looks.saturating_mul(MOVES);
        let mut at = after.moves;
        loop {
            let moves = Move::select().after(&at).limit(MOVES_STEP.min(looks)).read(rows)?;
            for moved in moves.iter().filter(|moved| moved.app == *app && moved.sort == sort) {
                let behind = |key| self.is_behind(key, &moved.id, after);
                let is_past = behind(moved.before) && moved.now.is_some_and(|now| !behind(now));
                if is_past && let Some(found) = self.matcher.by_row(moved.row)? {
                    self.take(found);
                }
                if self.is_full() {
                    self.page.next = Some(ListCursor { moves: moved.n, ..after.clone() });
                    return Ok(true);
                }
            }
            let Some(last) = moves.last() else { return Ok(false) };
            (at, looks) = (last.n, looks - moves.len());
            if looks == 0 {
                self.page.next = Some(ListCursor { moves: at, ..after.clone() });
                return Ok(true);
            }
        }
    }

    /// Adds the candidates, in the order of the list.
    fn sort(&mut self, users: &BTreeSet<i64>, after: Option<&ListCursor>) -> Result<()> {
        self.page.looked = users.len();
        let mut all = Vec::new();
        for user in users {
            let Some(found) = self.matcher.by_row(*user)? else { continue };
            let (key, id, _) = &found;
            if after.map_or(*key <= self.upto, |after| self.is_behind(*key, id, after)) {
                all.push(found);
            }
        }
        all.sort_by(|(one, one_id, _), (other, other_id, _)| (one, one_id).cmp(&(other, other_id)));
        if self.matcher.query.descending {
            all.reverse();
        }
        for found in all {
            if !self.take(found) {
                break;
            }
        }
        Ok(())
    }

    /// Walks along the order.
    fn walk(&mut self, after: Option<&ListCursor>) -> Result<()> {
        let (query, rows) = (self.matcher.query, self.matcher.rows);
        let order = ListOrder { sort: query.sort, descending: query.descending };
        let mut at = match after {
            Some(after) => Some((after.key, after.id.clone())),
            None if query.sort == Sort::Id => None,
            None => Some(start(query)),
        };
        let (mut looked, mut last) = (0, None);
        let mut step = self.limits.limit.saturating_add(1);
        let began = Instant::now();
        while looked < self.limits.looks && (looked == 0 || began.elapsed() < self.limits.time) {
            let behind = at.as_ref().map(|(key, id)| (*key, id.as_str()));
            let limit = step.min(self.limits.looks - looked);
            let found = rows.walk_order(self.matcher.app, order, behind, limit)?;
            let is_end = found.len() < limit;
            looked += found.len();
            for (key, row) in found {
                if key > self.upto || is_past(query, key) {
                    return Ok(());
                }
                last = Some(self.place(key, &row.id));
                at = Some((key, row.id.clone()));
                let is_current = key == row.key(query.sort);
                if is_current
                    && let Some(view) = self.matcher.matches(&row)?
                    && !self.take((key, row.id, view))
                {
                    return Ok(());
                }
                self.page.looked += 1;
            }
            if is_end {
                return Ok(());
            }
            step = STEP;
        }
        self.page.next = last;
        Ok(())
    }
}

/// Where an order begins for a filter.
fn start(query: &Query) -> (i64, SmoochId) {
    let span = span(query);
    let key = if query.descending { span.before.unwrap_or(i64::MAX) } else { span.since.unwrap_or(i64::MIN) };
    (key, SmoochId::from(""))
}

/// Whether no row matches from here on.
fn is_past(query: &Query, at: i64) -> bool {
    let span = span(query);
    if query.descending {
        span.since.is_some_and(|since| at < since)
    } else {
        span.before.is_some_and(|before| at >= before)
    }
}

/// The part of the order in which the filter can match.
fn span(query: &Query) -> TimeRange {
    match query.sort {
        Sort::Id => TimeRange::default(),
        Sort::LastSeen => query.filter.seen,
        Sort::SignedUp => query.filter.signed_up,
    }
}
