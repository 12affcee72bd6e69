//! Repairs rows of the directory that differ from the journal.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::Value;

use super::load::Loader;
use super::overlay::Overlay;
use super::users::show;
use crate::domain::{AppId, Change, RecordKey, View};
use crate::store::archive::Row;
use crate::store::rows::{IdentifierKind, RecordRows, Rows};
use crate::store::{IdentifierRow, Result};

/// The changes of the app users once these rows are replaced.
///
/// # Errors
/// The database cannot be read.
pub(super) fn plan_repair(rows: &dyn Rows, replaced: &[Row]) -> Result<Vec<(AppId, Change)>> {
    let mut after = Overlay::new(rows);
    replaced.iter().for_each(|row| put_above(row, &mut after));
    let mut keys: BTreeSet<RecordKey> = replaced.iter().filter_map(Row::user).collect();
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

/// Puts a row above the stored one.
fn put_above(row: &Row, overlay: &mut Overlay<'_>) {
    let Some(key) = row.user() else { return };
    let [_, kind, value, _] = row.key.as_slice() else {
        let record = row.cells.iter().flatten().find_map(|cell| match cell {
            Value::Blob(bytes) => Some(bytes.clone()),
            _ => None,
        });
        return overlay.put_record(key, record);
    };
    let kinds = [IdentifierKind::UserId, IdentifierKind::Client, IdentifierKind::Claim];
    let Some(kind) = kinds.into_iter().find(|known| known.as_str() == kind) else { return };
    let identifier = IdentifierRow { app: &key.0, kind, value, id: &key.1 };
    overlay.put_identifier(identifier, row.cells.is_some());
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
