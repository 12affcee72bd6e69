//! Whom a list is for: who fits, and whether an index says that few can.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::Usable;
use crate::domain::list::{Query, Sort, Span};
use crate::domain::{AppId, Field, SmoochId, View, json_text};
use crate::format::list_columns::{IDENTIFIED, NONE, STARTED};
use crate::format::search_words::Wanted;
use crate::store::sqlite::Result;
use crate::store::sqlite::derived::derived_error;
use crate::store::sqlite::load::Loader;
use crate::store::sqlite::reader::show;

/// So many are sorted rather than walked past.
const FEW: usize = 2000;

/// The columns that [`Found`] and [`Lister::fits`] read.
pub(super) const COLUMNS: &str = "a.id, a.listed, a.last_seen, a.signed_up, a.flags, a.words";

/// A row of `app_users`, and what it is sorted by.
pub(super) struct Found {
    pub(super) id: SmoochId,
    pub(super) key: i64,
}

impl Found {
    pub(super) fn read(row: &Row<'_>, sort: Sort) -> rusqlite::Result<Self> {
        let key = match sort {
            Sort::Id => 0,
            Sort::LastSeen => row.get(2)?,
            Sort::SignedUp => row.get(3)?,
        };
        Ok(Self { id: row.get_ref(0)?.as_str()?.into(), key })
    }
}

/// Someone who fits.
pub(super) type Shown = (Found, View);

/// Whom a query is for.
pub(super) struct Lister<'c> {
    pub(super) conn: &'c Connection,
    pub(super) app: &'c AppId,
    pub(super) query: &'c Query,
    pub(super) wanted: Wanted,
    pub(super) usable: Usable,
}

impl Lister<'_> {
    /// The app user of a row, if it fits. Only whose columns fit is read whole.
    pub(super) fn fits(&self, row: &Row<'_>, found: &Found) -> Result<Option<View>> {
        if !self.columns_fit(row)? {
            return Ok(None);
        }
        let filter = &self.query.filter;
        let has = |view: &View| {
            let shows = |field: Field, text: &Option<String>| {
                text.as_deref().is_none_or(|text| view.get(&field) == Some(&json_text(text)))
            };
            filter.properties.iter().all(|(key, value)| view.has_property(key, value))
                && shows(Field::UserId, &filter.user_id)
                && shows(Field::Email, &filter.email)
                && filter.brand.as_deref().is_none_or(|brand| view.brand().as_deref() == Some(brand))
                && filter.identity_email.as_deref().is_none_or(|email| view.has_identity_email(email))
                && (filter.client.is_of_any_version()
                    || view.clients.values().any(|client| filter.client.has(client)))
        };
        Ok(self.show(&found.id)?.filter(has))
    }

    /// Whether a row fits, as far as its columns tell.
    pub(super) fn columns_fit(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        let filter = &self.query.filter;
        let moment =
            |column| row.get(column).map(|moment: i64| Some(moment).filter(|moment| *moment != NONE));
        let flags: i64 = row.get(4)?;
        let flag = |asked: Option<bool>, flag: i64| asked.is_none_or(|asked| asked == (flags & flag != 0));
        Ok(row.get(1)?
            && filter.seen.has(moment(2)?)
            && filter.signed_up.has(moment(3)?)
            && flag(filter.identified, IDENTIFIED)
            && flag(filter.started, STARTED)
            && self.wanted.fit(row.get_ref(5)?.as_str_or_null()?.unwrap_or("")))
    }

    /// The app user with this rowid, if it fits.
    pub(super) fn by_rowid(&self, user: i64) -> Result<Option<Shown>> {
        let sql = format!("SELECT {COLUMNS} FROM app_users a WHERE rowid = ?1");
        let mut select = self.conn.prepare_cached(&sql)?;
        let mut rows = select.query([user])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let found = Found::read(row, self.query.sort)?;
        Ok(self.fits(row, &found)?.map(|view| (found, view)))
    }

    /// Who an `_id` is. A page is bounded, what a loader keeps is not: so each has their own.
    fn show(&self, id: &SmoochId) -> Result<Option<View>> {
        show(&mut Loader::new(self.conn, None, usize::MAX), self.app, id)
    }

    /// Everybody who can fit, if an index says that they are few.
    pub(super) fn few(&self) -> Result<Option<BTreeSet<i64>>> {
        let (filter, app, conn) = (&self.query.filter, self.app, self.conn);
        if self.wanted.nobody {
            return Ok(Some(BTreeSet::new()));
        }
        if let Some(user_id) = &filter.user_id {
            return self.carriers(user_id).map(Some);
        }
        let few = |name, sql: &str, params: &[&dyn ToSql]| -> Result<Option<BTreeSet<i64>>> {
            let mut select =
                conn.prepare_cached(&format!("{sql} LIMIT {}", FEW + 1)).map_err(derived_error(name))?;
            let rows = select.query_map(params, |row| row.get(0)).map_err(derived_error(name))?;
            let rows: Vec<i64> = rows.collect::<rusqlite::Result<_>>().map_err(derived_error(name))?;
            Ok((rows.len() <= FEW).then(|| rows.into_iter().collect()))
        };
        if self.usable.search
            && let Some(words) = self.wanted.expression()
            && let Some(found) = few("search", "SELECT rowid FROM search WHERE search MATCH ?1", &[&words])?
        {
            return Ok(Some(found));
        }
        let in_span = |name, sql: &str, span: &Span| {
            let (since, before) = (span.since.unwrap_or(NONE + 1), span.before.unwrap_or(i64::MAX));
            few(name, sql, &[&app.as_str(), &since, &before])
        };
        let by_seen = "SELECT user FROM seen WHERE app = ?1 AND last_seen >= ?2 AND last_seen < ?3";
        if self.query.sort != Sort::LastSeen
            && self.usable.seen
            && !filter.seen.is_open()
            && let Some(found) = in_span("seen", by_seen, &filter.seen)?
        {
            return Ok(Some(found));
        }
        let by_signed_up = "SELECT rowid FROM app_users INDEXED BY signed_up
                            WHERE app = ?1 AND signed_up >= ?2 AND signed_up < ?3 AND listed";
        if self.query.sort != Sort::SignedUp && !filter.signed_up.is_open() {
            return in_span("indexes", by_signed_up, &filter.signed_up);
        }
        Ok(None)
    }

    /// Whoever may show a `userId`.
    fn carriers(&self, user_id: &str) -> Result<BTreeSet<i64>> {
        let mut users = BTreeSet::new();
        let claimants =
            Loader::new(self.conn, None, usize::MAX).claimants(self.app, "userId", &json_text(user_id))?;
        for id in claimants {
            let Some(view) = self.show(&id)? else { continue };
            let sql = "SELECT rowid FROM app_users WHERE app = ?1 AND id = ?2";
            let mut select = self.conn.prepare_cached(sql)?;
            let user =
                select.query_row(params![self.app.as_str(), view.id.as_str()], |row| row.get::<_, i64>(0));
            users.extend(user.optional()?);
        }
        Ok(users)
    }
}
