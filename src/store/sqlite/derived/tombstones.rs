//! Tombstones of erased app users, with which all later data is compared. The records have the same flag.

use rusqlite::{Connection, params};

use super::identifiers;
use super::kind::{Sum, Tell};
use super::schema::{is_there, recreate};
use crate::domain::RecordKey;
use crate::store::sqlite::Result;

/// Calls `each` with every erased record.
fn erased(conn: &Connection, tell: Tell<'_>, mut each: impl FnMut(&RecordKey) -> Result<()>) -> Result<()> {
    let mut after = i64::MIN;
    loop {
        let page = identifiers::records(conn, after, identifiers::PIECE)?;
        let Some((last, ..)) = page.last() else { return Ok(()) };
        after = *last;
        page.iter().filter(|(_, _, record)| record.erased).try_for_each(|(_, key, _)| each(key))?;
        tell(page.len() as u64)?;
    }
}

/// See [`super::Derived`].
pub(super) fn check(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    let (mut should, mut is) = (Sum::default(), Sum::default());
    erased(conn, tell, |(app, id)| {
        should.add(&(app.as_str(), id.as_str()));
        Ok(())
    })?;
    let mut select = conn.prepare("SELECT app, id FROM erasures")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let text = |n| -> Result<&str> { Ok(row.get_ref(n)?.as_str()?) };
        is.add(&(text(0)?, text(1)?));
    }
    Ok(should.differs(is, "tombstones"))
}

/// See [`super::Derived`]. Does not look for missing rows: a start would have to read every record.
pub(super) fn probe(conn: &Connection) -> Result<bool> {
    is_there(conn, "erasures")
}

/// See [`super::Derived`]. Never removes an existing tombstone.
pub(super) fn make(conn: &Connection) -> Result<()> {
    if !is_there(conn, "erasures")? {
        recreate(conn, "TABLE", "erasures", &[])?;
    }
    let sql = "INSERT OR IGNORE INTO erasures (app, id, receipt)
                   SELECT ?1, ?2, coalesce((SELECT max(seq) FROM receipts WHERE app = ?1), 0)";
    let mut insert = conn.prepare(sql)?;
    erased(conn, &mut |_| Ok(()), |(app, id)| {
        insert.execute(params![app.as_str(), id.as_str()])?;
        Ok(())
    })
}
