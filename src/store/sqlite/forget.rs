//! Whoever is erased is forgotten everywhere, a little at a time.
//!
//! The entry that erases somebody buries the record and leaves a receipt with what is to be looked for. Each
//! step takes up a receipt that is open: first the journal of the person, then every body and everything else
//! that may mention them, of all open receipts together. Then what SQLite left between rows is overwritten, and
//! the log is emptied into the file, whose free pages hold nothing (`secure_delete`).

mod encodings;
mod ids;
mod needles;
mod pages;
mod places;
mod receipts;
mod redact;
mod remade;
mod spellings;
mod work;

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::{Kept, Result, compacted};
use crate::directory::load::{Loader, read_record};
use crate::domain::{AppId, Reason, Recent, Record, RecordKey, SmoochId};
use crate::store::rows::UserRows as _;
use crate::store::{BodyReader, Erasure, ErasureCounts, Seq};
pub(super) use ids::Tombstones;
use needles::Needles;
pub(crate) use receipts::quarantined_of;
pub(super) use remade::{lost_receipts, remake_receipts};
pub(super) use work::Step;
use work::{Forget, MadeOne, Stage, Work, from_json, json};

/// The statistics hold samples of what can be looked up.
const STATISTICS: &str = "sqlite_stat4";

/// Leaves a tombstone for each, and a receipt for each entry that erases.
pub(super) fn begin(conn: &Connection, kept: &mut Kept, erasures: &[Erasure], now: i64) -> Result<()> {
    let mut receipts: BTreeMap<Seq, Vec<&Erasure>> = BTreeMap::new();
    for erasure in erasures {
        receipts.entry(erasure.seq).or_default().push(erasure);
        let sql = "INSERT OR IGNORE INTO erasures (app, id, receipt) VALUES (?1, ?2, ?3)";
        let mut insert = conn.prepare_cached(sql)?;
        let row = params![erasure.app.as_str(), erasure.id.as_str(), erasure.seq as i64];
        insert.execute(row)?;
    }
    for (seq, erased) in receipts {
        let records = || erased.iter().map(|erasure| &erasure.known);
        let mut needles = Needles::of(erased.iter().map(|erasure| (&erasure.id, &erasure.known)));
        let mut loader = Loader::new(conn);
        erased.iter().try_for_each(|erasure| loader.group(&erasure.app, &erasure.id))?;
        let ids: BTreeSet<SmoochId> = erased.iter().map(|erasure| erasure.id.clone()).collect();
        needles.kin = loader.directory.entries().map(|((_, id), _)| id.clone()).collect();
        for one in &erased {
            for user_id in one.known.user_ids() {
                if is_carried(conn, &one.app, user_id)? {
                    needles.spare(user_id);
                }
            }
        }
        let work = Work {
            ids,
            needles,
            stage: Stage::Journal(records().filter_map(|record| record.head).collect()),
        };
        let names = |record: &Record| record.user_ids().len() + record.claims.len();
        let counts = ErasureCounts {
            records: erased.len() as u64,
            identifiers: records().map(names).sum::<usize>() as u64,
            ..ErasureCounts::default()
        };
        let sql = "INSERT INTO receipts (seq, app, time, counts, work) VALUES (?1, ?2, ?3, ?4, ?5)";
        let app = erased.first().map_or("", |erasure| erasure.app.as_str());
        let row = params![seq as i64, app, now, json(&counts)?, json(&work)?];
        conn.execute(sql, row)?;
        kept.receipts += 1;
    }
    Ok(())
}

/// Whether somebody carries a `userId` who stays: the erased do not any more.
fn is_carried(conn: &Connection, app: &AppId, user_id: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM identifiers WHERE app = ?1 AND kind = 'userId' AND value = ?2";
    let mut select = conn.prepare_cached(sql)?;
    Ok(select.exists(params![app.as_str(), user_id])?)
}

/// One step.
pub(super) fn step(conn: &Connection, kept: &mut Kept, reading: &BodyReader) -> Result<Step> {
    if kept.receipts == 0 {
        return Ok(Step::Nothing);
    }
    // The person's own journal comes first, so that what follows is done once for all receipts; the log last,
    // since it may have to wait for a reader. One that cannot be read comes before all, to be found.
    let sql = "SELECT seq, app, counts, coalesce(work, '') FROM receipts WHERE done IS NULL
                   ORDER BY CASE WHEN json_valid(work) THEN json_type(work, '$.stage.Journal') IS NULL END,
                            CASE WHEN json_valid(work) THEN work ->> '$.stage' = 'Sweep' END, seq
                   LIMIT 1";
    let open = conn.query_row(sql, [], |row| {
        let (seq, app): (i64, String) = (row.get(0)?, row.get(1)?);
        Ok((seq as Seq, app, row.get::<_, String>(2)?, row.get::<_, String>(3)?))
    });
    let Some((seq, app, counts, work)) = open.optional()? else {
        kept.receipts = 0;
        return Ok(Step::Nothing);
    };
    let (app, mut work): (_, Work) = (AppId::from(&*app), from_json(&work)?);
    let before: ErasureCounts = from_json(&counts)?;
    match &mut work.stage {
        Stage::Sweep => return Ok(Step::Swept(seq)),
        Stage::Pages(after) => return pages::step(conn, kept, seq, *after),
        Stage::Bodies(after) if kept.searched.0 == seq => *after = kept.searched.1,
        Stage::Bodies(0) => absorb(conn, &app, seq, &mut work)?,
        _ => {}
    }
    let mut forget = Forget { conn, app: &app, work: &work, counts: before, kept, reading };
    let next = forget.stage()?;
    let counts = forget.counts;
    if let Stage::Bodies(after) = next
        && counts == before
        && after != 0
        && kept.searched.0 == seq
    {
        // Nothing was found. After an interruption the search goes on from the last place that was written.
        kept.searched.1 = after;
        return Ok(Step::Some);
    }
    kept.searched = if let Stage::Bodies(after) = next { (seq, after) } else { (0, 0) };
    work = match next {
        // What was looked for goes with everything else, before what is between the rows.
        Stage::Pages(after) => Work { stage: Stage::Pages(after), ..Work::swept() },
        next => Work { stage: next, ..work },
    };
    let sql = "UPDATE receipts SET counts = ?2, work = ?3 WHERE seq = ?1";
    conn.execute(sql, params![seq as i64, json(&counts)?, json(&work)?])?;
    Ok(Step::Some)
}

/// Takes the work of all other receipts along that are as far as this one; they wait for the log.
fn absorb(conn: &Connection, app: &AppId, seq: Seq, work: &mut Work) -> Result<()> {
    let sql = "SELECT seq, work FROM receipts WHERE done IS NULL AND app = ?1 AND seq > ?2";
    let mut select = conn.prepare_cached(sql)?;
    let rows = select.query_map(params![app.as_str(), seq as i64], |row| Ok((row.get(0)?, row.get(1)?)));
    let rows: Vec<(i64, String)> = rows?.collect::<rusqlite::Result<_>>()?;
    for (other, text) in rows {
        let found: Work = from_json(&text)?;
        if matches!(found.stage, Stage::Bodies(0)) {
            work.ids.extend(found.ids);
            work.needles.join(found.needles);
            let sql = "UPDATE receipts SET work = ?2 WHERE seq = ?1";
            conn.execute(sql, params![other, json(&Work::swept())?])?;
        }
    }
    Ok(())
}

/// The log is empty: nothing is left, and what was looked for goes as well.
pub(super) fn finish(conn: &Connection, kept: &mut Kept, seq: Seq, now: i64) -> Result<()> {
    let sql = "UPDATE receipts SET done = ?2, work = NULL WHERE seq = ?1";
    conn.execute(sql, params![seq as i64, now])?;
    kept.receipts = kept.receipts.saturating_sub(1);
    Ok(())
}

impl Forget<'_> {
    /// A step of the stage; the stage to go on with.
    fn stage(&mut self) -> Result<Stage> {
        Ok(match &self.work.stage {
            Stage::Journal(from) if from.is_empty() => Stage::Bodies(0),
            Stage::Journal(from) => Stage::Journal(self.journal(from.clone())?),
            Stage::Bodies(after) => self.bodies(*after)?.map_or(Stage::Base, Stage::Bodies),
            Stage::Base => {
                self.base()?;
                self.statistics()?;
                Stage::Changes(0)
            }
            Stage::Changes(after) => self.changes(*after)?.map_or(Stage::Answers(0), Stage::Changes),
            Stage::Answers(after) => self.answers(*after)?.map_or(Stage::Quarantine(0), Stage::Answers),
            Stage::Quarantine(after) => self.quarantine(*after)?.map_or(Stage::Pages(0), Stage::Quarantine),
            Stage::Pages(_) | Stage::Sweep => Stage::Sweep,
        })
    }

    fn stored(&self, id: &str) -> Result<Option<Record>> {
        let found = self.conn.records(&[(self.app.clone(), id.into())])?.pop().flatten();
        found.map(|stored| read_record(&stored, "app_users")).transpose()
    }

    /// The merges of the erased that nobody told but their `userId`s: with these gone, the journal has to say
    /// them.
    fn made_one(&self) -> Result<Vec<MadeOne>> {
        let mut found = Vec::new();
        for id in &self.work.ids {
            let edges = self.stored(id.as_str())?.map(|record| record.into).unwrap_or_default();
            let same = edges.into_iter().filter(|(_, edge)| edge.value.reason == Reason::SameUserId);
            found.extend(same.map(|(into, edge)| MadeOne { id: id.clone(), into, edge }));
        }
        Ok(found)
    }

    /// Takes the person out of what the journal came to before it was trimmed. Who is dead, and who is part
    /// of whom, is told by what comes after; only the merges that were derived are not.
    fn base(&mut self) -> Result<()> {
        for id in &self.work.ids {
            let key: RecordKey = (self.app.clone(), id.clone());
            if let Some(mut record) = compacted::read_record(self.conn, &key)? {
                record.clear_personal_data();
                record.recent = Recent::default();
                compacted::save_record(self.conn, &key, &record)?;
                self.counts.base += 1;
            }
        }
        for MadeOne { id, into, edge } in self.made_one()? {
            let (key, other) = ((self.app.clone(), id.clone()), (self.app.clone(), into.clone()));
            let Some(mut record) = compacted::read_record(self.conn, &key)? else { continue };
            if record.into.get(&into).is_none_or(|known| *known < edge) {
                record.into.insert(into, edge);
                compacted::save_record(self.conn, &key, &record)?;
                let mut survivor = compacted::read_record(self.conn, &other)?.unwrap_or_default();
                survivor.from.insert(id);
                compacted::save_record(self.conn, &other, &survivor)?;
            }
        }
        Ok(())
    }

    /// They are made anew when they are needed.
    fn statistics(&self) -> Result<()> {
        if self.conn.table_exists(None, STATISTICS)? {
            self.conn.execute(&format!("DELETE FROM {STATISTICS}"), [])?;
        }
        Ok(())
    }
}
