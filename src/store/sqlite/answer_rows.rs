//! The tables `answers` and `answer_key`.

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use crate::domain::AppId;
use crate::format::answer_key::{AnswerKey, cover};
use crate::store::maintenance_rows::{AnswerRows, StoredAnswer};

impl AnswerRows for Connection {
    fn answer(&self, app: &AppId, key: &str) -> Result<Option<StoredAnswer>> {
        let sql = "SELECT fingerprint, time, answer FROM answers WHERE app = ?1 AND key = ?2";
        let mut select = self.prepare_cached(sql)?;
        let found = select.query_row(params![app.as_str(), key], |row| {
            let (fingerprint, time, answer) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(StoredAnswer { app: app.clone(), key: key.to_owned(), fingerprint, time, answer })
        });
        Ok(found.optional()?)
    }

    fn oldest_answers(&self, limit: usize) -> Result<Vec<(i64, i64)>> {
        let mut select = self.prepare_cached("SELECT rowid, time FROM answers ORDER BY rowid LIMIT ?1")?;
        let rows = select.query_map([limit as i64], |row| Ok((row.get(0)?, row.get(1)?)));
        Ok(rows?.collect::<rusqlite::Result<_>>()?)
    }

    fn answers_after(&self, app: &AppId, row: i64, limit: usize) -> Result<Vec<(i64, Vec<u8>)>> {
        let sql = "SELECT rowid, answer FROM answers WHERE app = ?1 AND rowid > ?2 ORDER BY rowid LIMIT ?3";
        let mut select = self.prepare_cached(sql)?;
        let rows =
            select.query_map(params![app.as_str(), row, limit as i64], |row| Ok((row.get(0)?, row.get(1)?)));
        Ok(rows?.collect::<rusqlite::Result<_>>()?)
    }

    fn answer_secret(&self) -> Result<[u8; 32]> {
        Ok(self.query_row("SELECT key FROM answer_key", [], |row| row.get(0))?)
    }
}

pub(super) fn put(conn: &Connection, answer: &StoredAnswer) -> Result<()> {
    let sql =
        "INSERT OR REPLACE INTO answers (app, key, fingerprint, time, answer) VALUES (?1, ?2, ?3, ?4, ?5)";
    let StoredAnswer { app, key, fingerprint, time, answer } = answer;
    conn.prepare_cached(sql)?.execute(params![app.as_str(), key, fingerprint, time, answer])?;
    Ok(())
}

pub(super) fn set(conn: &Connection, row: i64, answer: &[u8]) -> Result<()> {
    conn.prepare_cached("UPDATE answers SET answer = ?2 WHERE rowid = ?1")?.execute(params![row, answer])?;
    Ok(())
}

pub(super) fn delete(conn: &Connection, rows: &[i64]) -> Result<()> {
    let mut delete = conn.prepare_cached("DELETE FROM answers WHERE rowid = ?1")?;
    rows.iter().try_for_each(|row| delete.execute([*row]).map(drop))?;
    Ok(())
}

/// Hides the keys that an older program has stored as they came.
pub(super) fn hide_keys(conn: &Connection) -> rusqlite::Result<()> {
    let key = conn.query_row("SELECT key FROM answer_key", [], |row| row.get(0)).map(AnswerKey)?;
    let mut select = conn.prepare("SELECT rowid, key, fingerprint FROM answers")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let rows: Vec<(i64, String, [u8; 32])> = rows.collect::<rusqlite::Result<_>>()?;
    let mut update = conn.prepare("UPDATE answers SET key = ?2, fingerprint = ?3 WHERE rowid = ?1")?;
    for (rowid, plain, fingerprint) in rows {
        let (hidden, with) = key.hide(&plain);
        update.execute(params![rowid, hidden, cover(fingerprint, with)])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_an_older_program_are_hidden_and_found_again() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "CREATE TABLE answer_key (key BLOB); INSERT INTO answer_key VALUES (randomblob(32));
             CREATE TABLE answers (key TEXT, fingerprint BLOB);
             INSERT INTO answers VALUES ('token bob', zeroblob(32)), ('token eve', zeroblob(32))",
        )
        .unwrap();
        hide_keys(&conn).unwrap();
        let (hidden, with) = AnswerKey(conn.answer_secret().unwrap()).hide("token bob");
        let stored: [u8; 32] = conn
            .query_row("SELECT fingerprint FROM answers WHERE key = ?1", [&hidden], |row| row.get(0))
            .unwrap();
        assert_eq!((hidden.len(), cover(stored, with)), (64, [0; 32]));
        let plain: i64 = conn
            .query_row("SELECT count(*) FROM answers WHERE key LIKE '%bob%'", [], |row| row.get(0))
            .unwrap();
        assert_eq!(plain, 0);
    }
}
