//! Reads and writes the rows of any table by the statements that its declaration makes.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Params, Row, ToSql, params_from_iter};

use super::derived::{derived_error, number_error, require_row};
use super::{Error, Result};
use crate::store::cell::Cell;
use crate::store::select::{Comparison, Condition, ReadRow, Scan, TableRows};
use crate::store::table::{Projection, RowCells, Table};

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null | Self::Unreadable => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl TableRows for Connection {
    fn get(
        &self,
        of: Projection,
        keys: &[Cell<'_>],
        found: &mut dyn FnMut(usize, &[Cell<'_>]) -> Result<()>,
    ) -> Result<()> {
        let mut select = self.prepare_cached(&format!("{} WHERE {}", select(of), equal(of.table.key)))?;
        for (n, key) in keys.chunks(of.table.key.len()).enumerate() {
            let mut rows = select.query(params_from_iter(key))?;
            if let Some(row) = rows.next()? {
                found(n, &cells(row, of)?)?;
            }
        }
        Ok(())
    }

    fn scan(&self, scan: &Scan<'_>, found: &mut dyn FnMut(&[Cell<'_>]) -> Result<()>) -> Result<()> {
        let key = scan.of.table.key;
        let mut conditions = conditions(&scan.conditions);
        if !scan.after.is_empty() {
            let behind = if scan.is_descending { "<" } else { ">" };
            conditions.push(match key {
                [column] => format!("{column} {behind} ?"),
                key => format!("({}) {behind} ({})", key.join(", "), places(key)),
            });
        }
        let direction = if scan.is_descending { " DESC" } else { "" };
        let order: Vec<String> = key.iter().map(|column| format!("{column}{direction}")).collect();
        let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
        let sql = format!("{}{}{order} LIMIT ?", select(scan.of), where_all(&conditions));
        let error = |found| match scan.of.table.remade {
            Some(name) => derived_error(name)(found),
            None => Error::from(found),
        };
        let mut select = self.prepare_cached(&sql).map_err(error)?;
        let limit = Cell::Integer(i64::try_from(scan.limit).unwrap_or(i64::MAX));
        let compared = values(&scan.conditions).chain(&scan.after).chain([&limit]);
        let mut rows = select.query(params_from_iter(compared)).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            found(&cells(row, scan.of)?)?;
        }
        Ok(())
    }

    fn count(&self, table: &'static Table, length: Option<&'static str>) -> Result<(u64, u64)> {
        let sum = length.map_or("0".to_owned(), |column| format!("coalesce(sum(length({column})), 0)"));
        let sql = format!("SELECT count(*), {sum} FROM {}", table.name);
        let counts = self.query_row(&sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
        Ok(counts.map(|(rows, bytes)| (rows as u64, bytes as u64))?)
    }
}

/// Reads the rows of a table by the rest of the statement, behind the name of the table.
pub(super) fn read_rows<R: ReadRow>(conn: &Connection, rest: &str, params: impl Params) -> Result<Vec<R>> {
    let mut select = conn.prepare_cached(&format!("{} {rest}", select(R::PROJECTION)))?;
    let mut rows = select.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(R::read(&cells(row, R::PROJECTION)?)?);
    }
    Ok(found)
}

/// Writes new rows.
pub(super) fn insert(conn: &Connection, rows: &RowCells<'_>) -> Result<()> {
    run(conn, rows, &insert_into(rows, "INSERT"), number_error).map(drop)
}

/// Writes rows in place of those with their keys.
pub(super) fn put(conn: &Connection, rows: &RowCells<'_>) -> Result<()> {
    let Table { key, unique, .. } = rows.table;
    if !unique.is_empty() {
        return run(conn, rows, &insert_into(rows, "INSERT OR REPLACE"), Error::from).map(drop);
    }
    let others: Vec<String> =
        rows.columns[key.len()..].iter().map(|name| format!("{name} = excluded.{name}")).collect();
    let (insert, key, others) = (insert_into(rows, "INSERT"), key.join(", "), others.join(", "));
    run(conn, rows, &format!("{insert} ON CONFLICT ({key}) DO UPDATE SET {others}"), Error::from).map(drop)
}

/// Writes rows whose keys are not there.
pub(super) fn add(conn: &Connection, rows: &RowCells<'_>) -> Result<()> {
    run(conn, rows, &insert_into(rows, "INSERT OR IGNORE"), Error::from).map(drop)
}

pub(super) fn update(conn: &Connection, rows: &RowCells<'_>) -> Result<()> {
    let (name, key) = (rows.table.name, rows.table.key);
    let others = rows.columns[key.len()..].iter().zip(key.len() + 1..);
    let others: Vec<String> = others.map(|(column, place)| format!("{column} = ?{place}")).collect();
    let keys: Vec<String> =
        key.iter().zip(1..).map(|(column, place)| format!("{column} = ?{place}")).collect();
    let sql = format!("UPDATE {name} SET {}{}", others.join(", "), where_all(&keys));
    let changed = run(conn, rows, &sql, Error::from)?;
    if key.is_empty() { require_row(changed) } else { Ok(()) }
}

/// Deletes the rows with these keys.
pub(super) fn delete(conn: &Connection, keys: &RowCells<'_>) -> Result<()> {
    let sql = format!("DELETE FROM {} WHERE {}", keys.table.name, equal(keys.columns));
    run(conn, keys, &sql, Error::from).map(drop)
}

pub(super) fn delete_where(conn: &Connection, table: &'static Table, of: &[Condition<'_>]) -> Result<()> {
    let sql = format!("DELETE FROM {}{}", table.name, where_all(&conditions(of)));
    conn.prepare_cached(&sql)?.execute(params_from_iter(values(of)))?;
    Ok(())
}

/// Runs a statement with each of these rows. Returns how many rows it changed.
pub(super) fn run(
    conn: &Connection,
    rows: &RowCells<'_>,
    sql: &str,
    error: fn(rusqlite::Error) -> Error,
) -> Result<usize> {
    let error = |found| match rows.table.remade {
        Some(name) => derived_error(name)(found),
        None => error(found),
    };
    let mut statement = conn.prepare_cached(sql).map_err(error)?;
    let mut changed = 0;
    for row in rows.rows() {
        changed += statement.execute(params_from_iter(row)).map_err(error)?;
    }
    Ok(changed)
}

fn select(of: Projection) -> String {
    let mut columns = of.columns.join(", ");
    for column in of.lengths {
        columns += if columns.is_empty() { "length(" } else { ", length(" };
        columns = columns + column + ")";
    }
    format!("SELECT {columns} FROM {}", of.table.name)
}

pub(super) fn insert_into(rows: &RowCells<'_>, verb: &str) -> String {
    format!("{verb} INTO {} ({}) VALUES ({})", rows.table.name, rows.columns.join(", "), places(rows.columns))
}

fn places(columns: &[&str]) -> String {
    vec!["?"; columns.len()].join(", ")
}

fn equal(columns: &[&str]) -> String {
    columns.iter().map(|column| format!("{column} = ?")).collect::<Vec<_>>().join(" AND ")
}

fn conditions(of: &[Condition<'_>]) -> Vec<String> {
    let condition = |Condition { column, is, cell }: &Condition<'_>| match (is, cell) {
        (Comparison::Is, Cell::Null) => format!("{column} IS NULL"),
        (Comparison::Is, _) => format!("{column} = ?"),
        (Comparison::Above, _) => format!("{column} > ?"),
        (Comparison::From, _) => format!("{column} >= ?"),
        (Comparison::UpTo, _) => format!("{column} <= ?"),
    };
    of.iter().map(condition).collect()
}

/// The values that conditions compare with.
fn values<'v>(of: &'v [Condition<'v>]) -> impl Iterator<Item = &'v Cell<'v>> {
    of.iter().map(|condition| &condition.cell).filter(|cell| **cell != Cell::Null)
}

fn where_all(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}

pub(super) fn cells<'r>(row: &'r Row<'_>, of: Projection) -> Result<Vec<Cell<'r>>> {
    let cell = |n: usize| {
        Ok(match row.get_ref(n)? {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(number) => Cell::Integer(number),
            ValueRef::Text(text) => {
                std::str::from_utf8(text).map_or(Cell::Unreadable, |text| Cell::Text(text.into()))
            }
            ValueRef::Blob(bytes) => Cell::Bytes(bytes.into()),
            ValueRef::Real(_) => Cell::Unreadable,
        })
    };
    (0..of.columns.len() + of.lengths.len()).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::schema;
    use crate::store::tables;

    #[test]
    fn every_declared_column_is_in_the_schema() {
        let conn = Connection::open_in_memory().unwrap();
        schema::create_schema(&conn).unwrap();
        for Table { name, key, columns, number, unique, .. } in tables::ALL {
            let all: Vec<&str> = [*key, *columns, number.as_slice(), *unique].concat();
            conn.prepare(&format!("SELECT {} FROM {name}", all.join(", "))).unwrap();
        }
    }
}
