//! The search index: the words of every row of `app_users`.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::kind::{Pieces, REPORT_ROWS, Sum, Tell, derived_error, probed_rows};
use super::schema::recreate;
use crate::store::sqlite::Result;
use crate::store::sqlite::connection::{execute, query_one};
use crate::store::sqlite::table_rows::read_rows;
use crate::store::tables::ListRow;

const SHADOWS: [&str; 5] = ["search_data", "search_idx", "search_config", "search_content", "search_docsize"];

/// Options that differ from the defaults. `secure-delete` removes deleted words at once, not with a later merge.
/// `automerge` 8 instead of 4 makes a new app user cost 1 % less, and a search read a few more segments.
const OPTIONS: [(&str, i64); 2] = [("secure-delete", 1), ("automerge", 8)];

const PIECE: i64 = 500;
/// FTS5 truncates longer words.
const LONGEST_WORD: usize = 32_768;

pub(super) const SEARCH: Pieces = Pieces { column: "searchable", empty, piece };

fn empty(conn: &Connection) -> Result<()> {
    recreate(conn, "search", &SHADOWS)?;
    set_options(conn)
}

pub(super) fn set_options(conn: &Connection) -> Result<()> {
    for option in OPTIONS {
        let sql = "SELECT EXISTS (SELECT 1 FROM search_config WHERE k = ?1 AND v = ?2)";
        let set = |is_set| {
            if is_set {
                Ok(0)
            } else {
                conn.execute("INSERT INTO search (search, rank) VALUES (?1, ?2)", option)
            }
        };
        query_one(conn, sql, option).and_then(set).map_err(derived_error("search"))?;
    }
    Ok(())
}

fn piece(conn: &Connection, from: i64) -> Result<Option<i64>> {
    let users: Vec<ListRow> = read_rows(conn, "WHERE rowid > ?1 ORDER BY rowid LIMIT ?2", [from, PIECE])?;
    for ListRow { row, columns, .. } in &users {
        if let Some(words) = columns.words.as_deref().filter(|words| !words.is_empty()) {
            let sql = "INSERT INTO search (rowid, words) VALUES (?1, ?2)";
            execute(conn, sql, params![row, words]).map_err(derived_error("search"))?;
        }
    }
    Ok(users.last().map(|user| user.row))
}

/// The words of a row, each once.
fn distinct(words: &str) -> BTreeSet<&[u8]> {
    let all = words.split(' ').filter(|word| !word.is_empty());
    all.map(|word| &word.as_bytes()[..word.len().min(LONGEST_WORD)]).collect()
}

/// Compares the words of all rows with those of the index.
pub(super) fn check(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    let (mut should, mut is) = (Sum::default(), Sum::default());
    let sql = "SELECT rowid, words FROM app_users WHERE words <> ''";
    let mut select = conn.prepare(sql)?;
    let (mut rows, mut looked) = (select.query([])?, 0);
    while let Some(row) = rows.next()? {
        let rowid: i64 = row.get(0)?;
        let words = row.get_ref(1)?.as_str()?;
        distinct(words).into_iter().for_each(|word| should.add(&(word, rowid)));
        looked += 1;
        if looked % REPORT_ROWS == 0 {
            tell(REPORT_ROWS)?;
        }
    }
    // A read-only connection may create this one table: it is in memory and belongs to the connection.
    conn.execute_batch(
        "PRAGMA query_only = OFF;
         CREATE VIRTUAL TABLE IF NOT EXISTS temp.search_words USING fts5vocab (main, search, instance);
         PRAGMA query_only = ON",
    )
    .map_err(derived_error("search"))?;
    let mut select =
        conn.prepare("SELECT term, doc FROM temp.search_words").map_err(derived_error("search"))?;
    let mut rows = select.query([]).map_err(derived_error("search"))?;
    while let Some(row) = rows.next().map_err(derived_error("search"))? {
        let term = row.get_ref(0)?.as_bytes()?;
        is.add(&(term, row.get::<_, i64>(1)?));
        if is.rows.is_multiple_of(REPORT_ROWS) {
            tell(0)?;
        }
    }
    Ok(should.differs(is, "words"))
}

pub(super) fn probe(conn: &Connection) -> Result<bool> {
    for rowid in probed_rows(conn)? {
        let sql = "SELECT coalesce(words, '') FROM app_users WHERE rowid = ?1";
        let words: String = query_one(conn, sql, [rowid])?;
        let words: Vec<&str> = words.split(' ').filter(|word| !word.is_empty()).collect();
        let ends = words.first().into_iter().chain(words.last());
        for word in ends {
            let sql = "SELECT EXISTS (SELECT 1 FROM search WHERE search MATCH ?1 AND rowid = ?2)";
            let found = query_one(conn, sql, params![format!("\"{word}\""), rowid]);
            if !found.map_err(derived_error("search"))? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
