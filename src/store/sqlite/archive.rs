//! What an operator looks up in the journal and in quarantine.

use std::collections::BTreeSet;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::history::connected;
use super::reader::{ENTRY, SqliteReader, bodies, entry, first_of_batch, horizon};
use super::txn::users_of;
use super::{Error, Result};
use crate::domain::{AppId, Record, RecordKey, SmoochId};
use crate::store::archive::{Archive, BatchBody, Held, Wanted};
use crate::store::{Entry, Quarantined, ReadEvent, Seq, event};

impl Archive for SqliteReader {
    fn entries(&mut self, wanted: &Wanted, limit: usize) -> Result<Vec<Entry>> {
        select(&*self.snapshot()?, ENTRY, "journal", "trigger", wanted, limit, entry)
    }

    fn bodies(&mut self, entries: &[Entry], read: ReadEvent) -> Result<Vec<BatchBody>> {
        let bodies = bodies_of(&*self.snapshot()?, entries)?;
        for (entry, (_, body)) in entries.iter().zip(&bodies).filter(|(_, (_, body))| !body.is_empty()) {
            event(entry, body, read)?;
        }
        Ok(bodies)
    }

    fn numbers(&mut self, app: &AppId, ids: &BTreeSet<SmoochId>) -> Result<BTreeSet<Seq>> {
        let snapshot = self.snapshot()?;
        let list: Vec<SmoochId> = ids.iter().cloned().collect();
        let heads = connected(&snapshot, app, &list)?;
        let mut todo: Vec<Seq> =
            heads.into_iter().filter(|(id, _)| ids.contains(id)).filter_map(|(_, head)| head).collect();
        let sql = "SELECT users FROM journal WHERE seq = ?1 AND app = ?2";
        let mut select = snapshot.prepare_cached(sql)?;
        let mut numbers = BTreeSet::new();
        while let Some(seq) = todo.pop() {
            let users = select.query_row(params![seq as i64, app.as_str()], |row| row.get::<_, String>(0));
            let Some(users) = users.optional()?.filter(|_| numbers.insert(seq)) else {
                continue;
            };
            let users = users_of(&users)?.into_iter().filter(|(id, _)| ids.contains(id));
            todo.extend(users.filter_map(|(_, previous)| previous));
        }
        Ok(numbers)
    }

    fn last(&mut self) -> Result<Seq> {
        let sql = "SELECT max((SELECT coalesce(max(seq), 0) FROM journal), seq) FROM horizon";
        let last: i64 = self.snapshot()?.query_row(sql, [], |row| row.get(0))?;
        Ok(last as Seq)
    }

    fn held(&mut self, wanted: &Wanted, limit: usize) -> Result<Vec<Held>> {
        let columns = "seq, app, received, reason, detail, length(body)";
        select(&*self.snapshot()?, columns, "quarantine", "reason", wanted, limit, |row| {
            Ok(Held {
                seq: row.get::<_, i64>(0)? as Seq,
                app: row.get_ref(1)?.as_str()?.into(),
                received: row.get(2)?,
                reason: row.get(3)?,
                detail: row.get(4)?,
                bytes: row.get::<_, i64>(5)? as u64,
            })
        })
    }

    fn quarantined(&mut self, seq: Seq) -> Result<Option<Quarantined>> {
        let sql = "SELECT app, received, reason, detail, headers, body FROM quarantine WHERE seq = ?1";
        let snapshot = self.snapshot()?;
        let found = snapshot.query_row(sql, [i64::try_from(seq).unwrap_or(i64::MAX)], |row| {
            Ok(Quarantined {
                app: row.get_ref(0)?.as_str()?.into(),
                received: row.get(1)?,
                reason: row.get(2)?,
                detail: row.get(3)?,
                headers: row.get(4)?,
                body: Bytes::from(row.get::<_, Vec<u8>>(5)?),
            })
        });
        Ok(found.optional()?)
    }

    fn records(&mut self, app: &AppId, ids: &BTreeSet<SmoochId>) -> Result<Vec<(RecordKey, Record)>> {
        super::load::records(&*self.snapshot()?, app, ids)
    }

    fn quarantined_of(&mut self, app: &AppId, ids: &BTreeSet<SmoochId>) -> Result<Vec<(u64, Quarantined)>> {
        super::forget::quarantined_of(&*self.snapshot()?, app, ids)
    }
}

/// The rows of `table` that are wanted, `word` being the column of [`Wanted::word`].
fn select<T>(
    conn: &Connection,
    columns: &str,
    table: &str,
    word: &str,
    wanted: &Wanted,
    limit: usize,
    read: impl Fn(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let order = if wanted.newest_first { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT {columns} FROM {table} WHERE seq BETWEEN ?1 AND ?2 AND app = coalesce(?3, app)
             AND {word} = coalesce(?4, {word}) AND received BETWEEN ?5 AND ?6 ORDER BY seq {order} LIMIT ?7"
    );
    let mut select = conn.prepare_cached(&sql)?;
    let mut found = Vec::new();
    let mut between = |from: Seq, to: Seq| -> Result<bool> {
        let number = |seq: Seq| i64::try_from(seq).unwrap_or(i64::MAX);
        let left = i64::try_from(limit - found.len()).unwrap_or(i64::MAX);
        let mut rows = select.query(params![
            number(from),
            number(to),
            wanted.app.as_ref().map(AppId::as_str),
            wanted.word,
            wanted.since.unwrap_or(i64::MIN),
            wanted.until.unwrap_or(i64::MAX),
            left
        ])?;
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found.len() < limit)
    };
    match &wanted.among {
        None => _ = between(wanted.from, wanted.to)?,
        Some(_) if wanted.from > wanted.to => {}
        Some(among) => {
            let among = among.range(wanted.from..=wanted.to);
            let mut in_order: Box<dyn Iterator<Item = &Seq>> =
                if wanted.newest_first { Box::new(among.rev()) } else { Box::new(among) };
            while let Some(seq) = in_order.next()
                && between(*seq, *seq)?
            {}
        }
    }
    Ok(found)
}

/// Bytes of bodies beyond which a page takes no further entry.
const PAGE_BYTES: usize = 16 << 20;

/// A page of the journal. `conn` must be in a transaction.
pub(super) fn journal(conn: &Connection, after: Seq, limit: usize) -> Result<Vec<(Entry, Bytes)>> {
    let sql = format!("SELECT {ENTRY} FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2");
    let mut select = conn.prepare_cached(&sql)?;
    let mut rows = select.query(params![after as i64, limit as i64])?;
    let (mut page, mut batch, mut bytes) = (Vec::new(), Unpacked::default(), 0);
    while let Some(row) = rows.next()?.filter(|_| bytes < PAGE_BYTES) {
        let entry = entry(row)?;
        let (_, body) = batch.body(conn, &entry)?;
        bytes += body.len();
        page.push((entry, body));
    }
    Ok(page)
}

/// The bodies of the last batch that one was asked of.
#[derive(Default)]
pub(super) struct Unpacked(Option<(i64, Vec<Bytes>)>);

impl Unpacked {
    /// The body that an entry came in; empty where it is not kept any more. Where the row of its batch is lost it may be
    /// that of an earlier one: [`event`] tells.
    pub(super) fn body(&mut self, conn: &Connection, entry: &Entry) -> Result<BatchBody> {
        let first = first_of_batch(conn, entry.seq)?;
        if let Some(first) = first.filter(|first| self.0.as_ref().is_none_or(|(known, _)| known != first)) {
            let unpacked = bodies(conn, first).map_err(|error| match error {
                Error::Damaged(_) => Error::Hole(entry.seq),
                error => error,
            })?;
            self.0 = Some((first, unpacked));
        }
        let batch = self.0.as_ref().filter(|(known, _)| Some(*known) == first);
        if let Some((first, body)) = batch.and_then(|(first, all)| Some((*first, all.get(entry.body)?))) {
            return Ok((first as Seq, body.clone()));
        }
        if entry.seq <= horizon(conn)?.folded {
            return Ok((first.unwrap_or(0) as Seq, Bytes::new()));
        }
        Err(Error::Hole(entry.seq))
    }
}

/// The body that each of these entries came in, as [`Unpacked::body`] has it, with the first number of its batch.
pub(super) fn bodies_of(conn: &Connection, entries: &[Entry]) -> Result<Vec<BatchBody>> {
    let mut batch = Unpacked::default();
    entries.iter().map(|entry| batch.body(conn, entry)).collect()
}
