//! What an operator looks up in the journal and in quarantine.

use std::collections::BTreeSet;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Result;
use super::journal_rows::{ENTRY, entry, users_of};
use super::reader::SqliteReader;
use crate::directory::history::connected;
use crate::directory::journal::bodies_of;
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
        let heads = connected(&*snapshot, app, &list)?;
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
        crate::directory::load::records(&*self.snapshot()?, app, ids)
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
