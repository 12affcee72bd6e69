//! The `userId`s and clients by which app users are found.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::kind::{Sum, Tell, probed_rows};
use super::schema::recreate;
use crate::domain::{AppId, ClientId, Record, RecordKey, SmoochId, Stamp};
use crate::format::record::decode;
use crate::store::sqlite::Result;

/// Rows of `app_users` per transaction.
pub(super) const PIECE: i64 = 4000;

/// Strength of a claim: the newer wins; within one event, the smaller `_id`.
type Strength = (Arc<Stamp>, Reverse<SmoochId>);

/// The claimants of each client that several app users claim.
type Claimants = BTreeMap<(AppId, ClientId), Vec<Strength>>;

/// App, kind, value and `_id` of a row.
type IdentifierColumns<'a> = (&'a str, &'a str, &'a str, &'a str);

/// The rows of one record, except clients that others may claim too; those go to `shared`.
fn of_record(
    (app, id): &RecordKey,
    record: &Record,
    shared: &mut Claimants,
    mut row: impl FnMut(IdentifierColumns<'_>) -> Result<()>,
) -> Result<()> {
    for user_id in record.user_ids() {
        row((app.as_str(), "userId", user_id, id.as_str()))?;
    }
    for (client, claim) in &record.claims {
        if claim.shared {
            let claimants = shared.entry((app.clone(), client.clone()));
            let strength = record.strength(client).unwrap_or(&claim.stamp).clone();
            claimants.or_default().push((strength, Reverse(id.clone())));
        } else {
            row((app.as_str(), "client", client.as_str(), id.as_str()))?;
        }
    }
    Ok(())
}

/// The rows of shared clients: the strongest claim holds the client, the others are of kind `claim`.
fn of_clients(shared: &Claimants, mut row: impl FnMut(IdentifierColumns<'_>) -> Result<()>) -> Result<()> {
    for ((app, client), claimants) in shared {
        let strongest = claimants.iter().max();
        for claimant in claimants {
            let kind = if Some(claimant) == strongest { "client" } else { "claim" };
            row((app.as_str(), kind, client.as_str(), claimant.1.0.as_str()))?;
        }
    }
    Ok(())
}

/// The records after this row, each with its rowid.
pub(super) fn records(conn: &Connection, after: i64, most: i64) -> Result<Vec<(i64, RecordKey, Record)>> {
    let sql = "SELECT rowid, app, id, record FROM app_users WHERE rowid > ?1 ORDER BY rowid LIMIT ?2";
    let mut select = conn.prepare_cached(sql)?;
    let mut rows = select.query([after, most])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key = (AppId::from(row.get_ref(1)?.as_str()?), SmoochId::from(row.get_ref(2)?.as_str()?));
        // Only the journal can restore an unreadable record.
        found.push((row.get(0)?, key, decode(row.get_ref(3)?.as_blob()?).unwrap_or_default()));
    }
    Ok(found)
}

/// See [`super::Derived`].
pub(super) fn check(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    let (mut should, mut is, mut shared) = (Sum::default(), Sum::default(), Claimants::new());
    let mut after = i64::MIN;
    loop {
        let page = records(conn, after, PIECE)?;
        let Some((last, ..)) = page.last() else { break };
        after = *last;
        for (_, key, record) in &page {
            of_record(key, record, &mut shared, |row| {
                should.add(&row);
                Ok(())
            })?;
        }
        tell(page.len() as u64)?;
    }
    of_clients(&shared, |row| {
        should.add(&row);
        Ok(())
    })?;
    let mut select = conn.prepare("SELECT app, kind, value, id FROM identifiers")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let text = |n| -> Result<&str> { Ok(row.get_ref(n)?.as_str()?) };
        is.add(&(text(0)?, text(1)?, text(2)?, text(3)?));
    }
    Ok(should.differs(is, "names and clients"))
}

/// See [`super::Derived`]. Finds an empty table; `rollcall rebuild` finds single wrong rows.
pub(super) fn probe(conn: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM identifiers WHERE app = ?1 AND value = ?3 AND id = ?4
                   AND (kind = ?2 OR kind = 'claim' AND ?2 = 'client'))";
    let mut there = conn.prepare(sql)?;
    let (mut asked, mut found) = (0, 0_usize);
    for rowid in probed_rows(conn)? {
        let Some((_, key, record)) = records(conn, rowid - 1, 1)?.pop() else { continue };
        let mut shared = Claimants::new();
        let mut look = |(app, kind, value, id): IdentifierColumns<'_>| {
            asked += 1;
            let is_there: bool = there.query_row([app, kind, value, id], |row| row.get(0))?;
            found += usize::from(is_there);
            Ok(())
        };
        of_record(&key, &record, &mut shared, &mut look)?;
        of_clients(&shared, &mut look)?;
    }
    Ok(asked == 0 || found > 0)
}

/// Remakes all rows. An interrupted run starts again at the next start.
pub(super) fn make(conn: &mut Connection) -> Result<()> {
    tracing::info!("remaking identifiers from the records");
    let begin = conn.transaction()?;
    recreate(&begin, "TABLE", "identifiers", &[])?;
    begin.execute("UPDATE upkeep SET identified = -1", [])?;
    begin.commit()?;
    let (mut after, mut shared) = (i64::MIN, Claimants::new());
    let mut ended = false;
    while !ended {
        let txn = conn.transaction()?;
        let page = records(&txn, after, PIECE)?;
        {
            let sql = "INSERT OR IGNORE INTO identifiers (app, kind, value, id) VALUES (?1, ?2, ?3, ?4)";
            let mut insert = txn.prepare_cached(sql)?;
            let mut row = |(app, kind, value, id): IdentifierColumns<'_>| {
                insert.execute(params![app, kind, value, id])?;
                Ok(())
            };
            for (_, key, record) in &page {
                of_record(key, record, &mut shared, &mut row)?;
            }
            match page.last() {
                Some((last, ..)) => after = *last,
                None => {
                    of_clients(&shared, &mut row)?;
                    txn.execute("UPDATE upkeep SET identified = NULL", [])?;
                    ended = true;
                }
            }
        }
        txn.commit()?;
        conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    }
    tracing::info!("identifiers were remade");
    Ok(())
}
