//! Receipts that are lost, or cannot be read, made anew of the tombstones. What was counted is not known any more, nor
//! what else the erased were looked for by; their `_id`s are, and all that is kept is searched for these once more.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};

use crate::domain::{AppId, SmoochId};
use crate::format::erasure_work::ErasureWork;
use crate::store::{ErasureCounts, Error, Result, Seq};

/// What is wrong with the receipts, if anything is.
pub(super) fn lost_receipts(conn: &Connection) -> Result<Option<String>> {
    let (lost, unreadable) = (lost(conn)?, unreadable(conn)?);
    Ok(match (lost.len(), unreadable.len()) {
        (0, 0) => None,
        (0, bad) => Some(format!("{bad} of them cannot be read")),
        (lost, _) => Some(format!("{lost} of them are not there")),
    })
}

/// Whom each receipt is about that is not there.
fn lost(conn: &Connection) -> Result<BTreeMap<(AppId, Seq), BTreeSet<SmoochId>>> {
    erased(conn, "NOT EXISTS (SELECT 1 FROM receipts AS r WHERE r.seq = e.receipt)")
}

/// Whom each receipt is about that cannot be read.
fn unreadable(conn: &Connection) -> Result<BTreeMap<(AppId, Seq), BTreeSet<SmoochId>>> {
    let mut select = conn.prepare("SELECT seq, counts, done, work FROM receipts")?;
    let mut rows = select.query([])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (seq, counts, done, work): (i64, String, Option<i64>, Option<String>) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let is_counted = serde_json::from_str::<ErasureCounts>(&counts).is_ok();
        let is_open =
            done.is_some() || work.is_some_and(|work| serde_json::from_str::<ErasureWork>(&work).is_ok());
        if !is_counted || !is_open {
            found.extend(erased(conn, &format!("e.receipt = {seq}"))?);
        }
    }
    Ok(found)
}

fn erased(conn: &Connection, which: &str) -> Result<BTreeMap<(AppId, Seq), BTreeSet<SmoochId>>> {
    let sql = format!("SELECT app, receipt, id FROM erasures AS e WHERE {which}");
    let mut select = conn.prepare(&sql)?;
    let mut rows = select.query([])?;
    let mut found: BTreeMap<_, BTreeSet<SmoochId>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let key = (AppId::from(row.get_ref(0)?.as_str()?), row.get::<_, i64>(1)? as Seq);
        let (key, id) = (key, SmoochId::from(row.get_ref(2)?.as_str()?));
        found.entry(key).or_default().insert(id);
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
