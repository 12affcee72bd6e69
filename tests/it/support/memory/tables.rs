//! The tables of the store in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use rollcall::store::cell::Cell;
use rollcall::store::select::{Comparison, Condition, Scan, TableRows};
use rollcall::store::table::{Projection, Table};
use rollcall::store::{Result, RowCells};

use super::Snapshot;

/// The value of each column; none is null.
pub type StoredRow = BTreeMap<&'static str, Cell<'static>>;
type Cells = Vec<Cell<'static>>;

/// The rows of a table by their keys, and the last number that was given.
#[derive(Clone, Default)]
pub struct Rows {
    by_key: BTreeMap<Cells, StoredRow>,
    last: i64,
}

/// The rows of each table.
#[derive(Clone, Default)]
pub struct Tables(BTreeMap<&'static str, Arc<Rows>>);

/// What a row does whose key is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    Panics,
    Replaces,
    IsLeftOut,
}

impl Tables {
    fn rows(&self, table: &Table) -> impl DoubleEndedIterator<Item = (&Cells, &StoredRow)> {
        self.0.get(table.name).into_iter().flat_map(|rows| &rows.by_key)
    }

    fn rows_mut(&mut self, table: &Table) -> &mut Rows {
        Arc::make_mut(self.0.entry(table.name).or_default())
    }

    pub fn write(&mut self, written: &RowCells<'_>, conflict: Conflict) {
        let table = written.table;
        let Rows { by_key, last } = self.rows_mut(table);
        for cells in written.rows() {
            let mut row = named(written.columns, cells);
            // A number that is not given is the next one.
            row.retain(|column, cell| table.number != Some(column) || *cell != Cell::Null);
            if !table.unique.is_empty() {
                by_key.retain(|_, old| table.unique.iter().any(|column| old[column] != row[column]));
            }
            if let Some(number) = table.number {
                let old = key_of(table, &row).and_then(|key| by_key.get(&key));
                let given = old.map_or(Cell::Integer(*last + 1), |old| old[number].clone());
                if let Cell::Integer(given) = row.entry(number).or_insert(given) {
                    *last = (*last).max(*given);
                }
            }
            let key = key_of(table, &row).unwrap_or_else(|| panic!("a key of {}: {row:?}", table.name));
            assert!(conflict != Conflict::Panics || !by_key.contains_key(&key), "{} {key:?}", table.name);
            if conflict == Conflict::IsLeftOut {
                by_key.entry(key).or_insert(row);
            } else {
                by_key.insert(key, row);
            }
        }
    }

    pub fn update(&mut self, written: &RowCells<'_>) {
        for cells in written.rows() {
            let row = named(written.columns, cells);
            let key = key_of(written.table, &row).expect("an update names the key");
            if let Some(stored) = self.rows_mut(written.table).by_key.get_mut(&key) {
                stored.extend(row);
            } else {
                assert!(!key.is_empty(), "{} has no row", written.table.name);
            }
        }
    }

    pub fn delete_where(&mut self, table: &Table, conditions: &[Condition<'_>]) {
        let is_left = |row: &StoredRow| !conditions.iter().all(|condition| holds(condition, row));
        self.rows_mut(table).by_key.retain(|_, row| is_left(row));
    }

    pub fn delete(&mut self, keys: &RowCells<'_>) {
        let by_key = &mut self.rows_mut(keys.table).by_key;
        for cells in keys.rows() {
            by_key.remove(&key_of(keys.table, &named(keys.columns, cells)).expect("a key"));
        }
    }
}

fn named(columns: &[&'static str], cells: &[Cell<'_>]) -> StoredRow {
    columns.iter().copied().zip(cells.iter().cloned().map(Cell::into_owned)).collect()
}

/// The key of a row, if all of it is there.
fn key_of(table: &Table, row: &StoredRow) -> Option<Cells> {
    table.key.iter().map(|column| row.get(column).cloned()).collect()
}

fn project(of: Projection, row: &StoredRow) -> Cells {
    let cell = |column: &&str| row.get(column).cloned().unwrap_or(Cell::Null);
    let length = |column: &&str| Cell::Integer(length_of(&row[column]));
    of.columns.iter().map(cell).chain(of.lengths.iter().map(length)).collect()
}

fn length_of(cell: &Cell<'_>) -> i64 {
    match cell {
        Cell::Text(text) => text.len() as i64,
        Cell::Bytes(bytes) => bytes.len() as i64,
        _ => 0,
    }
}

fn holds(condition: &Condition<'_>, row: &StoredRow) -> bool {
    let (cell, with) = (row.get(condition.column).unwrap_or(&Cell::Null), &condition.cell);
    match condition.is {
        Comparison::Is => cell == with,
        _ if *cell == Cell::Null => false,
        Comparison::Above => cell > with,
        Comparison::From => cell >= with,
        Comparison::UpTo => cell <= with,
    }
}

impl TableRows for Snapshot {
    fn get(
        &self,
        of: Projection,
        keys: &[Cell<'_>],
        found: &mut dyn FnMut(usize, &[Cell<'_>]) -> Result<()>,
    ) -> Result<()> {
        let state = self.state()?;
        let Some(rows) = state.tables.0.get(of.table.name) else { return Ok(()) };
        let keys = keys.chunks(of.table.key.len()).enumerate();
        keys.filter_map(|(n, key)| Some((n, rows.by_key.get(key)?)))
            .try_for_each(|(n, row)| found(n, &project(of, row)))
    }

    fn scan(&self, scan: &Scan<'_>, found: &mut dyn FnMut(&[Cell<'_>]) -> Result<()>) -> Result<()> {
        let is_behind = |key: &Cells| match scan.is_descending {
            _ if scan.after.is_empty() => true,
            true => *key < scan.after,
            false => *key > scan.after,
        };
        let fits = |(key, row): &(&Cells, &StoredRow)| {
            is_behind(key) && scan.conditions.iter().all(|condition| holds(condition, row))
        };
        let state = self.state()?;
        let mut rows: Vec<_> = state.tables.rows(scan.of.table).filter(fits).collect();
        if scan.is_descending {
            rows.reverse();
        }
        rows.into_iter().take(scan.limit).try_for_each(|(_, row)| found(&project(scan.of, row)))
    }

    fn count(&self, table: &'static Table, length: Option<&'static str>) -> Result<(u64, u64)> {
        let state = self.state()?;
        let rows = || state.tables.rows(table).map(|(_, row)| row);
        let bytes: i64 = length.map_or(0, |column| rows().map(|row| length_of(&row[column])).sum());
        Ok((rows().count() as u64, bytes as u64))
    }
}
