//! Reads of the directory that the program does not need.

use bytes::Bytes;
use rollcall::directory::DirectoryReader;
use rollcall::directory::journal::bodies_of;
use rollcall::directory::load::Loader;
use rollcall::domain::{AppId, View, json_text};
use rollcall::store::{Entry, ReadRow as _, Seq};

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
