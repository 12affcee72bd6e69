//! Tables, and the rows that are read from them and written to them. A store makes its statements from these
//! declarations.

use super::cell::{Cell, Key};

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// The columns of the key, by which rows are found and ordered. A table without a key has one row, which is always
    /// there.
    pub key: &'static [&'static str],
    /// The other columns.
    pub columns: &'static [&'static str],
    /// The column by which the store numbers new rows: each number is greater than those of the rows that are there.
    pub number: Option<&'static str>,
    /// Other columns that identify a row. One that is put in place of another gets a new number.
    pub unique: &'static [&'static str],
    /// What is remade if a statement on the table fails, by its name in [`super::sqlite::DERIVED`].
    pub remade: Option<&'static str>,
}

impl Table {
    /// A table that has only these parts.
    pub const fn new(
        name: &'static str,
        key: &'static [&'static str],
        columns: &'static [&'static str],
    ) -> Self {
        Self { name, key, columns, number: None, unique: &[], remade: None }
    }
}

/// What is read of the rows of a table.
#[derive(Clone, Copy, Debug)]
pub struct Projection {
    /// The table.
    pub table: &'static Table,
    /// These columns,
    pub columns: &'static [&'static str],
    /// and behind them the lengths of these ones.
    pub lengths: &'static [&'static str],
}

/// A row as it is written, or a part of one.
pub trait WriteRow {
    /// The table.
    const TABLE: &'static Table;
    /// The columns. Those of a key come first.
    const COLUMNS: &'static [&'static str];

    /// Appends the cells of the columns.
    fn write<'a>(&'a self, cells: &mut Vec<Cell<'a>>);
}

/// Rows, or keys of rows, as they are handed to a store: of each the cells of the columns.
#[derive(Clone, Debug)]
pub struct RowCells<'a> {
    /// The table.
    pub table: &'static Table,
    /// The columns.
    pub columns: &'static [&'static str],
    cells: Vec<Cell<'a>>,
}

impl<'a> RowCells<'a> {
    /// The cells of rows.
    pub fn of<R: WriteRow + 'a>(rows: impl IntoIterator<Item = &'a R>) -> Self {
        let mut cells = Vec::new();
        rows.into_iter().for_each(|row| row.write(&mut cells));
        Self { table: R::TABLE, columns: R::COLUMNS, cells }
    }

    /// The cells of keys.
    pub fn of_keys<K: Key + ?Sized + 'a>(
        table: &'static Table,
        keys: impl IntoIterator<Item = &'a K>,
    ) -> Self {
        let mut cells = Vec::new();
        keys.into_iter().for_each(|key| key.push_to(&mut cells));
        Self { table, columns: table.key, cells }
    }

    /// The rows, each as its cells.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &[Cell<'a>]> + ExactSizeIterator {
        self.cells.chunks(self.columns.len().max(1))
    }

    /// The same cells without what they borrow.
    pub fn into_owned(self) -> RowCells<'static> {
        let cells = self.cells.into_iter().map(Cell::into_owned).collect();
        RowCells { table: self.table, columns: self.columns, cells }
    }
}
