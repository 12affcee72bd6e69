//! The tables of the store in memory, and the questions that are of no one table. A search reads all app users.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rollcall::domain::list::Sort;
use rollcall::domain::{AppId, RecordKey, SmoochId};
use rollcall::store::cell::Cell;
use rollcall::store::rows::*;
use rollcall::store::select::{Comparison, Condition, Scan, TableRows};
use rollcall::store::table::{Projection, Table};
use rollcall::store::tables::*;
use rollcall::store::{Epoch, FeedEpoch, ReadRow as _, Result, RowCells, Write};

use super::MemoryReader;

/// The value of each column; none is null.
pub type StoredRow = BTreeMap<&'static str, Cell<'static>>;
type Cells = Vec<Cell<'static>>;

/// The rows of a table by their keys, and the last number that was given.
#[derive(Clone, Default)]
pub struct TableContent {
    by_key: BTreeMap<Cells, StoredRow>,
    last: i64,
}

/// The rows of each table.
#[derive(Clone, Default)]
pub struct Tables(BTreeMap<&'static str, Arc<TableContent>>);

impl Tables {
    fn rows(&self, table: &Table) -> impl DoubleEndedIterator<Item = (&Cells, &StoredRow)> {
        self.0.get(table.name).into_iter().flat_map(|rows| &rows.by_key)
    }

    fn rows_mut(&mut self, table: &Table) -> &mut TableContent {
        Arc::make_mut(self.0.entry(table.name).or_default())
    }

    /// Writes or deletes rows of any table.
    pub fn apply(&mut self, write: &Write<'_>) {
        match write {
            Write::DeleteWhere(table, conditions) => {
                let holds = |row: &StoredRow| conditions.iter().all(|condition| holds(condition, row));
                self.rows_mut(table).by_key.retain(|_, row| !holds(row));
            }
            Write::Delete(keys) => {
                for cells in keys.rows() {
                    let key = key_of(keys.table, &named(keys.columns, cells)).expect("a key");
                    self.rows_mut(keys.table).by_key.remove(&key);
                }
            }
            Write::Insert(rows) | Write::Put(rows) | Write::Add(rows) | Write::Update(rows) => {
                self.put_rows(write, rows);
            }
            Write::PutUsers(_) | Write::ReplaceUsers(_) => {}
        }
    }

    fn put_rows(&mut self, write: &Write<'_>, written: &RowCells<'_>) {
        let table = written.table;
        let TableContent { by_key, last } = self.rows_mut(table);
        for cells in written.rows() {
            let mut row = named(written.columns, cells);
            if matches!(write, Write::Update(_)) {
                let key = key_of(table, &row).expect("an update names the key");
                match by_key.get_mut(&key) {
                    Some(stored) => stored.extend(row),
                    None => assert!(!key.is_empty(), "{} has no row", table.name),
                }
                continue;
            }
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
            let is_there = by_key.contains_key(&key);
            assert!(!is_there || !matches!(write, Write::Insert(_)), "{} {key:?}", table.name);
            if !is_there || matches!(write, Write::Put(_)) {
                by_key.insert(key, row);
            }
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

impl TableRows for MemoryReader {
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

impl RecordRows for MemoryReader {
    fn records(&self, keys: &[RecordKey]) -> Result<Vec<Option<StoredRecord>>> {
        StoredRecord::get(self, keys)
    }

    fn holders(&self, identifiers: &[Identifier<'_>]) -> Result<Vec<Vec<SmoochId>>> {
        let of = |(app, kind, value): &Identifier<'_>| {
            let found =
                StoredIdentifier::select().is("app", *app).is("kind", kind).is("value", *value).read(self)?;
            Ok(found.into_iter().map(|row| row.id).collect())
        };
        identifiers.iter().map(of).collect()
    }
}

impl Rows for MemoryReader {
    fn count_listed(&self, app: Option<&AppId>) -> Result<u64> {
        let listed = UserKey::select().is("listed", &true);
        let listed = if let Some(app) = app { listed.is("app", app) } else { listed };
        Ok(listed.read(self)?.len() as u64)
    }

    fn walk_order(
        &self,
        app: &AppId,
        order: ListOrder,
        behind: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<(i64, ListRow)>> {
        let ListOrder { sort, descending } = order;
        let at = |row: &ListRow| (row.key(sort), row.id.to_string());
        let behind = behind.map(|(key, id)| (if sort == Sort::Id { 0 } else { key }, id.to_owned()));
        let mut users = ListRow::select().is("app", app).read(self)?;
        users.retain(|row| sort == Sort::Id || row.columns.listed);
        let side = if descending { Ordering::Less } else { Ordering::Greater };
        users.retain(|row| behind.as_ref().is_none_or(|behind| at(row).cmp(behind) == side));
        users.sort_by_key(at);
        if descending {
            users.reverse();
        }
        Ok(users.into_iter().take(limit).map(|row| (row.key(sort), row)).collect())
    }

    fn rows_with_words(&self, words: &[String], beginnings: &[String], limit: usize) -> Result<Vec<i64>> {
        let fits = |user: &ListRow| {
            let stored: Vec<&str> = user.columns.words.iter().flat_map(|words| words.split(' ')).collect();
            words.iter().all(|word| stored.contains(&&**word))
                && beginnings.iter().all(|start| stored.iter().any(|word| word.starts_with(&**start)))
        };
        let found = ListRow::select().read(self)?.into_iter().filter(fits).map(|user| user.row);
        Ok(found.collect::<BTreeSet<i64>>().into_iter().take(limit).collect())
    }

    fn rows_in_range(
        &self,
        app: &AppId,
        sort: Sort,
        since: i64,
        before: i64,
        limit: usize,
    ) -> Result<Vec<i64>> {
        let listed = ListRow::select().is("app", app).is("listed", &true).read(self)?.into_iter();
        let within = listed.filter(|row| (since..before).contains(&row.key(sort)));
        Ok(within.map(|row| row.row).take(limit).collect())
    }

    fn feed_epoch(&self) -> Result<FeedEpoch> {
        Ok(FeedEpoch { epoch: Epoch::of_number(1).unwrap(), is_first: true })
    }

    fn data_version(&self) -> Result<i64> {
        Ok(self.state()?.commits)
    }
}
