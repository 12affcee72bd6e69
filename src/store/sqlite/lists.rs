//! Lists: an order is walked from a place on, or, where an index says that few can fit, those are looked
//! at and sorted.
//!
//! What an app user is sorted by can change while somebody reads. At a place (c, n) everybody who was
//! sorted before c at the time of move n has been told of, and nobody else. The moves since n take some
//! across c: whoever comes from behind it and is no longer behind it is told of at once, then the walk goes
//! on. So nobody is left out, and nobody is told of twice but who moves from before c to behind it.

mod lister;

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::derived::{Remaking, derived_error};
use super::epoch_marker;
use super::{Error, Result};
use crate::domain::list::{Filter, Query, Sort, Span};
use crate::domain::{AppId, SmoochId};
use crate::format::list_columns::NONE;
use crate::format::search_words::Wanted;
use crate::store::{Bounds, Counted, Epoch, Listed, Page, Place};
use lister::{COLUMNS, Found, Lister, Shown};

/// So many moves cost what looking at one row does.
const MOVES: usize = 10;

/// Bytes of app users beyond which a page takes no further one.
const PAGE_BYTES: usize = 4 << 20;

/// Reads a page; by the index of words only if that may be used. `conn` must be in a transaction: all is of one
/// moment.
pub(super) fn page(
    conn: &Connection,
    app: &AppId,
    query: &Query,
    after: Option<&Place>,
    bounds: Bounds,
    search: bool,
) -> Result<Listed> {
    let usable = Usable::of(conn, search)?;
    if query.sort == Sort::LastSeen && !usable.seen {
        return Err(Error::Remaking("seen"));
    }
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    let by_time = query.sort != Sort::Id;
    let moves = if by_time { number("SELECT max(n) FROM moves")?.unwrap_or(0) } else { 0 };
    let epoch = by_time.then(|| epoch_marker::read_epoch(conn)).transpose()?.map(|is| is.epoch);
    if let Some(after) = after.filter(|_| by_time)
        && (after.epoch != epoch
            || (after.moves > moves && after.moves != i64::MAX)
            || number("SELECT min(n) FROM moves")?.is_some_and(|oldest| after.moves < oldest - 1))
    {
        return Ok(Listed::Expired);
    }
    let upto = match after {
        Some(after) => after.upto,
        None if query.sort == Sort::LastSeen && !query.descending => latest(conn, app)?,
        None => i64::MAX,
    };
    let lister = Lister { conn, app, query, wanted: Wanted::of(app, &query.filter), usable };
    let mut listing = Listing { lister, page: Page::default(), bytes: 0, bounds, upto, moves, epoch };
    if let Some(after) = after.filter(|_| by_time)
        && listing.moved(after)?
    {
        return Ok(Listed::Page(listing.page));
    }
    match listing.lister.few()? {
        Some(few) => listing.sorted(&few, after)?,
        None => listing.walk(after)?,
    }
    Ok(Listed::Page(listing.page))
}

/// Counts whoever fits of the next app users after `after`, in the order of their `_id`s.
pub(super) fn count(
    conn: &Connection,
    app: &AppId,
    filter: &Filter,
    after: Option<&SmoochId>,
    looks: usize,
    search: bool,
) -> Result<Counted> {
    if *filter == Filter::default() {
        let sql = "SELECT count(*) FROM app_users INDEXED BY signed_up WHERE app = ?1 AND listed";
        let mut select = conn.prepare_cached(sql)?;
        let all: i64 = select.query_row([app.as_str()], |row| row.get(0))?;
        return Ok(Counted { fit: all as u64, next: None });
    }
    let query = Query { filter: filter.clone(), ..Query::default() };
    let wanted = Wanted::of(app, filter);
    let usable = Usable::of(conn, search)?;
    let lister = Lister { conn, app, query: &query, wanted, usable };
    if after.is_none()
        && let Some(few) = lister.few()?
    {
        let mut fit = 0;
        for user in few {
            fit += u64::from(lister.by_rowid(user)?.is_some());
        }
        return Ok(Counted { fit, next: None });
    }
    let sql = format!("SELECT {COLUMNS} FROM app_users a WHERE app = ?1 AND id > ?2 ORDER BY id LIMIT ?3");
    let mut select = conn.prepare_cached(&sql)?;
    let from = after.map_or(SmoochId::APP, SmoochId::as_str);
    let mut rows = select.query(params![app.as_str(), from, looks as i64])?;
    let in_columns = filter.properties.is_empty()
        && filter.user_id.is_none()
        && filter.brand.is_none()
        && filter.email.is_none()
        && filter.identity_email.is_none()
        && filter.client.is_of_any_version();
    let (mut fit, mut looked, mut last) = (0, 0, None);
    while let Some(row) = rows.next()? {
        looked += 1;
        let found = Found::read(row, Sort::Id)?;
        let fits = if in_columns { lister.columns_fit(row)? } else { lister.fits(row, &found)?.is_some() };
        fit += u64::from(fits);
        last = Some(found.id);
    }
    Ok(Counted { fit, next: last.filter(|_| looked == looks) })
}

/// The latest moment at which an app user of an app was seen.
fn latest(conn: &Connection, app: &AppId) -> Result<i64> {
    let sql = "SELECT max(last_seen) FROM seen WHERE app = ?1";
    let mut select = conn.prepare_cached(sql).map_err(derived_error("seen"))?;
    let latest: Option<i64> =
        select.query_row([app.as_str()], |row| row.get(0)).map_err(derived_error("seen"))?;
    Ok(latest.unwrap_or(NONE))
}

/// Which derived tables are whole.
#[derive(Clone, Copy)]
struct Usable {
    seen: bool,
    search: bool,
}

impl Usable {
    fn of(conn: &Connection, search: bool) -> Result<Self> {
        let remaking = Remaking::read(conn)?;
        Ok(Self { seen: remaking.seen.is_none(), search: search && remaking.search.is_none() })
    }
}

/// A page that is being read.
struct Listing<'c> {
    lister: Lister<'c>,
    page: Page,
    /// About the bytes of an answer that shows it.
    bytes: usize,
    bounds: Bounds,
    upto: i64,
    moves: i64,
    epoch: Option<Epoch>,
}

impl Listing<'_> {
    fn place(&self, key: i64, id: &SmoochId) -> Place {
        Place { key, id: id.clone(), upto: self.upto, moves: self.moves, epoch: self.epoch }
    }

    fn is_full(&self) -> bool {
        self.page.users.len() >= self.bounds.limit || self.bytes >= PAGE_BYTES
    }

    /// Takes someone into the page; whether there was room.
    fn take(&mut self, (found, view): Shown) -> bool {
        if self.is_full() {
            self.page.next = self.page.ends.as_ref().map(|[_, last]| last.clone());
            return false;
        }
        self.bytes += view.bytes();
        let place = self.place(found.key, &found.id);
        let first = self.page.ends.take().map_or_else(|| place.clone(), |[first, _]| first);
        self.page.ends = Some([first, place]);
        self.page.users.push(view);
        true
    }

    /// Whether someone comes after a place.
    fn is_behind(&self, key: i64, id: &SmoochId, place: &Place) -> bool {
        let (one, other) = ((key, id), (place.key, &place.id));
        if self.lister.query.descending { one < other } else { one > other && key <= self.upto }
    }

    /// Tells of whoever has moved past the place; whether the page ends with them.
    fn moved(&mut self, after: &Place) -> Result<bool> {
        let sort = match self.lister.query.sort {
            Sort::SignedUp => "signedUpAt",
            Sort::LastSeen | Sort::Id => "lastSeen",
        };
        let sql =
            "SELECT n, app = ?1 AND sort = ?2, id, user, before, now FROM moves WHERE n > ?3 ORDER BY n";
        let conn = self.lister.conn;
        let mut select = conn.prepare_cached(sql)?;
        let mut rows = select.query(params![self.lister.app.as_str(), sort, after.moves])?;
        let mut looks = self.bounds.looks.saturating_mul(MOVES);
        while let Some(row) = rows.next()? {
            let n: i64 = row.get(0)?;
            let past = || -> rusqlite::Result<Option<i64>> {
                let id: SmoochId = row.get_ref(2)?.as_str()?.into();
                let now: Option<i64> = row.get(5)?;
                let behind = |key| self.is_behind(key, &id, after);
                let past = row.get(1)? && behind(row.get(4)?) && now.is_some_and(|now| !behind(now));
                past.then(|| row.get(3)).transpose()
            };
            if let Some(user) = past()?
                && let Some(shown) = self.lister.by_rowid(user)?
            {
                self.take(shown);
            }
            looks = looks.saturating_sub(1);
            if self.is_full() || looks == 0 {
                self.page.next = Some(Place { moves: n, ..after.clone() });
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Goes on with these, who are all there can be.
    fn sorted(&mut self, users: &BTreeSet<i64>, after: Option<&Place>) -> Result<()> {
        let mut all = Vec::new();
        for user in users {
            let Some(shown) = self.lister.by_rowid(*user)? else { continue };
            let (Found { key, id, .. }, _) = &shown;
            if after.map_or(*key <= self.upto, |after| self.is_behind(*key, id, after)) {
                all.push(shown);
            }
        }
        all.sort_by(|(one, _), (other, _)| (one.key, &one.id).cmp(&(other.key, &other.id)));
        if self.lister.query.descending {
            all.reverse();
        }
        for shown in all {
            if !self.take(shown) {
                break;
            }
        }
        Ok(())
    }

    /// Goes on along the order.
    fn walk(&mut self, after: Option<&Place>) -> Result<()> {
        let (query, conn) = (self.lister.query, self.lister.conn);
        let (key, id) = after.map_or_else(|| start(query), |after| (after.key, after.id.as_str()));
        let sql = walk_sql(query, after.is_none());
        let name = if query.sort == Sort::LastSeen { "seen" } else { "indexes" };
        let mut select = conn.prepare_cached(&sql).map_err(derived_error(name))?;
        let looks = self.bounds.looks;
        let mut rows = select.query(params![self.lister.app.as_str(), key, id, looks as i64])?;
        let (mut looked, mut last) = (0, None);
        while let Some(row) = rows.next()? {
            looked += 1;
            let mut found = Found::read(row, query.sort)?;
            // Where the row stands in the order, and whether it is the app user's place.
            let at: i64 = row.get(6)?;
            let current = std::mem::replace(&mut found.key, at) == at;
            if at > self.upto || is_past(query, at) {
                return Ok(());
            }
            last = Some(self.place(at, &found.id));
            if current
                && let Some(view) = self.lister.fits(row, &found)?
                && !self.take((found, view))
            {
                return Ok(());
            }
        }
        if looked == looks {
            self.page.next = last;
        }
        Ok(())
    }
}

/// Where an order begins for a filter.
fn start(query: &Query) -> (i64, &'static str) {
    let span = span(query);
    if query.descending {
        (span.before.unwrap_or(i64::MAX), "")
    } else {
        (span.since.unwrap_or(i64::MIN), "")
    }
}

/// Whether nobody can fit from here on.
fn is_past(query: &Query, at: i64) -> bool {
    let span = span(query);
    if query.descending {
        span.since.is_some_and(|since| at < since)
    } else {
        span.before.is_some_and(|before| at >= before)
    }
}

/// The part of the order in which the filter can fit.
fn span(query: &Query) -> Span {
    match query.sort {
        Sort::Id => Span::default(),
        Sort::LastSeen => query.filter.seen,
        Sort::SignedUp => query.filter.signed_up,
    }
}

fn walk_sql(query: &Query, from_the_start: bool) -> String {
    let (beyond, direction) = if query.descending { ("<", "DESC") } else { (">", "ASC") };
    match query.sort {
        // The app's own record has the least `_id` of all, and is not listed.
        Sort::Id if from_the_start => format!(
            "SELECT {COLUMNS}, 0 FROM app_users a WHERE app = ?1 AND ?2 = ?2 AND ?3 = ?3
             ORDER BY id {direction} LIMIT ?4"
        ),
        Sort::Id => format!(
            "SELECT {COLUMNS}, 0 FROM app_users a WHERE app = ?1 AND ?2 = ?2 AND id {beyond} ?3
             ORDER BY id {direction} LIMIT ?4"
        ),
        Sort::LastSeen => format!(
            "SELECT {COLUMNS}, s.last_seen FROM seen s CROSS JOIN app_users a ON a.rowid = s.user
             WHERE s.app = ?1 AND (s.last_seen, s.id) {beyond} (?2, ?3)
             ORDER BY s.last_seen {direction}, s.id {direction} LIMIT ?4"
        ),
        Sort::SignedUp => format!(
            "SELECT {COLUMNS}, a.signed_up FROM app_users a INDEXED BY signed_up
             WHERE app = ?1 AND listed AND (signed_up, id) {beyond} (?2, ?3)
             ORDER BY signed_up {direction}, id {direction} LIMIT ?4"
        ),
    }
}
