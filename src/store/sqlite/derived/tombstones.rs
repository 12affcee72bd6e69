//! Tombstones of erased app users, with which all later data is compared. The records have the same flag.

use rusqlite::{Connection, params};

use super::identifiers::for_each_record;
use super::kind::{Sum, Tell};
use crate::store::sqlite::Result;

/// See [`super::Derived`].
pub(super) fn check(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    let mut should = Sum::default();
    for_each_record(conn, tell, |(app, id), record| {
        if record.erased {
            should.add(&[app.as_str(), id.as_str()]);
        }
        Ok(())
    })?;
    Ok(should.differs(Sum::read::<2>(conn, "SELECT app, id FROM erasures")?, "tombstones"))
}

/// See [`super::Derived`]. Never removes an existing tombstone.
pub(super) fn make(conn: &Connection) -> Result<()> {
    let sql = "INSERT OR IGNORE INTO erasures (app, id, receipt)
                   SELECT ?1, ?2, coalesce((SELECT max(seq) FROM receipts WHERE app = ?1), 0)";
    let mut insert = conn.prepare(sql)?;
    for_each_record(conn, &mut |_| Ok(()), |(app, id), record| {
        if record.erased {
            insert.execute(params![app.as_str(), id.as_str()])?;
        }
        Ok(())
    })
}
