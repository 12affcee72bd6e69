//! What is kept long enough goes, the oldest first, a little at a time.

use rusqlite::{Connection, params};

use super::{Kept, Result, base, gaps};
use crate::store::{ANSWERS_KEPT, Entry, ReadEvent, Retention, Seq};

/// Rows that one step deletes.
const STEP: usize = 64;
/// Rows of bodies that one step measures.
const MEASURED: usize = 256;

/// One step: whether there may be more to do at once.
pub(super) fn step(
    conn: &Connection,
    kept: &mut Kept,
    retention: &Retention,
    now: i64,
    read: ReadEvent,
) -> Result<bool> {
    let keep = Keep { conn, retention, now };
    Ok(keep.bodies(kept, read)?
        || keep.history(kept)?
        || keep.feed()?
        || keep.quarantine(kept)?
        || keep.answers()?)
}

struct Keep<'a> {
    conn: &'a Connection,
    retention: &'a Retention,
    now: i64,
}

impl Keep<'_> {
    /// Folds entries into the base whose bodies, or which themselves, need not stay.
    fn bodies(&self, kept: &mut Kept, read: ReadEvent) -> Result<bool> {
        let Retention { history_age, history_entries, bodies_age, bodies_bytes, .. } = *self.retention;
        if [history_age, bodies_age].iter().all(Option::is_none) && history_entries.or(bodies_bytes).is_none()
        {
            return Ok(false);
        }
        let measuring = bodies_bytes.is_some() && self.measure(kept)?;
        let too_large = bodies_bytes.is_some_and(|most| kept.bodies_bytes > most);
        let last = self.last_entry()?;
        let may_go = |entry: &Entry| {
            let too_old = |age: Option<i64>| age.is_some_and(|age| entry.received < self.now - age);
            let too_many = history_entries.is_some_and(|most| last - entry.seq >= most);
            too_large || too_many || too_old(history_age) || too_old(bodies_age)
        };
        Ok(base::fold(self.conn, kept, read, may_go)? || measuring)
    }

    fn last_entry(&self) -> Result<Seq> {
        let mut select = self.conn.prepare_cached("SELECT coalesce(max(seq), 0) FROM journal")?;
        Ok(select.query_row([], |row| row.get::<_, i64>(0)).map(|seq| seq as u64)?)
    }

    /// Adds up the bytes of bodies not counted yet; whether there are more of them.
    fn measure(&self, kept: &mut Kept) -> Result<bool> {
        let sql = "SELECT count(*), max(first_seq), sum(length(bodies)) FROM
                       (SELECT first_seq, bodies FROM bodies WHERE first_seq > ?1 ORDER BY first_seq LIMIT ?2)";
        let mut select = self.conn.prepare_cached(sql)?;
        let (rows, last, bytes): (i64, Option<i64>, Option<i64>) = select
            .query_row(params![kept.bodies_to, MEASURED as i64], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        kept.bodies_to = last.unwrap_or(kept.bodies_to);
        kept.bodies_bytes += bytes.unwrap_or(0) as u64;
        Ok(rows as usize == MEASURED)
    }

    /// Deletes entries that are in the base.
    fn history(&self, kept: &Kept) -> Result<bool> {
        let Retention { history_age, history_entries, .. } = *self.retention;
        if history_age.is_none() && history_entries.is_none() {
            return Ok(false);
        }
        let last = self.last_entry()?;
        let sql = "SELECT seq, received FROM journal WHERE seq <= ?1 ORDER BY seq LIMIT ?2";
        let may_go = |seq: u64, received: i64| {
            history_age.is_some_and(|age| received < self.now - age)
                || history_entries.is_some_and(|most| last - seq >= most)
        };
        let up_to = self.oldest(sql, params![kept.folded as i64, STEP as i64], may_go)?;
        let Some(up_to) = up_to else { return Ok(false) };
        gaps::trim_gaps(self.conn, up_to)?;
        let mut delete = self.conn.prepare_cached("DELETE FROM journal WHERE seq <= ?1")?;
        Ok(delete.execute([up_to as i64])? > 0)
    }

    fn feed(&self) -> Result<bool> {
        let Retention { feed_age, feed_changes, .. } = *self.retention;
        if feed_age.is_none() && feed_changes.is_none() {
            return Ok(false);
        }
        let mut select = self.conn.prepare_cached("SELECT app, seq FROM feeds")?;
        let feeds = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let feeds: Vec<(String, i64)> = feeds.collect::<rusqlite::Result<_>>()?;
        let sql = "SELECT seq, time FROM changes WHERE app = ?1 ORDER BY seq LIMIT ?2";
        for (app, last) in feeds {
            let may_go = |seq: u64, time: i64| {
                feed_age.is_some_and(|age| time < self.now - age)
                    || feed_changes.is_some_and(|most| last as u64 - seq >= most)
            };
            if let Some(up_to) = self.oldest(sql, params![app, STEP as i64], may_go)? {
                let sql = "DELETE FROM changes WHERE app = ?1 AND seq <= ?2";
                self.conn.execute(sql, params![app, up_to as i64])?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn quarantine(&self, kept: &mut Kept) -> Result<bool> {
        let Some(age) = self.retention.quarantine_age else { return Ok(false) };
        // A body in quarantine can be as large as a webhook: few at a time.
        let sql = "DELETE FROM quarantine WHERE received < ?1
                       AND seq IN (SELECT seq FROM quarantine ORDER BY seq LIMIT 2) RETURNING length(body)";
        let mut delete = self.conn.prepare_cached(sql)?;
        let lengths = delete.query_map([self.now - age], |row| row.get::<_, i64>(0))?;
        let lengths: Vec<i64> = lengths.collect::<rusqlite::Result<_>>()?;
        lengths.iter().for_each(|length| kept.let_go_of_quarantined(*length as u64));
        Ok(!lengths.is_empty())
    }

    /// Nobody asks again after a day.
    fn answers(&self) -> Result<bool> {
        let sql = "DELETE FROM answers WHERE time < ?1
                       AND rowid IN (SELECT rowid FROM answers ORDER BY rowid LIMIT ?2)";
        let mut delete = self.conn.prepare_cached(sql)?;
        let gone = delete.execute(params![self.now - ANSWERS_KEPT, STEP as i64])?;
        Ok(gone > 0)
    }

    /// The last of the oldest rows that may all go, by number and time.
    fn oldest(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        may_go: impl Fn(u64, i64) -> bool,
    ) -> Result<Option<u64>> {
        let mut select = self.conn.prepare_cached(sql)?;
        let rows = select.query_map(params, |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)));
        let rows: Vec<(u64, i64)> = rows?.collect::<rusqlite::Result<_>>()?;
        Ok(rows.into_iter().take_while(|(seq, time)| may_go(*seq, *time)).last().map(|(seq, _)| seq))
    }
}
