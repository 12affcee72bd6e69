//! The journal of app users, read backwards from the last entry of each.

use std::collections::BTreeSet;

use super::journal::bodies_of;
use super::load::Loader;
use crate::domain::{AppId, ClientId, RecordKey, SmoochId};
use crate::store::rows::{IdentifierKind, Rows};
use crate::store::{Heads, Piece, Result, Seq};

/// Every `_id` that merges connect with one of these, with its last entry.
pub fn connected(rows: &dyn Rows, app: &AppId, ids: &[SmoochId]) -> Result<Heads> {
    let mut loader = Loader::new(rows);
    loader.groups(ids.iter().map(|id| (app.clone(), id.clone())).collect::<Vec<RecordKey>>())?;
    let found = loader.directory.entries();
    Ok(found.map(|((_, id), entry)| (id.clone(), entry.now.head)).collect())
}

/// The claimants of these clients, and every `_id` that merges connect with them, with its last entry.
pub fn claimants(rows: &dyn Rows, app: &AppId, clients: &[ClientId]) -> Result<Heads> {
    let kinds = [IdentifierKind::Client, IdentifierKind::Claim];
    let asked = clients.iter().flat_map(|client| kinds.map(|kind| (app, kind, client.as_str())));
    let ids = rows.holders(&asked.collect::<Vec<_>>())?.concat();
    connected(rows, app, &ids)
}

/// Reads at most `limit` entries of these app users, newest first. Each entry names the one before it of each of its
/// app users, so the greatest number that is known is always the next one back.
pub fn walk_back(
    rows: &dyn Rows,
    app: &AppId,
    of: &BTreeSet<SmoochId>,
    mut from: BTreeSet<Seq>,
    limit: usize,
) -> Result<Piece> {
    let mut entries = Vec::new();
    while entries.len() < limit
        && let Some(seq) = from.pop_last()
    {
        let found = rows.entries(&[seq])?.pop().flatten();
        // An entry that is not there was trimmed, or was about an erased app user alone.
        let Some(entry) = found.filter(|entry| entry.app == *app) else { continue };
        from.extend(
            entry.users.iter().filter(|(id, _)| of.contains(id)).filter_map(|(_, previous)| *previous),
        );
        entries.push(entry);
    }
    let bodies = bodies_of(rows, &entries)?.into_iter().map(|(_, body)| body);
    Ok((entries.into_iter().zip(bodies).collect(), from))
}
