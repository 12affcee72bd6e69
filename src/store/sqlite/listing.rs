//! The rows of app users, and in step with them everything that lists and searches are read from.

use std::collections::HashSet;

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::connection::execute;
use super::derived::{Remaking, derived_error};
use super::table_rows::{insert_into, run};
use super::{Error, Result};
use crate::domain::{AppId, RecordKey};
use crate::format::list_columns::Columns;
use crate::store::rows::StoredUser;
use crate::store::{RowCells, UserWrite};

/// A row of `seen` that is not the app user's any more: its app, its `last_seen`, the app user's rowid.
pub(super) type Outdated = (AppId, i64, i64);

/// Writes the rows of one transaction.
pub(super) struct Listing<'c, 'w> {
    conn: &'c Connection,
    remaking: Remaking,
    /// Rows with the words they had and those they have now. They are written last, in one go: FTS5 gathers
    /// what comes without anything between.
    reworded: Vec<(i64, String, &'w str)>,
    outdated: Vec<Outdated>,
}

/// What stood in a row.
#[derive(Default)]
struct Before {
    listed: bool,
    last_seen: i64,
    signed_up: i64,
    words: String,
}

impl<'c, 'w> Listing<'c, 'w> {
    pub(super) fn new(conn: &'c Connection, remaking: Remaking) -> Self {
        Self { conn, remaking, reworded: Vec::new(), outdated: Vec::new() }
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'c>> {
        Ok(self.conn.prepare_cached(sql)?)
    }

    /// Adds a row; gives its number.
    pub(super) fn add(&mut self, user: &'w UserWrite<'_>) -> Result<i64> {
        let rowid = self.insert(user)?;
        self.reword(rowid, String::new(), user.columns.words.as_deref().unwrap_or_default());
        Ok(rowid)
    }

    fn insert(&self, user: &UserWrite<'_>) -> Result<i64> {
        let rows = RowCells::of([user]);
        run(self.conn, &rows, &insert_into(&rows, "INSERT"), Error::from)?;
        let rowid = self.conn.last_insert_rowid();
        if user.columns.listed {
            self.seen(user.key, user.columns.last_seen, rowid)?;
        }
        Ok(rowid)
    }

    /// Puts a row in place of the stored one, or deletes that.
    pub(super) fn replace(&mut self, key: &RecordKey, user: Option<&'w StoredUser>) -> Result<()> {
        let sql = "DELETE FROM app_users WHERE app = ?1 AND id = ?2 RETURNING rowid, coalesce(words, ''), last_seen";
        let (app, id) = (key.0.as_str(), key.1.as_str());
        let before = self
            .prepare(sql)?
            .query_row([app, id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let before: Option<(i64, String, i64)> = before;
        if let Some((.., last_seen)) = &before {
            // No move tells of it, so it would stay.
            let sql = "DELETE FROM seen WHERE app = ?1 AND last_seen = ?2 AND id = ?3";
            execute(self.conn, sql, params![app, last_seen, id]).map_err(derived_error("seen"))?;
        }
        let (mut row, words) = before.map_or_else(Default::default, |(row, words, _)| (Some(row), words));
        if let Some(StoredUser { record, columns }) = user {
            let (record, columns) = (record.clone(), columns.clone());
            row = Some(self.insert(&UserWrite { key, row, record, columns, last_seen_before: 0 })?);
        }
        if let Some(row) = row {
            let now = user.and_then(|user| user.columns.words.as_deref());
            self.reword(row, words, now.unwrap_or_default());
        }
        Ok(())
    }

    pub(super) fn change(&mut self, user: &'w UserWrite<'_>, rowid: i64) -> Result<()> {
        let columns = &user.columns;
        if columns.words.is_none() {
            let sql = "UPDATE app_users SET record = ?2, last_seen = ?3, flags = ?4 WHERE rowid = ?1";
            let row = params![rowid, user.record, columns.last_seen, columns.flags];
            there(execute(self.conn, sql, row)? > 0)?;
            return self.moved(user.key, rowid, "lastSeen", user.last_seen_before, Some(columns.last_seen));
        }
        let before = self.before(rowid)?;
        self.list(user, rowid, before)
    }

    fn before(&self, rowid: i64) -> Result<Before> {
        let sql = "SELECT listed, last_seen, signed_up, coalesce(words, '') FROM app_users WHERE rowid = ?1";
        let before = self.prepare(sql)?.query_row([rowid], |row| {
            let (listed, last_seen, signed_up) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Before { listed, last_seen, signed_up, words: row.get(3)? })
        });
        let before = before.optional()?;
        there(before.is_some())?;
        Ok(before.unwrap_or_default())
    }

    fn list(&mut self, user: &'w UserWrite<'_>, rowid: i64, before: Before) -> Result<()> {
        let Columns { listed, last_seen, signed_up, flags, ref words } = user.columns;
        let (key, words) = (user.key, words.as_deref().unwrap_or_default());
        let sql = "UPDATE app_users SET record = ?2, last_seen = ?3, flags = ?4, words = ?5
                   WHERE rowid = ?1";
        execute(self.conn, sql, params![rowid, user.record, last_seen, flags, words])?;
        // To name a column of an index, changed or not, costs a random page.
        if (before.listed, before.signed_up) != (listed, signed_up) {
            let sql = "UPDATE app_users SET listed = ?2, signed_up = ?3 WHERE rowid = ?1";
            execute(self.conn, sql, params![rowid, listed, signed_up])?;
        }
        if before.listed {
            self.moved(key, rowid, "lastSeen", before.last_seen, listed.then_some(last_seen))?;
            self.moved(key, rowid, "signedUpAt", before.signed_up, listed.then_some(signed_up))?;
        } else if listed {
            self.seen(key, last_seen, rowid)?;
        }
        self.reword(rowid, before.words, words);
        Ok(())
    }

    fn seen(&self, key: &RecordKey, last_seen: i64, rowid: i64) -> Result<()> {
        // It may be there still from the last time it had this place.
        let sql = "INSERT OR REPLACE INTO seen (app, last_seen, id, user) VALUES (?1, ?2, ?3, ?4)";
        let row = params![key.0.as_str(), last_seen, key.1.as_str(), rowid];
        execute(self.conn, sql, row).map(drop).map_err(derived_error("seen"))
    }

    /// Notes the place that an app user had in an order and the one it has now; none if it is not listed.
    fn moved(
        &mut self,
        key: &RecordKey,
        rowid: i64,
        sort: &str,
        before: i64,
        now: Option<i64>,
    ) -> Result<()> {
        if now == Some(before) {
            return Ok(());
        }
        if sort == "lastSeen" {
            self.outdated.push((key.0.clone(), before, rowid));
            now.map_or(Ok(()), |now| self.seen(key, now, rowid))?;
        }
        let sql = "INSERT INTO moves (sort, app, id, user, before, now) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let row = params![sort, key.0.as_str(), key.1.as_str(), rowid, before, now];
        execute(self.conn, sql, row).map(drop).map_err(derived_error("moves"))
    }

    fn reword(&mut self, rowid: i64, before: String, now: &'w str) {
        // What the index does not have yet, it gets with the words as they are then.
        if before != now && self.remaking.has_words_of(rowid) {
            self.reworded.push((rowid, before, now));
        }
    }

    /// Brings the index of words in step; gives the rows of `seen` that are outdated.
    pub(super) fn finish(self) -> Result<Vec<Outdated>> {
        let index = || -> rusqlite::Result<()> {
            if self.reworded.is_empty() {
                return Ok(());
            }
            let sql = "INSERT INTO search (search, rowid, words) VALUES ('delete', ?1, ?2)";
            let mut forget = self.conn.prepare_cached(sql)?;
            let mut learn = self.conn.prepare_cached("INSERT INTO search (rowid, words) VALUES (?1, ?2)")?;
            for (rowid, before, now) in &self.reworded {
                // A word that many rows have costs a long search in its list, so those that stay are left alone.
                if !before.is_empty() {
                    forget.execute(params![rowid, words_beside(before, now)])?;
                }
                if !now.is_empty() {
                    learn.execute(params![rowid, words_beside(now, before)])?;
                }
            }
            Ok(())
        };
        index().map_err(derived_error("search"))?;
        Ok(self.outdated)
    }
}

/// The words of a row that another version of it does not have.
fn words_beside(words: &str, other: &str) -> String {
    let known: HashSet<&str> = other.split(' ').collect();
    let beside: Vec<&str> = words.split(' ').filter(|word| !known.contains(word)).collect();
    beside.join(" ")
}

/// Fails if the row of a record that is known is not there.
fn there(is_there: bool) -> Result<()> {
    let lost = || Error::Derived { name: "records", why: "a row of app_users is lost".to_owned() };
    is_there.then_some(()).ok_or_else(lost)
}
