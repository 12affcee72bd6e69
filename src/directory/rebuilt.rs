//! Rows that are rebuilt from the journal: their comparison with the live ones, and their repair.

use std::collections::{BTreeMap, BTreeSet};

use super::history::{JournalHeads, find_claimants, find_connected};
use super::load::Loader;
use super::overlay::Overlay;
use super::users::show;
use crate::domain::{AppId, Change, ClientId, RecordKey, SmoochId, View};
use crate::format::record::decode;
use crate::format::search_words::are_unbounded;
use crate::store::rows::{RebuiltRow, RecordRows, RowContent, RowKey, Rows, StoredUser};
use crate::store::tables::{IDENTIFIERS, IdentifierKind, IdentifierRow, StoredIdentifier};
use crate::store::{Error, Result, RowCells, Write};

/// Whether two rows with one key hold the same facts. Their layout may differ, and `live` may have words of a program that
/// did not bound them. Ignores a shared-claim hint of `live`, since the other claimant may have been erased, and the head
/// of an erased record, whose last entry may be deleted.
pub fn rows_agree(live: &RebuiltRow, replayed: &RebuiltRow) -> bool {
    match (&live.content, &replayed.content) {
        (None, None) | (Some(RowContent::Identifier), Some(RowContent::Identifier)) => true,
        (Some(RowContent::User(live)), Some(RowContent::User(replayed))) => users_agree(live, replayed),
        _ => false,
    }
}

fn users_agree(live: &StoredUser, replayed: &StoredUser) -> bool {
    let words = match (&live.columns.words, &replayed.columns.words) {
        (Some(live), Some(replayed)) => live == replayed || are_unbounded(live, replayed),
        (live, replayed) => live == replayed,
    };
    let other = |user: &StoredUser| {
        let columns = &user.columns;
        (columns.listed, columns.last_seen, columns.signed_up, columns.flags)
    };
    words && other(live) == other(replayed) && records_agree(&live.record, &replayed.record)
}

fn records_agree(live: &[u8], replayed: &[u8]) -> bool {
    let agree = || {
        let (live, mut replayed) = (decode(live).ok()?, decode(replayed).ok()?);
        for (client, claim) in &mut replayed.claims {
            claim.shared |= live.claims.get(client).is_some_and(|claim| claim.shared);
        }
        if live.erased && replayed.erased {
            replayed.head = live.head;
        }
        Some(live == replayed)
    };
    live == replayed || agree().unwrap_or_default()
}

/// Whether a row exists and its record is readable.
pub fn is_readable(row: &RebuiltRow) -> bool {
    match &row.content {
        Some(RowContent::User(user)) => decode(&user.record).is_ok(),
        Some(RowContent::Identifier) => true,
        Some(RowContent::Damaged) | None => false,
    }
}

/// Whether `sought` contains any of these app users, one connected with them by merges, or one that ever held one of
/// these clients. Unreadable records reach no one.
pub fn reaches(
    rows: &dyn Rows,
    app: &AppId,
    ids: &[SmoochId],
    clients: &[ClientId],
    sought: &BTreeSet<RecordKey>,
) -> Result<bool> {
    let found = |heads: JournalHeads| heads.into_iter().any(|(id, _)| sought.contains(&(app.clone(), id)));
    let read = |heads: Result<JournalHeads>| match heads {
        Err(Error::Damaged(_) | Error::Derived { .. } | Error::Unreadable { .. }) => {
            Ok(JournalHeads::default())
        }
        heads => heads,
    };
    Ok(found(read(find_connected(rows, app, ids))?) || found(read(find_claimants(rows, app, clients))?))
}

/// The changes of the app users once these rows are replaced.
pub(super) fn plan_repair(rows: &dyn Rows, replaced: &[RebuiltRow]) -> Result<Vec<(AppId, Change)>> {
    let mut after = Overlay::new(rows);
    replaced.iter().for_each(|row| put_row(&mut after, row));
    let mut keys: BTreeSet<RecordKey> = replaced.iter().map(|row| row.key.user()).collect();
    // App users that are merged with a changed one, before or afterwards, change as well.
    let merged: BTreeSet<RecordKey> =
        roots(&read_views(rows, &keys)).into_iter().chain(roots(&read_views(&after, &keys))).collect();
    keys.extend(merged);
    let (before, after) = (read_views(rows, &keys), read_views(&after, &keys));
    let changes = keys.iter().filter(|(_, id)| !id.is_app()).filter_map(|key| {
        let change = Change::between(&key.1, before.get(key), after.get(key))?;
        Some((key.0.clone(), change))
    });
    Ok(changes.collect())
}

/// The writes that put these rows in place of those with their keys.
pub(super) fn replace_writes(rows: &[RebuiltRow]) -> Result<Vec<Write<'_>>> {
    let (mut users, mut gone, mut new) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        match (&row.key, &row.content) {
            (_, Some(RowContent::Damaged)) => {
                return Err(Error::Unavailable("a row of the replayed journal is damaged".to_owned()));
            }
            (RowKey::User(key), Some(RowContent::User(user))) => users.push((key, Some(user))),
            (RowKey::User(key), _) => users.push((key, None)),
            (key, Some(_)) => new.push(key),
            (key, None) => gone.push(key),
        }
    }
    let mut writes = vec![Write::ReplaceUsers(users)];
    if !gone.is_empty() {
        writes.push(Write::Delete(RowCells::of_keys(&IDENTIFIERS, gone)));
    }
    if !new.is_empty() {
        writes.push(Write::Add(RowCells::of_keys(&IDENTIFIERS, new)));
    }
    Ok(writes)
}

fn put_row(overlay: &mut Overlay<'_>, row: &RebuiltRow) {
    match &row.key {
        RowKey::User(key) => {
            let record = match &row.content {
                Some(RowContent::User(user)) => Some(user.record.clone()),
                _ => None,
            };
            overlay.put_record(key.clone(), record);
        }
        RowKey::Identifier(StoredIdentifier { app, kind, value, id }) => {
            let Some(kind) = IdentifierKind::from_name(kind) else { return };
            overlay.put_identifier(IdentifierRow { app, kind, value, id }, row.content.is_some());
        }
    }
}

fn roots(views: &BTreeMap<RecordKey, View>) -> BTreeSet<RecordKey> {
    views.iter().map(|((app, _), view)| (app.clone(), view.id.clone())).collect()
}

/// The views of app users, except those with an unreadable record.
fn read_views(rows: &dyn RecordRows, keys: &BTreeSet<RecordKey>) -> BTreeMap<RecordKey, View> {
    let view = |key: &RecordKey| {
        let view = show(&mut Loader::new(rows), &key.0, &key.1);
        Some((key.clone(), view.ok().flatten()?))
    };
    keys.iter().filter_map(view).collect()
}
