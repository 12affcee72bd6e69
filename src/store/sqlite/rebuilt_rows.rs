//! The rows that are rebuilt from the journal; see [`crate::store::rows::RebuiltRows`].

use rusqlite::{CachedStatement, Connection, Row, params_from_iter};

use super::derived::{Remaking, derived_error};
use super::{Error, Result, listing};
use crate::format::list_columns::Columns;
use crate::store::rows::{RebuiltRow, RebuiltRows, RebuiltTable, RowContent, RowKey, StoredUser};

/// The columns of a key.
fn key_columns(table: RebuiltTable) -> &'static [&'static str] {
    match table {
        RebuiltTable::Users => &["app", "id"],
        RebuiltTable::Identifiers => &["app", "kind", "value", "id"],
    }
}

/// The columns of a key, and the others.
fn columns(table: RebuiltTable) -> String {
    let key = key_columns(table).join(", ");
    match table {
        RebuiltTable::Users => format!("{key}, record, listed, last_seen, signed_up, flags, words"),
        RebuiltTable::Identifiers => key,
    }
}

impl RebuiltRows for Connection {
    fn rebuilt_after(
        &self,
        table: RebuiltTable,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<RebuiltRow>> {
        let key = key_columns(table).join(", ");
        let after_it = match after {
            Some(_) => format!("WHERE ({key}) > ({})", placeholders(table)),
            None => String::new(),
        };
        let (columns, name) = (columns(table), table.name());
        let sql = format!("SELECT {columns} FROM {name} {after_it} ORDER BY {key} LIMIT {limit}");
        let Some(mut select) = prepare(self, table, &sql)? else { return Ok(Vec::new()) };
        let parts = after.map(RowKey::parts).unwrap_or_default();
        let rows = select.query_map(params_from_iter(parts), |row| read(row, table))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn rebuilt(&self, keys: &[RowKey]) -> Result<Vec<RebuiltRow>> {
        keys.iter().map(|key| find(self, key)).collect()
    }

    fn count_rebuilt(&self, table: RebuiltTable) -> Result<u64> {
        let sql = format!("SELECT count(*) FROM {}", table.name());
        let count = self.query_row(&sql, [], |row| row.get::<_, i64>(0));
        match count.map_err(derived_error(table.name())) {
            Err(Error::Derived { .. }) => Ok(0),
            count => Ok(count? as u64),
        }
    }
}

/// Replaces the rows with these keys.
pub(super) fn replace_rows(conn: &Connection, remaking: Remaking, rows: &[RebuiltRow]) -> Result<()> {
    rows.iter().try_for_each(|row| match (&row.key, &row.content) {
        (_, Some(RowContent::Damaged)) => {
            Err(Error::Unavailable("a row of the replayed journal is damaged".to_owned()))
        }
        (RowKey::User(key), Some(RowContent::User(user))) => listing::put(conn, remaking, key, Some(user)),
        (RowKey::User(key), _) => listing::put(conn, remaking, key, None),
        (key, content) => put_identifier(conn, key, content.is_some()),
    })
}

fn put_identifier(conn: &Connection, key: &RowKey, is_there: bool) -> Result<()> {
    let table = key.table();
    let (columns, name, places) = (columns(table), table.name(), placeholders(table));
    let run = |sql: String| {
        let done =
            conn.prepare_cached(&sql).and_then(|mut write| write.execute(params_from_iter(key.parts())));
        done.map(drop).map_err(derived_error(name))
    };
    run(format!("DELETE FROM {name} WHERE ({columns}) = ({places})"))?;
    if is_there { run(format!("INSERT INTO {name} ({columns}) VALUES ({places})")) } else { Ok(()) }
}

fn find(conn: &Connection, key: &RowKey) -> Result<RebuiltRow> {
    let table = key.table();
    let equal = key_columns(table).join(", ");
    let (columns, name, places) = (columns(table), table.name(), placeholders(table));
    let sql = format!("SELECT {columns} FROM {name} WHERE ({equal}) = ({places})");
    let absent = || RebuiltRow { key: key.clone(), content: None };
    let Some(mut select) = prepare(conn, table, &sql)? else { return Ok(absent()) };
    let mut rows = select.query_map(params_from_iter(key.parts()), |row| read(row, table))?;
    Ok(rows.next().transpose()?.unwrap_or_else(absent))
}

fn placeholders(table: RebuiltTable) -> String {
    let places: Vec<String> = (1..=key_columns(table).len()).map(|n| format!("?{n}")).collect();
    places.join(", ")
}

/// Prepares a statement; `None` if the table is missing.
fn prepare<'c>(conn: &'c Connection, table: RebuiltTable, sql: &str) -> Result<Option<CachedStatement<'c>>> {
    match conn.prepare_cached(sql).map_err(derived_error(table.name())) {
        Err(Error::Derived { .. }) => Ok(None),
        select => select.map(Some),
    }
}

fn read(row: &Row<'_>, table: RebuiltTable) -> rusqlite::Result<RebuiltRow> {
    let (app, key_len) = (row.get_ref(0)?.as_str()?.into(), key_columns(table).len());
    let id = row.get_ref(key_len - 1)?.as_str()?.into();
    Ok(match table {
        RebuiltTable::Users => {
            let content = read_user(row, key_len).map_or(RowContent::Damaged, RowContent::User);
            RebuiltRow { key: RowKey::User((app, id)), content: Some(content) }
        }
        RebuiltTable::Identifiers => {
            let key = RowKey::Identifier { app, kind: row.get(1)?, value: row.get(2)?, id };
            RebuiltRow { key, content: Some(RowContent::Identifier) }
        }
    })
}

/// Reads the columns from the one at `first` on; `None` if one has a wrong type.
fn read_user(row: &Row<'_>, first: usize) -> Option<StoredUser> {
    let listed = match row.get::<_, i64>(first + 1).ok()? {
        0 => false,
        1 => true,
        _ => return None,
    };
    let columns = Columns {
        listed,
        last_seen: row.get(first + 2).ok()?,
        signed_up: row.get(first + 3).ok()?,
        flags: row.get(first + 4).ok()?,
        words: row.get(first + 5).ok()?,
    };
    Some(StoredUser { record: row.get(first).ok()?, columns })
}
