//! What is looked up of erasures, and of those who may be erased.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::ids::IdSet;
use super::needles::Needles;
use super::work::from_json;
use crate::directory::load::Loader;
use crate::domain::{AppId, SmoochId};
use crate::store::rows::IdentifierKind;
use crate::store::sqlite::Result;
use crate::store::{Quarantined, Receipt, Seq};

/// What the quarantine holds of these app users.
pub(in crate::store::sqlite) fn quarantined_of(
    conn: &Connection,
    app: &AppId,
    ids: &BTreeSet<SmoochId>,
) -> Result<Vec<(u64, Quarantined)>> {
    let mut loader = Loader::new(conn);
    ids.iter().try_for_each(|id| loader.group(app, id))?;
    let records =
        ids.iter().filter_map(|id| Some((id, loader.directory.record(&(app.clone(), id.clone()))?)));
    let (named, mut needles) = (IdSet::of(ids), Needles::of(records));
    for id in ids {
        let record = loader.directory.record(&(app.clone(), id.clone()));
        for user_id in record.iter().flat_map(|record| record.user_ids()) {
            // In another brand it is somebody else's.
            if loader.with((app, IdentifierKind::UserId, user_id))?.iter().any(|other| !ids.contains(other)) {
                needles.spare(user_id);
            }
        }
    }
    let sql =
        "SELECT seq, received, reason, detail, headers, body FROM quarantine WHERE app = ?1 ORDER BY seq";
    let mut select = conn.prepare_cached(sql)?;
    let mut rows = select.query([app.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let body = row.get_ref(5)?.as_blob()?;
        if !named.read_in(body) && !needles.mentioned_in(body) {
            continue;
        }
        let (received, body) = (row.get(1)?, bytes::Bytes::copy_from_slice(body));
        let (reason, detail, headers) = (row.get(2)?, row.get(3)?, row.get(4)?);
        let kept = Quarantined { app: app.clone(), received, reason, detail, headers, body };
        found.push((row.get::<_, i64>(0)? as u64, kept));
    }
    Ok(found)
}

pub(in crate::store::sqlite) fn receipt(
    conn: &Connection,
    app: &AppId,
    id: &SmoochId,
) -> Result<Option<Receipt>> {
    let sql = "SELECT r.seq, r.time, r.done, r.counts FROM erasures e JOIN receipts r ON r.seq = e.receipt
                   WHERE e.app = ?1 AND e.id = ?2";
    let mut select = conn.prepare_cached(sql)?;
    let found = select.query_row(params![app.as_str(), id.as_str()], |row| {
        Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?))
    });
    let Some((seq, time, done, counts)) = found.optional()? else { return Ok(None) };
    let sql = "SELECT id FROM erasures WHERE app = ?1 AND receipt = ?2 ORDER BY id";
    let mut select = conn.prepare_cached(sql)?;
    let ids =
        select.query_map(params![app.as_str(), seq], |row| Ok(SmoochId::from(row.get_ref(0)?.as_str()?)))?;
    let ids = ids.collect::<rusqlite::Result<_>>()?;
    Ok(Some(Receipt { seq: seq as Seq, time, done, ids, counts: from_json(&counts)? }))
}
