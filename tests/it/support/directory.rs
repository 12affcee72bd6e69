//! Reads of the directory that the program does not need, and stores in the process of the tests.

use bytes::Bytes;
use rollcall::directory::DirectoryReader;
use rollcall::directory::journal::bodies_of;
use rollcall::directory::load::Loader;
use rollcall::domain::{AppId, View, json_text};
use rollcall::store::sqlite::{OpenError, Sqlite, StoreOptions};
use rollcall::store::{Entry, ReadRow as _, Seq};

use super::until;

/// At most `limit` entries of the journal after `after`, each with its body.
pub fn journal(reader: &DirectoryReader, after: Seq, limit: usize) -> Vec<(Entry, Bytes)> {
    let rows = reader.snapshot().unwrap();
    let entries = Entry::select().after(&after).limit(limit).read(&*rows).unwrap();
    let bodies = bodies_of(&*rows, &entries).unwrap().into_iter().map(|(_, body)| body);
    entries.into_iter().zip(bodies).collect()
}

/// The app user who shows a `userId`: of several, the one that got it last.
pub fn by_user_id(reader: &DirectoryReader, app: &AppId, user_id: &str) -> Option<View> {
    let (rows, text) = (reader.snapshot().unwrap(), json_text(user_id));
    let mut loader = Loader::new(&*rows);
    loader.named(app, &text).unwrap();
    loader.directory.by_user_id(app, &text)
}

/// Opens a store. A process that another test starts has inherited its lock until it runs its own program.
pub fn open_store(options: &StoreOptions) -> Sqlite {
    let mut opened = None;
    until("the lock of the store is free", || {
        opened = match Sqlite::open(options) {
            Err(OpenError::InUse(_)) => None,
            store => Some(store.unwrap()),
        };
        opened.is_some()
    });
    opened.unwrap()
}
