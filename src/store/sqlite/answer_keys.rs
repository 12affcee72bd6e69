//! The keys of answers that an older program stored as they came.

use rusqlite::{Connection, params};

use crate::format::answer_key::{AnswerKey, cover};

/// Hides these keys.
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
        let (hidden, with) =
            AnswerKey(conn.query_row("SELECT key FROM answer_key", [], |row| row.get(0)).unwrap())
                .hide("token bob");
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
