//! Finds holes in the journal: numbers without an entry, entries without their app users or their body. Each entry
//! links every app user to that user's entry before, and each record links to the user's last entry, so the app
//! users of a hole are known (decision 33).

use std::collections::BTreeSet;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::hole::{Hole, Lost};
use crate::directory::journal::UnpackedBatch;
use crate::domain::{AppId, Event, Record, RecordKey, SmoochId};
use crate::format::record::decode;
use crate::store::rows::JournalRows as _;
use crate::store::sqlite::journal_rows::{ENTRY, entry_alone, users_of};
use crate::store::sqlite::{Error, Result, compacted, gaps};
use crate::store::{self, Entry, ReadEvent, Seq};

/// Bytes of bodies after which a page ends.
pub(crate) const PAGE_BYTES: usize = 16 << 20;

/// An examination of the journal, page by page from its first entry.
#[derive(Debug, Default)]
pub struct Examination {
    /// The last entry examined.
    last: Seq,
    /// The last record examined.
    after: Option<RecordKey>,
    holes: Vec<Hole>,
    /// App users with a hole in their entries.
    lacking: BTreeSet<RecordKey>,
    /// In the second pass over the records, which looks for removed app users.
    is_after_the_gone: bool,
}

impl Examination {
    /// Starts after an entry.
    pub fn after(last: Seq) -> Self {
        Self { last, ..Self::default() }
    }

    /// The holes, ordered by number.
    pub fn holes(&self) -> Vec<Hole> {
        let mut found = self.holes.clone();
        found.sort_by_key(|hole| (hole.lost != Lost::Entry, hole.first));
        let mut holes: Vec<Hole> = Vec::new();
        for hole in found {
            match holes.last_mut() {
                Some(last) if last.lost == hole.lost && hole.first <= last.last + 1 => {
                    last.last = last.last.max(hole.last);
                }
                _ => holes.push(hole),
            }
        }
        holes.sort_by_key(|hole| hole.first);
        holes
    }

    /// App users with a hole in their entries, so far.
    pub fn lacking(&self) -> &BTreeSet<RecordKey> {
        &self.lacking
    }

    /// The last entry examined.
    pub fn last(&self) -> Seq {
        self.last
    }

    /// Examines the next entries, up to `limit` entries and about `limit` bytes of bodies, while `goes_on` accepts
    /// them. Returns those found, each with its event if the body is needed and whole. `conn` must be in a
    /// transaction.
    pub(crate) fn page(
        &mut self,
        conn: &Connection,
        limit: (usize, usize),
        read: ReadEvent,
        mut goes_on: impl FnMut(&Entry) -> bool,
    ) -> Result<Vec<(Entry, Option<Event>)>> {
        let folded = conn.compaction_point()?.folded;
        let sql = format!("SELECT {ENTRY} FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2");
        let mut select = conn.prepare_cached(&sql)?;
        let mut rows = select.query(params![self.last as i64, limit.0 as i64])?;
        let (mut page, mut bodies, mut bytes) = (Vec::new(), UnpackedBatch::default(), 0);
        while let Some(row) = rows.next()?.filter(|_| bytes < limit.1) {
            let entry = self.entry(row)?;
            if !goes_on(&entry) {
                self.forget(entry.seq);
                break;
            }
            for (first, last) in gaps::missing_ranges(conn, self.last + 1, entry.seq - 1)? {
                self.lost(first, last, Lost::Entry);
            }
            self.last = entry.seq;
            self.links(conn, &entry)?;
            let mut event = None;
            if entry.seq > folded {
                let body = body(conn, &mut bodies, &entry)?;
                bytes += body.as_ref().map_or(0, Bytes::len);
                event = body.and_then(|body| store::event(&entry, &body, read).ok());
                if event.is_none() {
                    self.lost(entry.seq, entry.seq, Lost::Body);
                    let users = entry.users.iter().map(|(id, _)| (entry.app.clone(), id.clone()));
                    self.lacking.extend(users);
                }
            }
            page.push((entry, event));
        }
        Ok(page)
    }

    /// Reads an entry, without app users if these are unreadable.
    fn entry(&mut self, row: &Row<'_>) -> Result<Entry> {
        let (entry, users) = entry_alone(row)?;
        let users = users_of(&users).unwrap_or_default();
        if users.is_empty() {
            self.lost(entry.seq, entry.seq, Lost::Users);
        }
        Ok(Entry { users, ..entry })
    }

    /// Withdraws the holes of an entry that was not accepted.
    fn forget(&mut self, seq: Seq) {
        self.holes.retain(|hole| hole.last < seq);
    }

    /// The entry before, of each app user, must exist and name the app user.
    fn links(&mut self, conn: &Connection, entry: &Entry) -> Result<()> {
        for (id, before) in &entry.users {
            let Some(before) = *before else { continue };
            let names = UserNamed::of(conn, before, &entry.app, id)?;
            if names == UserNamed::Yes || names == UserNamed::Gone || is_erased(conn, &entry.app, id)? {
                continue;
            }
            if names == UserNamed::No {
                self.lost(before, before, Lost::Users);
            }
            self.lacking.insert((entry.app.clone(), id.clone()));
        }
        Ok(())
    }

    /// Call once all entries of a snapshot are examined. Finds missing entries after the last one, by the numbers
    /// in bodies, receipts and the horizon.
    pub(crate) fn end(&mut self, conn: &Connection) -> Result<()> {
        let mut last = 0;
        for of in ["max(first_seq) FROM bodies", "max(seq) FROM receipts", "max(seq) FROM horizon"] {
            let found = conn.query_row(&format!("SELECT {of}"), [], |row| row.get::<_, Option<i64>>(0));
            last = match found.map_err(Error::from) {
                // A lost derived table proves nothing; it is reported as a fault of its own.
                Err(Error::Derived { .. }) => last,
                found => last.max(found?.unwrap_or(0) as Seq),
            };
        }
        // The last entries may have been removed by retention.
        self.last = gaps::end_of_gaps(conn, self.last)?;
        if last > self.last {
            self.lost(self.last + 1, last, Lost::Entry);
        }
        Ok(())
    }

    /// Examines the next records, up to `limit`, once all entries are examined. Returns how many there were.
    /// `conn` must be in a transaction. If there are holes, all records are read a second time: a missing entry
    /// may be the one that removed or erased an app user, and the record of an erased user has no link to it.
    pub(crate) fn records(&mut self, conn: &Connection, limit: usize, read: ReadEvent) -> Result<usize> {
        let count = self.some_records(conn, limit, read)?;
        if count > 0 || self.is_after_the_gone || self.holes.is_empty() {
            return Ok(count);
        }
        (self.is_after_the_gone, self.after) = (true, None);
        self.some_records(conn, limit, read)
    }

    fn some_records(&mut self, conn: &Connection, limit: usize, read: ReadEvent) -> Result<usize> {
        let sql =
            "SELECT app, id, record FROM app_users WHERE (app, id) > (?1, ?2) ORDER BY app, id LIMIT ?3";
        let mut select = match conn.prepare_cached(sql).map_err(Error::from) {
            // The lost table is reported as a fault of its own.
            Err(Error::Derived { .. }) => return Ok(0),
            select => select?,
        };
        let (app, id) = self.after.as_ref().map_or(("", ""), |(app, id)| (app.as_str(), id.as_str()));
        let mut rows = select.query(params![app, id, limit as i64])?;
        let (mut count, mut last) = (0, None);
        while let Some(row) = rows.next()? {
            let key = (AppId::from(row.get_ref(0)?.as_str()?), SmoochId::from(row.get_ref(1)?.as_str()?));
            let record = decode(row.get_ref(2)?.as_blob()?).ok();
            match record {
                Some(record) if !self.is_after_the_gone => self.head(conn, &key, &record, read)?,
                Some(record) if record.removed => _ = self.lacking.insert(key.clone()),
                _ => {}
            }
            (count, last) = (count + 1, Some(key));
        }
        drop(rows);
        self.after = last.or(self.after.take());
        Ok(count)
    }

    /// The last entry of an app user must exist and name the app user.
    fn head(&mut self, conn: &Connection, key: &RecordKey, record: &Record, read: ReadEvent) -> Result<()> {
        let Some(head) = record.head.filter(|_| !record.erased) else { return Ok(()) };
        let is_lacking = match UserNamed::of(conn, head, &key.0, &key.1)? {
            UserNamed::Yes => false,
            UserNamed::Missing => {
                self.behind(conn, head)?;
                true
            }
            // Its result is in the compacted record, unless it was missing at the compaction.
            UserNamed::Gone => compacted::read_record(conn, key)?.is_none_or(|base| base.head != record.head),
            UserNamed::No => {
                let is_about = is_about(conn, head, &key.1, read)?;
                if is_about {
                    self.lost(head, head, Lost::Users);
                }
                // Otherwise the record has the wrong head.
                is_about
            }
        };
        if is_lacking {
            self.lacking.insert(key.clone());
        }
        Ok(())
    }

    /// The entry `seq`, after the last one examined, is missing, and with it all entries in between.
    fn behind(&mut self, conn: &Connection, seq: Seq) -> Result<()> {
        if seq > self.last {
            let sql = "SELECT 1 FROM journal WHERE seq > ?1 AND seq < ?2";
            let mut between = conn.prepare_cached(sql)?;
            let goes_on = between.exists(params![self.last as i64, seq as i64])?;
            self.lost(if goes_on { seq } else { self.last + 1 }, seq, Lost::Entry);
        }
        Ok(())
    }

    fn lost(&mut self, first: Seq, last: Seq, lost: Lost) {
        let known = |hole: &Hole| hole.lost == lost && hole.first <= first && last <= hole.last;
        if self.holes.iter().rev().take(64).any(known) {
            return;
        }
        match self.holes.last_mut() {
            Some(hole) if hole.lost == lost && hole.last + 1 == first => hole.last = last,
            _ => self.holes.push(Hole { first, last, lost }),
        }
    }
}

/// Whether an entry names an app user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UserNamed {
    Yes,
    No,
    /// There is no entry, and no reason for that.
    Missing,
    /// There is no entry, because retention or an erasure removed it.
    Gone,
}

impl UserNamed {
    fn of(conn: &Connection, seq: Seq, app: &AppId, id: &SmoochId) -> Result<Self> {
        let sql = "SELECT app, users FROM journal WHERE seq = ?1";
        let mut select = conn.prepare_cached(sql)?;
        let found = select.query_row([seq as i64], |row| {
            let is_of = row.get_ref(0)?.as_str()? == app.as_str();
            Ok(is_of
                && users_of(row.get_ref(1)?.as_str()?)
                    .is_ok_and(|users| users.iter().any(|(user, _)| user == id)))
        });
        Ok(match found.optional()? {
            Some(true) => Self::Yes,
            Some(false) => Self::No,
            None if gaps::is_gap(conn, seq)? => Self::Gone,
            None => Self::Missing,
        })
    }
}

/// Whether the event of an entry is about an app user whom the entry does not name. True if the event is
/// unreadable.
fn is_about(conn: &Connection, seq: Seq, id: &SmoochId, read: ReadEvent) -> Result<bool> {
    let sql = format!("SELECT {ENTRY} FROM journal WHERE seq = ?1");
    let mut select = conn.prepare_cached(&sql)?;
    let found = select.query_row([seq as i64], |row| Ok(entry_alone(row))).optional()?;
    let Some((entry, _)) = found.transpose()? else { return Ok(true) };
    let body = body(conn, &mut UnpackedBatch::default(), &entry)?.filter(|body| !body.is_empty());
    let event = body.and_then(|body| store::event(&entry, &body, read).ok());
    Ok(event.is_none_or(|event| match id.is_app() {
        true => event.users().is_empty(),
        false => event.users().contains(&id),
    }))
}

/// The body of an entry, if it can be unpacked.
fn body(conn: &Connection, bodies: &mut UnpackedBatch, entry: &Entry) -> Result<Option<Bytes>> {
    match bodies.body(conn, entry) {
        Ok((_, body)) => Ok(Some(body)),
        Err(Error::Hole(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_erased(conn: &Connection, app: &AppId, id: &SmoochId) -> Result<bool> {
    let sql = "SELECT 1 FROM erasures WHERE app = ?1 AND id = ?2";
    Ok(conn.prepare_cached(sql)?.exists(params![app.as_str(), id.as_str()])?)
}
