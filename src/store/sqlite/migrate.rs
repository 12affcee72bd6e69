//! Migrates the schema, version by version, under `PRAGMA user_version`.
//!
//! Each migration is one transaction, so an interruption leaves the old schema or the new one. The file is copied
//! before the first one. Columns that a migration adds to each record are filled afterwards, in pieces.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior, params};

use super::backup::keep_before;
use super::connection::{configure, query_one};
use super::derived;
use super::file_errors::OpenError;
use super::files::header::APPLICATION_ID;
use super::schema::{STEPS, TABLES, newest_schema, read_schema_version};
use crate::domain::RULES_VERSION;
use crate::format::answer_key::{AnswerKey, cover};

/// Creates the schema of a new file, or migrates an old one. A newer file, or one that is not rollcall's, is left
/// unchanged.
pub(super) fn migrate_schema(conn: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let known = newest_schema();
    let failed = OpenError::sql(path);
    let number = |conn: &Connection, sql: &str| query_one::<i64>(conn, sql, []).map_err(&failed);
    let found = read_schema_version(conn, path)?;
    let tables = number(conn, TABLES)?;
    configure(conn).map_err(&failed)?;
    if tables == 0 {
        conn.execute_batch("PRAGMA auto_vacuum = INCREMENTAL").map_err(&failed)?;
    }
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
         PRAGMA secure_delete = ON",
    )
    .map_err(&failed)?;
    let used = "SELECT EXISTS (SELECT 1 FROM journal) OR EXISTS (SELECT 1 FROM quarantine)";
    if (1..known).contains(&found) && number(conn, used)? != 0 {
        let kept = keep_before(path, found + 1)?;
        tracing::info!(kept = %kept.display(), "the database has schema {found}; it was copied before the migration");
    }
    for (version, step) in STEPS.into_iter().filter(|(version, _)| *version > found) {
        let txn = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        txn.execute_batch(step).map_err(&failed)?;
        if version == 4 {
            hide_keys(&txn).map_err(&failed)?;
        }
        if version == known && found == 0 {
            // All its records will follow this program's rules.
            txn.execute("UPDATE upkeep SET rules = ?1", [RULES_VERSION]).map_err(&failed)?;
        }
        txn.pragma_update(None, "application_id", APPLICATION_ID).map_err(&failed)?;
        txn.pragma_update(None, "user_version", version).map_err(&failed)?;
        txn.commit().map_err(&failed)?;
        tracing::info!(schema = version, "migrated the database to schema {version}");
    }
    derived::remake_counters_at_start(conn).map_err(OpenError::store(path))?;
    if number(conn, "SELECT clean FROM horizon")? == 0 {
        vacuum_once(conn);
    }
    derived::remake_at_start(conn).map_err(OpenError::store(path))
}

/// Updates references to row numbers of `app_users`.
const NUMBERED_ANEW: &str = "
    UPDATE moves SET user = coalesce(
        (SELECT rowid FROM app_users AS a WHERE a.app = moves.app AND a.id = moves.id), user);
    UPDATE upkeep SET sortable = -1, searchable = -1;";

/// Vacuums a file that was once written without `secure_delete`, so that its free pages hold no deleted data. If
/// it fails, such as on a full disk, the next start tries again.
fn vacuum_once(conn: &Connection) {
    tracing::info!("vacuuming the database file, so that no deleted data is left in it");
    let numbers = |conn: &Connection| {
        let sql = "SELECT count(*), total(rowid), total(rowid * rowid) FROM app_users";
        conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    };
    let make_anew = || {
        let before: (i64, f64, f64) = numbers(conn)?;
        conn.execute_batch("VACUUM")?;
        if numbers(conn)? != before {
            // VACUUM may renumber rows without updating references to them.
            conn.execute_batch(NUMBERED_ANEW)?;
        }
        conn.execute_batch("UPDATE horizon SET clean = 1; PRAGMA wal_checkpoint(TRUNCATE);")
    };
    if let Err(error) = make_anew() {
        tracing::warn!(%error, "VACUUM failed; deleted data may remain in free pages, the next start retries: {error}");
    }
}

/// Hides the keys of answers that an older program stored as they came.
fn hide_keys(conn: &Connection) -> rusqlite::Result<()> {
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
