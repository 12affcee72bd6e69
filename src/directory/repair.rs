//! Repairs rows of the directory that differ from the journal.

use std::collections::{BTreeMap, BTreeSet};

use super::load::Loader;
use super::overlay::Overlay;
use super::users::show;
use crate::domain::{AppId, Change, RecordKey, View};
use crate::store::rows::{RebuiltRow, RecordRows, RowContent, RowKey, Rows};
use crate::store::tables::{IDENTIFIERS, IdentifierKind, IdentifierRow, StoredIdentifier};
use crate::store::{Error, Result, RowCells, Write};

/// The changes of the app users once these rows are replaced.
///
/// # Errors
/// The database cannot be read.
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
///
/// # Errors
/// A row is damaged.
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
