//! The reader of the directory: HTTP, commands and a rebuild read through it.

mod journal;
mod operators;
mod users;

use std::ops::Deref;

use crate::store::readers::StoreReader;
use crate::store::readers::{LaneReader, StopSignal};
use crate::store::rows::Rows;
use crate::store::{Error, Result};

/// Reads the directory. Each read sees every commit that was made before it began.
pub struct DirectoryReader {
    store: Box<dyn StoreReader>,
    stop: Option<StopSignal>,
}

impl DirectoryReader {
    /// Reads over a connection.
    pub fn new(store: impl StoreReader) -> Self {
        Self { store: Box::new(store), stop: None }
    }

    /// Opens a snapshot, or continues that of [`LaneReader::in_one_snapshot`].
    ///
    /// # Errors
    /// [`Error::Interrupted`] if the read is to end, or the database cannot be read.
    pub fn snapshot(&self) -> Result<ReadSnapshot<'_>> {
        if self.stop.as_ref().is_some_and(StopSignal::is_raised) {
            return Err(Error::Interrupted);
        }
        let ends = self.store.begin()?;
        Ok(ReadSnapshot { store: &*self.store, ends })
    }

    /// Reads with every index at first, and without the search index if that is damaged, which takes longer.
    fn with_indexes<T>(&self, read: impl Fn(bool) -> Result<T>) -> Result<T> {
        match read(self.store.is_intact("search")) {
            Err(error @ Error::Derived { .. }) => {
                self.store.note_error(&error);
                match error {
                    Error::Derived { name: "search", .. } => read(false),
                    Error::Derived { name, .. } => Err(Error::Remaking(name)),
                    error => Err(error),
                }
            }
            found => found,
        }
    }
}

impl LaneReader for DirectoryReader {
    fn in_one_snapshot(&mut self, reads: impl FnOnce(&mut Self)) {
        let began = self.store.begin().unwrap_or_default();
        reads(self);
        if began {
            self.store.end();
        }
    }

    fn obey(&mut self, stop: StopSignal) {
        self.store.obey(stop.clone());
        self.stop = Some(stop);
    }

    fn note_error(&mut self, error: &Error) {
        self.store.note_error(error);
    }
}

/// A snapshot of the rows.
pub struct ReadSnapshot<'r> {
    store: &'r dyn StoreReader,
    /// Whether the snapshot of the store ends with this one.
    ends: bool,
}

impl<'r> Deref for ReadSnapshot<'r> {
    type Target = dyn Rows + 'r;

    fn deref(&self) -> &Self::Target {
        self.store.rows()
    }
}

impl Drop for ReadSnapshot<'_> {
    fn drop(&mut self) {
        if self.ends {
            self.store.end();
        }
    }
}
