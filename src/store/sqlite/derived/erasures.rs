//! Tombstones of erased app users, with which all later data is compared, made anew of the records; and receipts that are
//! lost, or cannot be read, made anew of the tombstones. What was counted is not known any more, nor
//! what else the erased were looked for by; their `_id`s are, and all that is kept is searched for these once more.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Params, params};

use super::identifiers::for_each_record;
use super::kind::{Sum, Tell};
use super::schema::{create_missing, is_there};
use crate::domain::{AppId, SmoochId};
use crate::format::erasure_work::ErasureWork;
use crate::store::sqlite::connection::query_one;
use crate::store::sqlite::table_rows::read_rows;
use crate::store::tables::{StoredReceipt, Tombstone};
use crate::store::{ErasureCounts, Error, ReadRow as _, Result, Seq};

/// Whom receipts are about.
type Erased = BTreeMap<(AppId, Seq), BTreeSet<SmoochId>>;

/// What is wrong with the receipts, if anything is.
pub(super) fn lost_receipts(conn: &Connection) -> Result<Option<String>> {
    Ok(match (lost(conn)?.len(), unreadable(conn)?.len()) {
        (0, 0) => None,
        (0, bad) => Some(format!("{bad} of them cannot be read")),
        (lost, _) => Some(format!("{lost} of them are not there")),
    })
}

fn lost(conn: &Connection) -> Result<Erased> {
    erased(conn, "WHERE NOT EXISTS (SELECT 1 FROM receipts AS r WHERE r.seq = erasures.receipt)", [])
}

fn unreadable(conn: &Connection) -> Result<Erased> {
    let mut found = BTreeMap::new();
    for StoredReceipt { seq, app, counts, done, work, .. } in StoredReceipt::select().read(conn)? {
        let is_counted = serde_json::from_str::<ErasureCounts>(&counts).is_ok();
        let is_open =
            done.is_some() || work.is_some_and(|work| serde_json::from_str::<ErasureWork>(&work).is_ok());
        if !is_counted || !is_open {
            // It may have no tombstone.
            found.insert((app, seq), BTreeSet::new());
            found.extend(erased(conn, "WHERE receipt = ?1", [seq as i64])?);
        }
    }
    Ok(found)
}

fn erased(conn: &Connection, which: &str, params: impl Params) -> Result<Erased> {
    let mut found = Erased::new();
    for Tombstone { app, id, receipt } in read_rows(conn, which, params)? {
        found.entry((app, receipt)).or_default().insert(id);
    }
    Ok(found)
}

/// See the module. The time of one that is lost is that of the entry that erased, if that is there.
pub(super) fn remake_receipts(conn: &Connection) -> Result<()> {
    let mut all = lost(conn)?;
    all.extend(unreadable(conn)?);
    let sql = "INSERT INTO receipts (seq, app, time, done, counts, work) VALUES (?1, ?2,
                   coalesce((SELECT received FROM journal WHERE seq = ?1), unixepoch() * 1000), NULL, ?3, ?4)
               ON CONFLICT (seq) DO UPDATE SET done = NULL, counts = excluded.counts, work = excluded.work";
    let mut write = conn.prepare(sql)?;
    for ((app, seq), ids) in all {
        let counts = ErasureCounts { records: ids.len() as u64, ..ErasureCounts::default() };
        let work = ErasureWork::of_lost_receipt(ids);
        let json =
            |value: serde_json::Result<String>| value.map_err(|error| Error::Unavailable(error.to_string()));
        let (counts, work) = (json(serde_json::to_string(&counts))?, json(serde_json::to_string(&work))?);
        write.execute(params![seq as i64, app.as_str(), counts, work])?;
    }
    Ok(())
}

/// The records have the same flag.
pub(super) fn check_tombstones(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    let mut should = Sum::default();
    for_each_record(conn, tell, |(app, id), record| {
        if record.erased {
            should.add(&[app.as_str(), id.as_str()]);
        }
        Ok(())
    })?;
    Ok(should.differs(Sum::read::<2>(conn, "SELECT app, id FROM erasures")?, "tombstones"))
}

/// Whether a receipt has no tombstones because all of them are lost. Single ones are found only by reading every record.
pub(super) fn probe_tombstones(conn: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM erasures) OR NOT EXISTS (SELECT 1 FROM receipts
                   WHERE CASE WHEN json_valid(counts) THEN counts ->> '$.records' > 0 END)";
    Ok(!is_there(conn, "receipts")? || query_one(conn, sql, [])?)
}

/// Never removes an existing tombstone.
pub(super) fn make_tombstones(conn: &Connection) -> Result<()> {
    create_missing(conn, &["receipts"])?;
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
