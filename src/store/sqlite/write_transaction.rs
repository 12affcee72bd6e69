//! The transaction of a batch.

use std::ops::Deref;

use rusqlite::Connection;

/// A write transaction, rolled back when it is dropped. Its two statements are cached: `rusqlite::Transaction`
/// would parse them anew for every batch.
pub(super) struct WriteTransaction<'c>(&'c Connection);

impl<'c> WriteTransaction<'c> {
    /// Begins it, once no other connection writes.
    pub(super) fn begin(conn: &'c mut Connection) -> rusqlite::Result<Self> {
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self(conn))
    }

    /// Commits it. The data is on disk when this returns.
    pub(super) fn commit(self) -> rusqlite::Result<()> {
        self.0.prepare_cached("COMMIT")?.execute([]).map(drop)
    }
}

impl Deref for WriteTransaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0
    }
}

impl Drop for WriteTransaction<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit()
            && let Err(error) = self.0.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "cannot roll back a batch: {error}");
        }
    }
}
