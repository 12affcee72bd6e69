//! Which app users match a query, and whether an index finds few candidates.

use std::collections::BTreeSet;

use crate::directory::load::Loader;
use crate::directory::users::show;
use crate::domain::list::{Filter, Query, Sort, TimeRange};
use crate::domain::{AppId, Field, SmoochId, View, json_text};
use crate::format::list_columns::{IDENTIFIED, NONE, STARTED};
use crate::format::search_words::Wanted;
use crate::store::rows::Rows;
use crate::store::tables::{IdentifierKind, ListRow};
use crate::store::{ReadRow as _, Result};

/// At most so many candidates are sorted rather than walked past.
const FEW: usize = 2000;

/// A matching app user, the key that it is sorted by, and its `_id`.
pub(super) type Match = (i64, SmoochId, View);

/// Which indexes of lists may be used: those that are not being made anew.
#[derive(Clone, Copy)]
pub(super) struct ListIndexes {
    /// The order of `last_seen`.
    pub(super) has_last_seen: bool,
    /// The index of words.
    pub(super) has_words: bool,
}

/// Matches rows against a query.
pub(super) struct Matcher<'c> {
    pub(super) rows: &'c dyn Rows,
    pub(super) app: &'c AppId,
    pub(super) query: &'c Query,
    pub(super) wanted: Wanted,
    pub(super) indexes: ListIndexes,
}

impl Matcher<'_> {
    /// The app user of a row, if it matches. Only if its columns match, its record is read.
    pub(super) fn matches(&self, row: &ListRow) -> Result<Option<View>> {
        if !self.columns_match(row) {
            return Ok(None);
        }
        let Filter { q: _, user_id, brand, email, identity_email, client, properties, .. } =
            &self.query.filter;
        let has = |view: &View| {
            let shows = |field: Field, text: &Option<String>| {
                text.as_deref().is_none_or(|text| view.get(&field) == Some(&json_text(text)))
            };
            properties.iter().all(|(key, value)| view.has_property(key, value))
                && shows(Field::UserId, user_id)
                && shows(Field::Email, email)
                && brand.as_deref().is_none_or(|brand| view.brand().as_deref() == Some(brand))
                && identity_email.as_deref().is_none_or(|email| view.has_identity_email(email))
                && (client.is_of_any_version() || view.clients.values().any(|one| client.has(one)))
        };
        Ok(self.show(&row.id)?.filter(has))
    }

    pub(super) fn columns_match(&self, row: &ListRow) -> bool {
        let Filter { q: _, seen, signed_up, identified, started, .. } = &self.query.filter;
        let columns = &row.columns;
        let time = |time: i64| Some(time).filter(|time| *time != NONE);
        let flag =
            |asked: &Option<bool>, flag: i64| asked.is_none_or(|asked| asked == (columns.flags & flag != 0));
        columns.listed
            && seen.has(time(columns.last_seen))
            && signed_up.has(time(columns.signed_up))
            && flag(identified, IDENTIFIED)
            && flag(started, STARTED)
            && self.wanted.fit(columns.words.as_deref().unwrap_or(""))
    }

    /// Whether the columns of a row decide the whole filter.
    pub(super) fn is_in_columns(&self) -> bool {
        // A new filter is in the columns or not: the compiler asks here.
        let Filter {
            q: _,
            user_id,
            brand,
            email,
            identity_email,
            client,
            identified: _,
            started: _,
            seen: _,
            signed_up: _,
            properties,
        } = &self.query.filter;
        let texts = [user_id, brand, email, identity_email];
        texts.into_iter().all(Option::is_none) && properties.is_empty() && client.is_of_any_version()
    }

    /// The app user of the row with this number, if it matches.
    pub(super) fn by_row(&self, row: i64) -> Result<Option<Match>> {
        let found = ListRow::select().is("rowid", &row).first(self.rows)?;
        let Some(row) = found else { return Ok(None) };
        let view = self.matches(&row)?;
        Ok(view.map(|view| (row.key(self.query.sort), row.id, view)))
    }

    /// The app user with an `_id`. Each has a loader of its own: a page is bounded, a loader is not.
    fn show(&self, id: &SmoochId) -> Result<Option<View>> {
        show(&mut Loader::new(self.rows), self.app, id)
    }

    /// The rows of all app users that can match, if an index finds few.
    pub(super) fn candidates(&self) -> Result<Option<BTreeSet<i64>>> {
        let (filter, app, rows) = (&self.query.filter, self.app, self.rows);
        if self.wanted.nobody {
            return Ok(Some(BTreeSet::new()));
        }
        if let Some(user_id) = &filter.user_id {
            return self.carriers(user_id).map(Some);
        }
        let few = |rows: Vec<i64>| (rows.len() <= FEW).then(|| rows.into_iter().collect());
        if self.indexes.has_words
            && !self.wanted.is_empty()
            && let Some(found) =
                few(rows.rows_with_words(&self.wanted.wholes, &self.wanted.beginnings, FEW + 1)?)
        {
            return Ok(Some(found));
        }
        let in_range = |sort, span: &TimeRange| {
            let (since, before) = (span.since.unwrap_or(NONE + 1), span.before.unwrap_or(i64::MAX));
            Ok(few(rows.rows_in_range(app, sort, since, before, FEW + 1)?))
        };
        if self.query.sort != Sort::LastSeen
            && self.indexes.has_last_seen
            && !filter.seen.is_open()
            && let Some(found) = in_range(Sort::LastSeen, &filter.seen)?
        {
            return Ok(Some(found));
        }
        if self.query.sort != Sort::SignedUp && !filter.signed_up.is_open() {
            return in_range(Sort::SignedUp, &filter.signed_up);
        }
        Ok(None)
    }

    /// The rows of the app users that may show a `userId`.
    fn carriers(&self, user_id: &str) -> Result<BTreeSet<i64>> {
        let text = json_text(user_id);
        let carriers = self.rows.holders(&[(self.app, IdentifierKind::UserId, &text)])?.concat();
        let mut users = BTreeSet::new();
        for id in carriers {
            let Some(view) = self.show(&id)? else { continue };
            let stored = self.rows.records(&[(self.app.clone(), view.id)])?;
            users.extend(stored.into_iter().flatten().map(|stored| stored.row));
        }
        Ok(users)
    }
}
