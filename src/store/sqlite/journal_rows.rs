//! The tables `journal`, `bodies` and `gaps`. A gap is a range of numbers that rightly have no entry: deleted by retention,
//! from the first one on, or by erasures. Any other number without an entry is a hole.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::derived::number_error;
use super::matching::select_matching;
use crate::domain::AppId;
use crate::store::rows::{EntryUsers, JournalRows, PackedBodies, RowFilter};
use crate::store::{CompactionPoint, Entry, Error, Outcome, Result, Seq, Source};

/// The columns that [`entry`] reads.
pub(crate) const ENTRY: &str =
    "seq, app, source, received, event_time, trigger, outcome, digest, users, body, place";

impl JournalRows for Connection {
    fn entries(&self, seqs: &[Seq]) -> Result<Vec<Option<Entry>>> {
        let sql = format!("SELECT {ENTRY} FROM journal WHERE seq = ?1");
        let mut select = self.prepare_cached(&sql)?;
        let entries = seqs.iter().map(|seq| {
            let found = select.query_row([*seq as i64], |row| Ok(entry(row)));
            found.optional()?.transpose()
        });
        entries.collect()
    }

    fn entries_after(&self, after: Seq, limit: usize) -> Result<Vec<Entry>> {
        let sql = format!("SELECT {ENTRY} FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2");
        let mut select = self.prepare_cached(&sql)?;
        let rows = select.query_map(params![after as i64, limit as i64], |row| Ok(entry(row)));
        rows?.map(|entry| entry?).collect()
    }

    fn entries_matching(&self, filter: &RowFilter, limit: usize) -> Result<Vec<Entry>> {
        select_matching(self, ENTRY, "journal", "trigger", filter, limit, entry)
    }

    fn users_of_entries(&self, app: &AppId, seqs: &[Seq]) -> Result<Vec<Option<EntryUsers>>> {
        let sql = "SELECT users FROM journal WHERE seq = ?1 AND app = ?2";
        let mut select = self.prepare_cached(sql)?;
        let users = seqs.iter().map(|seq| {
            let users = select.query_row(params![*seq as i64, app.as_str()], |row| row.get::<_, String>(0));
            users.optional()?.map(|users| users_of(&users)).transpose()
        });
        users.collect()
    }

    fn last_entry_seq(&self) -> Result<Seq> {
        let sql = "SELECT max((SELECT coalesce(max(seq), 0) FROM journal), seq) FROM horizon";
        let last: i64 = self.query_row(sql, [], |row| row.get(0))?;
        Ok(last as Seq)
    }

    fn first_of_batch(&self, seq: Seq) -> Result<Option<Seq>> {
        let sql = "SELECT max(first_seq) FROM bodies WHERE first_seq <= ?1";
        let mut select = self.prepare_cached(sql)?;
        let first: Option<i64> = select.query_row([seq as i64], |row| row.get(0))?;
        Ok(first.map(|first| first as Seq))
    }

    fn packed_bodies(&self, first: Seq) -> Result<Option<PackedBodies>> {
        let sql = "SELECT dictionary, bodies FROM bodies WHERE first_seq = ?1";
        let mut select = self.prepare_cached(sql)?;
        let packed = select.query_row([first as i64], |row| {
            Ok(PackedBodies { first, dictionary: row.get(0)?, bytes: row.get(1)? })
        });
        Ok(packed.optional()?)
    }

    fn compaction_point(&self) -> Result<CompactionPoint> {
        let sql = "SELECT seq, received, coalesce((SELECT min(seq) FROM journal), seq + 1) FROM horizon";
        let mut select = self.prepare_cached(sql)?;
        let read = |row: &Row<'_>| {
            let (folded, oldest): (i64, i64) = (row.get(0)?, row.get(2)?);
            Ok(CompactionPoint { folded: folded as Seq, received: row.get(1)?, oldest: oldest as Seq })
        };
        Ok(select.query_row([], read)?)
    }

    fn last_webhooks(&self, limit: usize) -> Result<Vec<(AppId, i64)>> {
        let sql = "SELECT app, max(received) FROM
                       (SELECT app, source, received FROM journal ORDER BY seq DESC LIMIT ?1)
                   WHERE source = 'webhook' GROUP BY app";
        let mut select = self.prepare_cached(sql)?;
        let recent =
            select.query_map([limit as i64], |row| Ok((row.get_ref(0)?.as_str()?.into(), row.get(1)?)));
        let recent: BTreeMap<AppId, i64> = recent?.collect::<rusqlite::Result<_>>()?;
        Ok(recent.into_iter().collect())
    }

    fn count_entries(&self) -> Result<u64> {
        let count: i64 = self.query_row("SELECT count(*) FROM journal", [], |row| row.get(0))?;
        Ok(count as u64)
    }
}

pub(crate) fn entry(row: &Row<'_>) -> Result<Entry> {
    let (entry, users) = entry_alone(row)?;
    Ok(Entry { users: users_of(&users)?, ..entry })
}

/// An entry without its app users, and these as they are kept.
pub(crate) fn entry_alone(row: &Row<'_>) -> Result<(Entry, String)> {
    let users: String = row.get(8)?;
    let entry = Entry {
        seq: row.get::<_, i64>(0)? as u64,
        app: row.get_ref(1)?.as_str()?.into(),
        source: row.get_ref(2)?.as_str()?.parse().unwrap_or(Source::Webhook),
        received: row.get(3)?,
        event_time: row.get(4)?,
        trigger: row.get_ref(5)?.as_str()?.into(),
        outcome: row.get_ref(6)?.as_str()?.parse().unwrap_or(Outcome::Kept),
        digest: row.get(7)?,
        users: Vec::new(),
        body: row.get::<_, i64>(9)? as usize,
        place: row.get::<_, i64>(10)? as usize,
    };
    Ok((entry, users))
}

/// Reads the `users` of a journal entry.
pub(crate) fn users_of(text: &str) -> Result<EntryUsers> {
    let users: Vec<(&str, Option<Seq>)> =
        serde_json::from_str(text).map_err(|error| Error::Damaged(format!("journal.users: {error}")))?;
    Ok(users.into_iter().map(|(id, prev)| (id.into(), prev)).collect())
}

fn users_to_json(entry: &Entry) -> Result<String> {
    let users: Vec<(&str, Option<Seq>)> =
        entry.users.iter().map(|(id, before)| (id.as_str(), *before)).collect();
    serde_json::to_string(&users).map_err(|error| Error::Unavailable(error.to_string()))
}

pub(super) fn append_entries(conn: &Connection, entries: &[Entry]) -> Result<()> {
    let sql = "INSERT INTO journal
                   (seq, app, source, received, event_time, trigger, outcome, digest, users, body, place)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let mut insert = conn.prepare_cached(sql)?;
    for entry in entries {
        let row = params![
            entry.seq as i64,
            entry.app.as_str(),
            entry.source.as_str(),
            entry.received,
            entry.event_time,
            &*entry.trigger,
            entry.outcome.as_str(),
            entry.digest,
            users_to_json(entry)?,
            entry.body as i64,
            entry.place as i64
        ];
        insert.execute(row).map_err(number_error)?;
    }
    Ok(())
}

pub(super) fn replace_entry(conn: &Connection, entry: &Entry) -> Result<()> {
    let sql = "UPDATE journal SET source = ?2, users = ?3, body = ?4, place = ?5 WHERE seq = ?1";
    let (source, users) = (entry.source.as_str(), users_to_json(entry)?);
    let row = params![entry.seq as i64, source, users, entry.body as i64, entry.place as i64];
    conn.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

pub(super) fn delete_entry(conn: &Connection, seq: Seq) -> Result<()> {
    let sql = "INSERT OR IGNORE INTO gaps (first, last) VALUES (?1, ?1)";
    conn.prepare_cached(sql)?.execute([seq as i64])?;
    conn.prepare_cached("DELETE FROM journal WHERE seq = ?1")?.execute([seq as i64])?;
    Ok(())
}

pub(super) fn delete_entries_up_to(conn: &Connection, seq: Seq) -> Result<()> {
    conn.prepare_cached("DELETE FROM gaps WHERE last <= ?1")?.execute([seq as i64])?;
    let sql = "INSERT INTO gaps (first, last) VALUES (1, ?1) ON CONFLICT (first) DO UPDATE SET last = ?1";
    conn.prepare_cached(sql)?.execute([seq as i64])?;
    conn.prepare_cached("DELETE FROM journal WHERE seq <= ?1")?.execute([seq as i64])?;
    Ok(())
}

pub(super) fn put_bodies(conn: &Connection, packed: &PackedBodies) -> Result<()> {
    let sql = "INSERT INTO bodies (first_seq, dictionary, bodies) VALUES (?1, ?2, ?3)
               ON CONFLICT (first_seq) DO UPDATE SET dictionary = excluded.dictionary, bodies = excluded.bodies";
    let PackedBodies { first, dictionary, bytes } = packed;
    conn.prepare_cached(sql)?.execute(params![*first as i64, dictionary, bytes])?;
    Ok(())
}

pub(super) fn delete_bodies(conn: &Connection, first: Seq) -> Result<()> {
    conn.prepare_cached("DELETE FROM bodies WHERE first_seq = ?1")?.execute([first as i64])?;
    Ok(())
}

/// The first entry behind a batch.
pub(super) fn end_of_batch(conn: &Connection, first: Seq) -> Result<i64> {
    let mut select = conn.prepare_cached("SELECT min(first_seq) FROM bodies WHERE first_seq > ?1")?;
    let next: Option<i64> = select.query_row([first as i64], |row| row.get(0))?;
    Ok(next.unwrap_or(i64::MAX))
}
