//! Beside Litestream. The program itself is not available here, so the test does by hand what Litestream does to a
//! database: tables of its own, an open snapshot, and checkpoints.

use rusqlite::Connection as Sql;

use super::{message, printed};
use crate::support::Home;

const TABLES: &str = "CREATE TABLE IF NOT EXISTS _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER);
     CREATE TABLE IF NOT EXISTS _litestream_lock (id INTEGER);
     INSERT INTO _litestream_seq (id, seq) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET seq = seq + 1;";

#[test]
fn its_tables_are_none_of_ours_whenever_they_come() {
    let plain = Home::new();
    let program = plain.start();
    assert_eq!(program.webhook(message(1)).status, 200);
    let checksum = printed(&plain, &["verify"])["checksum"].clone();
    program.stop();
    for first in [true, false] {
        let home = Home::new();
        if first {
            home.sql().execute_batch(&format!("PRAGMA journal_mode = WAL; {TABLES}")).unwrap();
        } else {
            home.start().stop();
            home.sql().execute_batch(TABLES).unwrap();
        }
        let program = home.start();
        assert_eq!(program.webhook(message(1)).status, 200);
        home.sql().execute_batch(TABLES).unwrap();
        assert_eq!(printed(&home, &["verify"])["checksum"], checksum, "first: {first}");
        assert_eq!(printed(&home, &["backup", "b.db"])["checksum"], checksum);
        program.stop();
        printed(&home, &["restore", "--replace", "b.db"]);
        let program = home.start();
        assert_eq!(program.all_app_users().len(), 1);
        program.stop();
    }
}

/// Litestream copies the growth of the log since its last poll: a log that was truncated meanwhile costs a new
/// replica.
#[test]
fn the_log_is_not_truncated_under_litestream_and_no_writer_waits_for_it() {
    let home = Home::with("[store]\nwal_checkpoint = \"64KiB\"\nwal_limit = \"128KiB\"");
    home.start().stop();
    home.sql().execute_batch(TABLES).unwrap();
    let program = home.start();
    assert_eq!(program.webhook(message(0)).status, 200);
    let beside = Sql::open(home.database()).unwrap();
    let held = beside.unchecked_transaction().unwrap();
    let _: i64 = held.query_row("SELECT seq FROM _litestream_seq", [], |row| row.get(0)).unwrap();
    for n in 1..200 {
        assert_eq!(program.webhook(message(n)).status, 200);
    }
    let wal = home.path().join("rollcall.db-wal");
    let length = || std::fs::metadata(&wal).unwrap().len();
    assert!(length() > 128 << 10, "more than the limit, and still all of it: {}", length());
    drop(held);
    let in_use = || -> i64 { beside.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1)).unwrap() };
    let before = in_use();
    for n in 200..400 {
        assert_eq!(program.webhook(message(n)).status, 200);
    }
    assert!(in_use() < before, "it starts anew once nobody holds it: {before} pages, then {}", in_use());
    drop(beside);
    let log = program.stop();
    assert!(!log.contains("writing waited"), "{log}");
    assert!(length() > 0, "a stop leaves it as well");
    assert_eq!(home.start().all_app_users().len(), 400);
}
