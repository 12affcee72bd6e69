//! The journal of app users, walked backwards from the last entry of each.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};

use super::Result;
use super::archive::bodies_of;
use super::load::Loader;
use super::reader::{ENTRY, entry};
use crate::domain::{AppId, ClientId, SmoochId};
use crate::store::{Heads, Piece, Seq};

pub(super) fn connected(conn: &Connection, app: &AppId, ids: &[SmoochId]) -> Result<Heads> {
    let mut loader = Loader::new(conn, None, usize::MAX);
    ids.iter().try_for_each(|id| loader.group(app, id))?;
    let found = loader.directory.entries();
    Ok(found.map(|((_, id), entry)| (id.clone(), entry.now.head)).collect())
}

pub(super) fn claimants(conn: &Connection, app: &AppId, clients: &[ClientId]) -> Result<Heads> {
    let loader = Loader::new(conn, None, usize::MAX);
    let mut ids = Vec::new();
    for client in clients {
        for kind in ["client", "claim"] {
            ids.extend(loader.claimants(app, kind, client.as_str())?);
        }
    }
    connected(conn, app, &ids)
}

/// Each entry leads to the one before it of each of its app users, so the greatest of those that are
/// known is always the next one back.
pub(super) fn walk(
    conn: &Connection,
    app: &AppId,
    of: &BTreeSet<SmoochId>,
    mut from: BTreeSet<Seq>,
    limit: usize,
) -> Result<Piece> {
    let mut select = conn.prepare_cached(&format!("SELECT {ENTRY} FROM journal WHERE seq = ?1"))?;
    let mut entries = Vec::new();
    while entries.len() < limit
        && let Some(seq) = from.pop_last()
    {
        let found = select.query_row([seq as i64], |row| Ok(entry(row))).optional()?;
        // What is not kept any more was trimmed, or was about somebody who is erased.
        let Some(entry) = found.transpose()?.filter(|entry| entry.app == *app) else { continue };
        from.extend(
            entry.users.iter().filter(|(id, _)| of.contains(id)).filter_map(|(_, previous)| *previous),
        );
        entries.push(entry);
    }
    let bodies = bodies_of(conn, &entries)?.into_iter().map(|(_, body)| body);
    Ok((entries.into_iter().zip(bodies).collect(), from))
}
