//! The `userId`s and clients by which app users are found.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::Connection;

use super::kind::{Sum, Tell, probed_rows};
use super::schema::recreate;
use crate::domain::{AppId, ClientId, Record, RecordKey, SmoochId, Stamp};
use crate::format::record::decode;
use crate::store::sqlite::Result;
use crate::store::sqlite::connection::execute;
use crate::store::sqlite::table_rows::read_rows;
use crate::store::tables::UserRow;

const PIECE: i64 = 4000;

/// Strength of a claim: the newer wins; within one event, the smaller `_id`.
type Strength = (Arc<Stamp>, Reverse<SmoochId>);

/// The claimants of each client that several app users claim.
type Claimants = BTreeMap<(AppId, ClientId), Vec<Strength>>;

/// App, kind, value and `_id` of a row.
type IdentifierColumns<'a> = [&'a str; 4];

/// The rows of one record, except clients that others may claim too; those go to `shared`.
fn of_record(
    (app, id): &RecordKey,
    record: &Record,
    shared: &mut Claimants,
    mut row: impl FnMut(IdentifierColumns<'_>) -> Result<()>,
) -> Result<()> {
    for user_id in record.user_ids() {
        row([app.as_str(), "userId", user_id, id.as_str()])?;
    }
    for (client, claim) in &record.claims {
        if claim.shared {
            let claimants = shared.entry((app.clone(), client.clone()));
            let strength = record.strength(client).unwrap_or(&claim.stamp).clone();
            claimants.or_default().push((strength, Reverse(id.clone())));
        } else {
            row([app.as_str(), "client", client.as_str(), id.as_str()])?;
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
            row([app.as_str(), kind, client.as_str(), claimant.1.0.as_str()])?;
        }
    }
    Ok(())
}

/// At most `limit` rows of `app_users` behind this one, in the order of their numbers.
pub(super) fn users_after(conn: &Connection, after: i64, limit: i64) -> Result<Vec<UserRow>> {
    read_rows(conn, "WHERE rowid > ?1 ORDER BY rowid LIMIT ?2", [after, limit])
}

/// The records after this row, each with its rowid.
fn records(conn: &Connection, after: i64, most: i64) -> Result<Vec<(i64, RecordKey, Record)>> {
    let users = users_after(conn, after, most)?.into_iter();
    // Only the journal can restore an unreadable record.
    Ok(users.map(|user| (user.row, (user.app, user.id), decode(&user.record).unwrap_or_default())).collect())
}

pub(super) fn for_each_record(
    conn: &Connection,
    tell: Tell<'_>,
    mut each: impl FnMut(&RecordKey, &Record) -> Result<()>,
) -> Result<()> {
    let mut after = i64::MIN;
    loop {
        let page = records(conn, after, PIECE)?;
        let Some((last, ..)) = page.last() else { return Ok(()) };
        after = *last;
        page.iter().try_for_each(|(_, key, record)| each(key, record))?;
        tell(page.len() as u64)?;
    }
}

pub(super) fn check(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    let (mut should, mut shared) = (Sum::default(), Claimants::new());
    let mut add = |row: IdentifierColumns<'_>| {
        should.add(&row);
        Ok(())
    };
    for_each_record(conn, tell, |key, record| of_record(key, record, &mut shared, &mut add))?;
    of_clients(&shared, &mut add)?;
    let is = Sum::read::<4>(conn, "SELECT app, kind, value, id FROM identifiers")?;
    Ok(should.differs(is, "names and clients"))
}

/// Finds an empty table; `rollcall rebuild` finds single wrong rows.
pub(super) fn probe(conn: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM identifiers WHERE app = ?1 AND value = ?3 AND id = ?4
                   AND (kind = ?2 OR kind = 'claim' AND ?2 = 'client'))";
    let mut there = conn.prepare(sql)?;
    let (mut asked, mut found) = (0, 0_usize);
    for rowid in probed_rows(conn)? {
        let Some((_, key, record)) = records(conn, rowid - 1, 1)?.pop() else { continue };
        let mut shared = Claimants::new();
        let mut look = |row: IdentifierColumns<'_>| {
            asked += 1;
            found += usize::from(there.query_row(row, |row| row.get::<_, bool>(0))?);
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
    recreate(&begin, "identifiers", &[])?;
    begin.execute("UPDATE upkeep SET identified = -1", [])?;
    begin.commit()?;
    let (mut after, mut shared) = (Some(i64::MIN), Claimants::new());
    while let Some(from) = after {
        let txn = conn.transaction()?;
        let mut insert = |row: IdentifierColumns<'_>| {
            let sql = "INSERT OR IGNORE INTO identifiers (app, kind, value, id) VALUES (?1, ?2, ?3, ?4)";
            Ok(execute(&txn, sql, row).map(drop)?)
        };
        let page = records(&txn, from, PIECE)?;
        for (_, key, record) in &page {
            of_record(key, record, &mut shared, &mut insert)?;
        }
        after = page.last().map(|(last, ..)| *last);
        if after.is_none() {
            of_clients(&shared, &mut insert)?;
            txn.execute("UPDATE upkeep SET identified = NULL", [])?;
        }
        txn.commit()?;
        conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    }
    tracing::info!("identifiers were remade");
    Ok(())
}
