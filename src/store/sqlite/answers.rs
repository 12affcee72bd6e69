//! Kept answers to calls with an `Idempotency-Key`.
//!
//! A caller may put anything into such a key, so it is not stored. What is stored is its HMAC; and the hash of
//! the request is covered with another one, so that it says nothing to whoever does not have the key.

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use super::answer_key::AnswerKey;
use super::derived::require_row;
use super::txn::SqliteTxn;
use crate::domain::AppId;
use crate::store::{ANSWERS_KEPT, Answered, Batch};

fn cover(mut fingerprint: [u8; 32], with: [u8; 32]) -> [u8; 32] {
    fingerprint.iter_mut().zip(with).for_each(|(byte, with)| *byte ^= with);
    fingerprint
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

impl SqliteTxn<'_> {
    pub(super) fn known_answer(&self, app: &AppId, key: &str) -> Result<Option<Answered>> {
        let (hidden, with) = self.state.answer_key.hide(key);
        let sql = "SELECT fingerprint, time, answer FROM answers WHERE app = ?1 AND key = ?2";
        let mut select = self.txn.prepare_cached(sql)?;
        let known = select.query_row(params![app.as_str(), hidden], |row| {
            let (fingerprint, time, answer) = (cover(row.get(0)?, with), row.get(1)?, row.get(2)?);
            Ok(Answered { app: app.clone(), key: key.to_owned(), fingerprint, time, answer })
        });
        Ok(known.optional()?)
    }

    /// Keeps the clock and the answers, and lets go of a few of the oldest answers for each new one.
    pub(super) fn answers(&mut self, batch: &Batch) -> Result<()> {
        if batch.clock > self.clock {
            let mut update = self.txn.prepare_cached("UPDATE clock SET time = ?1")?;
            require_row(update.execute([batch.clock])?)?;
            self.clock = batch.clock;
        }
        if batch.answers.is_empty() {
            return Ok(());
        }
        let sql = "INSERT OR REPLACE INTO answers (app, key, fingerprint, time, answer) VALUES (?1, ?2, ?3, ?4, ?5)";
        let mut insert = self.txn.prepare_cached(sql)?;
        let sql = "DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers ORDER BY rowid LIMIT 2) AND time < ?1";
        let mut forget = self.txn.prepare_cached(sql)?;
        for kept in &batch.answers {
            let (hidden, with) = self.state.answer_key.hide(&kept.key);
            let fingerprint = cover(kept.fingerprint, with);
            let row = params![kept.app.as_str(), hidden, fingerprint, kept.time, kept.answer];
            insert.execute(row)?;
            forget.execute([batch.now - ANSWERS_KEPT])?;
        }
        Ok(())
    }
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
        let (hidden, with) = AnswerKey::read(&conn).unwrap().hide("token bob");
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
