//! Whoever is erased is forgotten everywhere, a little at a time.
//!
//! The entry that erases somebody buries the record and leaves a receipt with what is to be looked for. Each
//! step takes up the oldest receipt that is open: first the journal, then everything else that may mention
//! the person. Then the log is emptied into the file, whose free pages hold nothing (`secure_delete`).

mod needles;
mod redact;

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::codec::decode;
use super::load::Loader;
use super::{Error, Kept, Result, base, trouble};
use crate::domain::command::{Done, Refusal};
use crate::domain::{AppId, Key, Reason, Recent, Record, SmoochId};
use crate::store::{Erased, Erasure, Quarantined, ReadEvent, Receipt, Seq};
use needles::Needles;

/// Entries, answers, changes and bodies that one step looks at.
const ENTRIES: usize = 8;
const ANSWERS: usize = 64;
const CHANGES: usize = 256;
const QUARANTINED: usize = 2;
/// The statistics hold samples of what can be looked up.
const STATISTICS: &str = "sqlite_stat4";

/// What a step came to.
pub(super) enum Step {
    /// Nobody is to be forgotten.
    Nothing,
    /// Something was done.
    Some,
    /// All that is left is to empty the log; then [`finish`] this receipt.
    Swept(Seq),
}

/// What is to be done yet for a receipt, as it is kept in the file.
#[derive(Serialize, Deserialize)]
struct Work {
    ids: BTreeSet<SmoochId>,
    needles: Needles,
    stage: Stage,
}

#[derive(Serialize, Deserialize)]
enum Stage {
    /// The journal of these app users, from these entries backwards.
    Journal(BTreeSet<Seq>),
    /// The app's own journal, from its last entry or this one backwards.
    Own(Option<Seq>),
    /// What the journal came to before it was trimmed, and the statistics.
    Base,
    /// The feed after this change.
    Changes(i64),
    /// Kept answers after this row.
    Answers(i64),
    /// The quarantine after this body.
    Quarantine(i64),
    /// The log.
    Sweep,
}

/// Leaves a tombstone for each, and a receipt for each entry that erases.
pub(super) fn begin(conn: &Connection, kept: &mut Kept, erasures: &[Erasure], now: i64) -> Result<()> {
    let mut receipts: BTreeMap<Seq, Vec<&Erasure>> = BTreeMap::new();
    for erasure in erasures {
        receipts.entry(erasure.seq).or_default().push(erasure);
        let sql = "INSERT OR IGNORE INTO erasures (app, id, receipt) VALUES (?1, ?2, ?3)";
        let mut insert = conn.prepare_cached(sql).map_err(trouble)?;
        let row = params![erasure.app.as_str(), erasure.id.as_str(), erasure.seq as i64];
        insert.execute(row).map_err(trouble)?;
        kept.erased = true;
    }
    for (seq, erased) in receipts {
        let records = || erased.iter().map(|erasure| &erasure.known);
        let mut needles = Needles::of(erased.iter().map(|erasure| (&erasure.id, &erasure.known)));
        let mut loader = Loader::new(conn, None, usize::MAX);
        erased.iter().try_for_each(|erasure| loader.group(&erasure.app, &erasure.id))?;
        needles.kin = loader.directory.entries().map(|((_, id), _)| id.clone()).collect();
        let work = Work {
            ids: erased.iter().map(|erasure| erasure.id.clone()).collect(),
            needles,
            stage: Stage::Journal(records().filter_map(|record| record.head).collect()),
        };
        let names = |record: &Record| record.user_ids().len() + record.claims.len();
        let counts = Erased {
            records: erased.len() as u64,
            identifiers: records().map(names).sum::<usize>() as u64,
            ..Erased::default()
        };
        let sql = "INSERT INTO receipts (seq, app, time, counts, work) VALUES (?1, ?2, ?3, ?4, ?5)";
        let app = erased.first().map_or("", |erasure| erasure.app.as_str());
        let row = params![seq as i64, app, now, json(&counts)?, json(&work)?];
        conn.execute(sql, row).map_err(trouble)?;
        kept.receipts += 1;
    }
    Ok(())
}

/// One step.
pub(super) fn step(conn: &Connection, kept: &mut Kept, read: ReadEvent) -> Result<Step> {
    if kept.receipts == 0 {
        return Ok(Step::Nothing);
    }
    let sql = "SELECT seq, app, counts, work FROM receipts WHERE done IS NULL ORDER BY seq LIMIT 1";
    let open = conn.query_row(sql, [], |row| {
        let (seq, app): (i64, String) = (row.get(0)?, row.get(1)?);
        Ok((seq as Seq, app, row.get::<_, String>(2)?, row.get::<_, String>(3)?))
    });
    let Some((seq, app, counts, work)) = open.optional().map_err(trouble)? else {
        kept.receipts = 0;
        return Ok(Step::Nothing);
    };
    let mut work: Work = from_json(&work)?;
    if matches!(work.stage, Stage::Sweep) {
        return Ok(Step::Swept(seq));
    }
    let app = AppId::from(&*app);
    let mut forget = Forget { conn, app: &app, work: &work, counts: from_json(&counts)?, kept, read };
    let next = forget.stage()?;
    let counts = forget.counts;
    match next {
        // What was looked for goes with everything else, before the log is emptied.
        Some(Stage::Sweep) => {
            work = Work { ids: BTreeSet::new(), needles: Needles::default(), stage: Stage::Sweep };
        }
        Some(next) => work.stage = next,
        None => {}
    }
    let sql = "UPDATE receipts SET counts = ?2, work = ?3 WHERE seq = ?1";
    conn.execute(sql, params![seq as i64, json(&counts)?, json(&work)?]).map_err(trouble)?;
    Ok(Step::Some)
}

/// The log is empty: nothing is left, and what was looked for goes as well.
pub(super) fn finish(conn: &Connection, kept: &mut Kept, seq: Seq, now: i64) -> Result<()> {
    let sql = "UPDATE receipts SET done = ?2, work = NULL WHERE seq = ?1";
    conn.execute(sql, params![seq as i64, now]).map_err(trouble)?;
    kept.receipts = kept.receipts.saturating_sub(1);
    Ok(())
}

struct Forget<'a> {
    conn: &'a Connection,
    app: &'a AppId,
    work: &'a Work,
    counts: Erased,
    kept: &'a mut Kept,
    read: ReadEvent,
}

impl Forget<'_> {
    /// A step of the stage; the stage to go on with.
    fn stage(&mut self) -> Result<Option<Stage>> {
        let next = match &self.work.stage {
            Stage::Journal(from) if from.is_empty() => Stage::Own(self.own_head()?),
            Stage::Journal(from) => Stage::Journal(self.journal(from.clone())?),
            Stage::Own(None) => Stage::Base,
            Stage::Own(Some(from)) => Stage::Own(self.own(*from)?),
            Stage::Base => {
                self.base()?;
                self.statistics()?;
                Stage::Changes(0)
            }
            Stage::Changes(after) => self.changes(*after)?.map_or(Stage::Answers(0), Stage::Changes),
            Stage::Answers(after) => self.answers(*after)?.map_or(Stage::Quarantine(0), Stage::Answers),
            Stage::Quarantine(after) => self.quarantine(*after)?.map_or(Stage::Sweep, Stage::Quarantine),
            Stage::Sweep => return Ok(None),
        };
        Ok(Some(next))
    }

    fn stored(&self, id: &str) -> Result<Option<Record>> {
        let mut select = self
            .conn
            .prepare_cached("SELECT record FROM app_users WHERE app = ?1 AND id = ?2")
            .map_err(trouble)?;
        let found =
            select.query_row(params![self.app.as_str(), id], |row| Ok(decode(row.get_ref(0)?.as_blob()?)));
        let found = found.optional().map_err(trouble)?;
        found.transpose().map_err(|error| Error::Damaged(error.to_string()))
    }

    fn own_head(&self) -> Result<Option<Seq>> {
        Ok(self.stored(SmoochId::APP)?.and_then(|record| record.head))
    }

    /// The merges of the erased that nobody told but their `userId`s: with these gone, the journal has to say
    /// them.
    fn made_one(&self) -> Result<Vec<redact::MadeOne>> {
        let mut found = Vec::new();
        for id in &self.work.ids {
            let edges = self.stored(id.as_str())?.map(|record| record.into).unwrap_or_default();
            let same = edges.into_iter().filter(|(_, edge)| edge.value.reason == Reason::SameUserId);
            found.extend(same.map(|(into, edge)| redact::MadeOne { id: id.clone(), into, edge }));
        }
        Ok(found)
    }

    /// Takes the person out of what the journal came to before it was trimmed. Who is dead, and who is part
    /// of whom, is told by what comes after; only the merges that were derived are not.
    fn base(&mut self) -> Result<()> {
        for id in &self.work.ids {
            let key: Key = (self.app.clone(), id.clone());
            if let Some(mut record) = base::record(self.conn, &key)? {
                record.strip();
                record.recent = Recent::default();
                base::save(self.conn, &key, &record)?;
                self.counts.base += 1;
            }
        }
        for redact::MadeOne { id, into, edge } in self.made_one()? {
            let (key, other) = ((self.app.clone(), id.clone()), (self.app.clone(), into.clone()));
            let Some(mut record) = base::record(self.conn, &key)? else { continue };
            if record.into.get(&into).is_none_or(|known| *known < edge) {
                record.into.insert(into, edge);
                base::save(self.conn, &key, &record)?;
                let mut survivor = base::record(self.conn, &other)?.unwrap_or_default();
                survivor.from.insert(id);
                base::save(self.conn, &other, &survivor)?;
            }
        }
        Ok(())
    }

    /// They are made anew when they are needed.
    fn statistics(&self) -> Result<()> {
        if self.conn.table_exists(None, STATISTICS).map_err(trouble)? {
            self.conn.execute(&format!("DELETE FROM {STATISTICS}"), []).map_err(trouble)?;
        }
        Ok(())
    }

    /// The numbers stay, since they have no gap; which fields were different goes.
    fn changes(&mut self, after: i64) -> Result<Option<i64>> {
        let sql = "SELECT seq, user, fields FROM changes
                       WHERE app = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
        let mut select = self.conn.prepare_cached(sql).map_err(trouble)?;
        let rows = select.query_map(params![self.app.as_str(), after, CHANGES as i64], |row| {
            Ok((row.get(0)?, SmoochId::from(row.get_ref(1)?.as_str()?), row.get(2)?))
        });
        let rows: Vec<(i64, SmoochId, String)> =
            rows.map_err(trouble)?.collect::<rusqlite::Result<_>>().map_err(trouble)?;
        let mut update = self
            .conn
            .prepare_cached("UPDATE changes SET fields = ?3 WHERE app = ?1 AND seq = ?2")
            .map_err(trouble)?;
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
                update.execute(params![self.app.as_str(), seq, json(&left)?]).map_err(trouble)?;
                self.counts.changes += 1;
            }
        }
        Ok(rows.last().map(|(seq, ..)| *seq))
    }

    /// Whoever asks again is told that there is no such app user: done anew, it would bring them back.
    fn answers(&mut self, after: i64) -> Result<Option<i64>> {
        let sql = "SELECT rowid, key, answer FROM answers
                       WHERE app = ?1 AND rowid > ?2 ORDER BY rowid LIMIT ?3";
        let mut select = self.conn.prepare_cached(sql).map_err(trouble)?;
        let rows = select.query_map(params![self.app.as_str(), after, ANSWERS as i64], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        });
        let rows: Vec<(i64, String, Vec<u8>)> =
            rows.map_err(trouble)?.collect::<rusqlite::Result<_>>().map_err(trouble)?;
        let gone: std::result::Result<Done, Refusal> = Err(Refusal::NoUser);
        let gone = postcard::to_stdvec(&gone).map_err(|error| Error::Unavailable(error.to_string()))?;
        for (rowid, key, answer) in &rows {
            if self.work.needles.named_in(key) {
                self.conn.execute("DELETE FROM answers WHERE rowid = ?1", [rowid]).map_err(trouble)?;
            } else if self.work.needles.shown_in(answer) {
                let sql = "UPDATE answers SET answer = ?2 WHERE rowid = ?1";
                self.conn.execute(sql, params![rowid, gone]).map_err(trouble)?;
            } else {
                continue;
            }
            self.counts.answers += 1;
        }
        Ok(rows.last().map(|(rowid, ..)| *rowid))
    }

    fn quarantine(&mut self, after: i64) -> Result<Option<i64>> {
        let sql = "SELECT seq, app, headers, body FROM quarantine WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let mut select = self.conn.prepare_cached(sql).map_err(trouble)?;
        let mut rows = select.query(params![after, QUARANTINED as i64]).map_err(trouble)?;
        let mut last = None;
        let mut gone = Vec::new();
        while let Some(row) = rows.next().map_err(trouble)? {
            let read = || -> rusqlite::Result<_> {
                let own = row.get_ref(1)?.as_str()? == self.app.as_str();
                let (headers, body) = (row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_blob()?);
                let needles = &self.work.needles;
                let about = own && (needles.mentioned_in(body) || needles.mentioned_in(headers.as_bytes()));
                Ok((row.get::<_, i64>(0)?, about.then_some(body.len() as u64)))
            };
            let (seq, about) = read().map_err(trouble)?;
            gone.extend(about.map(|bytes| (seq, bytes)));
            last = Some(seq);
        }
        for (seq, bytes) in gone {
            self.conn.execute("DELETE FROM quarantine WHERE seq = ?1", [seq]).map_err(trouble)?;
            self.kept.let_go_of_quarantined(bytes);
            self.counts.quarantine += 1;
        }
        Ok(last)
    }
}

/// Whether a body mentions the `_id` of somebody who is erased, as one of its strings.
pub(super) fn mentions_erased(conn: &Connection, app: &AppId, body: &[u8]) -> Result<bool> {
    let sql = "SELECT 1 FROM erasures WHERE app = ?1 AND id = ?2";
    let mut select = conn.prepare_cached(sql).map_err(trouble)?;
    let mut asked = BTreeSet::new();
    for text in needles::strings(body) {
        if asked.insert(text) && select.exists(params![app.as_str(), text]).map_err(trouble)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the quarantine holds of these app users.
pub(super) fn quarantined_of(
    conn: &Connection,
    app: &AppId,
    ids: &BTreeSet<SmoochId>,
) -> Result<Vec<(u64, Quarantined)>> {
    let mut loader = Loader::new(conn, None, usize::MAX);
    ids.iter().try_for_each(|id| loader.group(app, id))?;
    let records =
        ids.iter().filter_map(|id| Some((id, loader.directory.record(&(app.clone(), id.clone()))?)));
    let needles = Needles::of(records);
    let sql =
        "SELECT seq, received, reason, detail, headers, body FROM quarantine WHERE app = ?1 ORDER BY seq";
    let mut select = conn.prepare_cached(sql).map_err(trouble)?;
    let mut rows = select.query([app.as_str()]).map_err(trouble)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(trouble)? {
        let read = || -> rusqlite::Result<_> {
            let body = row.get_ref(5)?.as_blob()?;
            if !needles.mentioned_in(body) {
                return Ok(None);
            }
            let (received, body) = (row.get(1)?, bytes::Bytes::copy_from_slice(body));
            let (reason, detail, headers) = (row.get(2)?, row.get(3)?, row.get(4)?);
            let kept = Quarantined { app: app.clone(), received, reason, detail, headers, body };
            Ok(Some((row.get::<_, i64>(0)? as u64, kept)))
        };
        found.extend(read().map_err(trouble)?);
    }
    Ok(found)
}

pub(super) fn receipt(conn: &Connection, app: &AppId, id: &SmoochId) -> Result<Option<Receipt>> {
    let sql = "SELECT r.seq, r.time, r.done, r.counts FROM erasures e JOIN receipts r ON r.seq = e.receipt
                   WHERE e.app = ?1 AND e.id = ?2";
    let mut select = conn.prepare_cached(sql).map_err(trouble)?;
    let found = select.query_row(params![app.as_str(), id.as_str()], |row| {
        Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?))
    });
    let Some((seq, time, done, counts)) = found.optional().map_err(trouble)? else { return Ok(None) };
    let sql = "SELECT id FROM erasures WHERE app = ?1 AND receipt = ?2 ORDER BY id";
    let mut select = conn.prepare_cached(sql).map_err(trouble)?;
    let ids = select
        .query_map(params![app.as_str(), seq], |row| Ok(SmoochId::from(row.get_ref(0)?.as_str()?)))
        .map_err(trouble)?;
    let ids = ids.collect::<rusqlite::Result<_>>().map_err(trouble)?;
    Ok(Some(Receipt { seq: seq as Seq, time, done, ids, counts: from_json(&counts)? }))
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Unavailable(error.to_string()))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::Damaged(format!("a receipt: {error}")))
}
