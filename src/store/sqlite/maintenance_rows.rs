//! The rows that retention, compaction, erasure and the examination of a journal read.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::journal_rows::{ENTRY, end_of_batch, entry, entry_alone, users_of};
use crate::domain::{AppId, RecordKey, SmoochId};
use crate::store::maintenance_rows::{ExaminationRows, RetentionRows};
use crate::store::{Entry, Error, Result, Seq};

impl RetentionRows for Connection {
    fn oldest_entries(&self, up_to: Seq, limit: usize) -> Result<Vec<(Seq, i64)>> {
        let sql = "SELECT seq, received FROM journal WHERE seq <= ?1 ORDER BY seq LIMIT ?2";
        let mut select = self.prepare_cached(sql)?;
        let rows = select.query_map([up_to as i64, limit as i64], number_and_time);
        Ok(rows?.collect::<rusqlite::Result<_>>()?)
    }

    fn body_sizes(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, u64)>> {
        let sql =
            "SELECT first_seq, length(bodies) FROM bodies WHERE first_seq > ?1 ORDER BY first_seq LIMIT ?2";
        let mut select = self.prepare_cached(sql)?;
        let rows = select.query_map([after as i64, limit as i64], |row| {
            Ok((row.get::<_, i64>(0)? as Seq, row.get::<_, i64>(1)? as u64))
        });
        Ok(rows?.collect::<rusqlite::Result<_>>()?)
    }

    fn batch_entries(&self, first: Seq) -> Result<Vec<Entry>> {
        let sql = format!("SELECT {ENTRY} FROM journal WHERE seq >= ?1 AND seq < ?2 ORDER BY seq");
        let mut select = self.prepare_cached(&sql)?;
        let rows = select.query_map([first as i64, end_of_batch(self, first)?], |row| Ok(entry(row)));
        rows?.map(|entry| entry?).collect()
    }

    fn feeds(&self) -> Result<Vec<(AppId, u64)>> {
        let mut select = self.prepare_cached("SELECT app, seq FROM feeds")?;
        let rows = select
            .query_map([], |row| Ok((AppId::from(row.get_ref(0)?.as_str()?), row.get::<_, i64>(1)? as u64)));
        Ok(rows?.collect::<rusqlite::Result<_>>()?)
    }

    fn oldest_changes(&self, app: &AppId, limit: usize) -> Result<Vec<(u64, i64)>> {
        let sql = "SELECT seq, time FROM changes WHERE app = ?1 ORDER BY seq LIMIT ?2";
        let mut select = self.prepare_cached(sql)?;
        let rows = select.query_map(params![app.as_str(), limit as i64], number_and_time);
        Ok(rows?.collect::<rusqlite::Result<_>>()?)
    }
}

fn number_and_time(row: &Row<'_>) -> rusqlite::Result<(u64, i64)> {
    Ok((row.get::<_, i64>(0)? as u64, row.get(1)?))
}

impl ExaminationRows for Connection {
    fn damaged_entries(&self, seqs: &[Seq]) -> Result<Vec<Option<Entry>>> {
        let sql = format!("SELECT {ENTRY} FROM journal WHERE seq = ?1");
        let mut select = self.prepare_cached(&sql)?;
        let entries = seqs.iter().map(|seq| {
            let found = select.query_row([*seq as i64], |row| Ok(damaged_entry(row)));
            found.optional()?.transpose()
        });
        entries.collect()
    }

    fn damaged_entries_after(&self, after: Seq, limit: usize) -> Result<Vec<Entry>> {
        let sql = format!("SELECT {ENTRY} FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2");
        let mut select = self.prepare_cached(&sql)?;
        let rows = select.query_map([after as i64, limit as i64], |row| Ok(damaged_entry(row)));
        rows?.map(|entry| entry?).collect()
    }

    fn deleted_ranges(&self, first: Seq, last: Seq) -> Result<Vec<(Seq, Seq)>> {
        let sql = "SELECT first, last FROM gaps
                   WHERE first >= coalesce((SELECT max(first) FROM gaps WHERE first <= ?1), ?1)
                       AND first <= ?2 AND last >= ?1 ORDER BY first";
        let mut select = self.prepare_cached(sql)?;
        let rows = select.query_map([first as i64, last as i64], |row| {
            Ok((row.get::<_, i64>(0)? as Seq, row.get::<_, i64>(1)? as Seq))
        });
        Ok(rows?.collect::<rusqlite::Result<_>>()?)
    }

    fn last_known_entry(&self) -> Result<Seq> {
        let mut last = 0;
        for of in ["max(first_seq) FROM bodies", "max(seq) FROM receipts", "max(seq) FROM horizon"] {
            let found = self.query_row(&format!("SELECT {of}"), [], |row| row.get::<_, Option<i64>>(0));
            last = match found.map_err(Error::from) {
                // A lost derived table proves nothing; it is reported as a fault of its own.
                Err(Error::Derived { .. }) => last,
                found => last.max(found?.unwrap_or(0) as Seq),
            };
        }
        Ok(last)
    }

    fn records_after(&self, after: Option<&RecordKey>, limit: usize) -> Result<Vec<(RecordKey, Vec<u8>)>> {
        let sql =
            "SELECT app, id, record FROM app_users WHERE (app, id) > (?1, ?2) ORDER BY app, id LIMIT ?3";
        let mut select = self.prepare_cached(sql)?;
        let (app, id) = after.map_or(("", ""), |(app, id)| (app.as_str(), id.as_str()));
        let rows = select.query_map(params![app, id, limit as i64], |row| {
            let key = (AppId::from(row.get_ref(0)?.as_str()?), SmoochId::from(row.get_ref(1)?.as_str()?));
            Ok((key, row.get_ref(2)?.as_blob()?.to_vec()))
        });
        Ok(rows?.collect::<rusqlite::Result<_>>()?)
    }
}

fn damaged_entry(row: &Row<'_>) -> Result<Entry> {
    let (entry, users) = entry_alone(row)?;
    Ok(Entry { users: users_of(&users).unwrap_or_default(), ..entry })
}
