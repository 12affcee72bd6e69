//! The SQLite store does what every store must.

use super::{QUARANTINE, check};
use crate::directory::{DirectoryWriter, open_reader};
use crate::store::sqlite::{Sqlite, StoreOptions};

#[test]
fn sqlite_does_what_every_store_must() {
    check(
        || tempfile::tempdir().unwrap(),
        |dir| {
            let (wal_checkpoint, wal_limit) = (1 << 20, 1 << 22);
            let options = StoreOptions { path: dir.path().join("store.db"), wal_checkpoint, wal_limit };
            let store = Box::new(Sqlite::open(&options).unwrap());
            let reader = open_reader(&options.path).unwrap();
            (DirectoryWriter::open(store, QUARANTINE).unwrap(), reader)
        },
    );
}
