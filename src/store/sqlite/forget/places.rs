//! The person out of the feed, the kept answers and the quarantine.

use rusqlite::params;

use super::ids::IdSet;
use super::work::{Forget, from_json, json};
use crate::domain::SmoochId;
use crate::domain::command::{CommandOutcome, Refusal};
use crate::store::sqlite::{Error, Result};

/// Changes, answers and bodies that one step looks at.
const CHANGES: usize = 256;
const ANSWERS: usize = 64;
const QUARANTINED: usize = 2;

impl Forget<'_> {
    /// The numbers stay, since they have no gap; which fields were different goes.
    pub(super) fn changes(&mut self, after: i64) -> Result<Option<i64>> {
        let sql = "SELECT seq, user, fields FROM changes
                       WHERE app = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
        let mut select = self.conn.prepare_cached(sql)?;
        let rows = select.query_map(params![self.app.as_str(), after, CHANGES as i64], |row| {
            Ok((row.get(0)?, SmoochId::from(row.get_ref(1)?.as_str()?), row.get(2)?))
        });
        let rows: Vec<(i64, SmoochId, String)> = rows?.collect::<rusqlite::Result<_>>()?;
        let mut update =
            self.conn.prepare_cached("UPDATE changes SET fields = ?3 WHERE app = ?1 AND seq = ?2")?;
        for (seq, user, fields) in &rows {
            let names: Vec<String> = from_json(fields)?;
            let own = self.work.ids.contains(user);
            let kin = || self.work.needles.kin.contains(user);
            let left: Vec<&String> = if own {
                Vec::new()
            } else if kin() {
                names.iter().filter(|name| !self.work.needles.fields.contains(*name)).collect()
            } else {
                continue;
            };
            if left.len() < names.len() {
                update.execute(params![self.app.as_str(), seq, json(&left)?])?;
                self.counts.changes += 1;
            }
        }
        Ok(rows.last().map(|(seq, ..)| *seq))
    }

    /// Whoever asks again is told that there is no such app user: done anew, it would bring them back.
    pub(super) fn answers(&mut self, after: i64) -> Result<Option<i64>> {
        let sql = "SELECT rowid, answer FROM answers
                       WHERE app = ?1 AND rowid > ?2 ORDER BY rowid LIMIT ?3";
        let mut select = self.conn.prepare_cached(sql)?;
        let rows = select.query_map(params![self.app.as_str(), after, ANSWERS as i64], |row| {
            Ok((row.get(0)?, row.get(1)?))
        });
        let rows: Vec<(i64, Vec<u8>)> = rows?.collect::<rusqlite::Result<_>>()?;
        let gone: std::result::Result<CommandOutcome, Refusal> = Err(Refusal::NoUser);
        let gone = postcard::to_stdvec(&gone).map_err(|error| Error::Unavailable(error.to_string()))?;
        for (rowid, answer) in &rows {
            if self.work.needles.shown_in(&self.work.ids, answer) {
                let sql = "UPDATE answers SET answer = ?2 WHERE rowid = ?1";
                self.conn.execute(sql, params![rowid, gone])?;
                self.counts.answers += 1;
            }
        }
        Ok(rows.last().map(|(rowid, ..)| *rowid))
    }

    /// Of a body that mentions the person, the events that do not may stay.
    pub(super) fn quarantine(&mut self, after: i64) -> Result<Option<i64>> {
        let sql = "SELECT seq, app, headers, body FROM quarantine WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let mut select = self.conn.prepare_cached(sql)?;
        let mut rows = select.query(params![after, QUARANTINED as i64])?;
        let ids = IdSet::of(&self.work.ids);
        let named = |text: &[u8]| ids.named_in(text) || self.work.needles.mentioned_in(text);
        let (mut last, mut found) = (None, Vec::new());
        while let Some(row) = rows.next()? {
            let own = row.get_ref(1)?.as_str()? == self.app.as_str();
            let (headers, body) = (row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_blob()?);
            let about = own && (named(body) || named(headers.as_bytes()));
            let rest =
                || (self.reading.without)(body, &|text| named(text)).filter(|_| !named(headers.as_bytes()));
            let (seq, about) = (row.get::<_, i64>(0)?, about.then(|| (body.len() as u64, rest())));
            found.extend(about.map(|(bytes, rest)| (seq, bytes, rest)));
            last = Some(seq);
        }
        for (seq, bytes, rest) in found {
            if let Some(rest) = &rest {
                let sql = "UPDATE quarantine SET body = ?2 WHERE seq = ?1";
                self.conn.execute(sql, params![seq, rest])?;
                self.kept.quarantine.1 = self.kept.quarantine.1.saturating_sub(bytes) + rest.len() as u64;
            } else {
                self.conn.execute("DELETE FROM quarantine WHERE seq = ?1", [seq])?;
                self.kept.let_go_of_quarantined(bytes);
            }
            self.counts.quarantine += 1;
        }
        Ok(last)
    }
}
