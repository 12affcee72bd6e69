//! Tables, and the rows that are read from them and written to them. A store makes its statements from these
//! declarations.

use super::cell::{Cell, FromCell, Key};
use super::error::Result;

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
}

impl Table {
    /// A table that has only these parts.
    pub const fn new(
        name: &'static str,
        key: &'static [&'static str],
        columns: &'static [&'static str],
    ) -> Self {
        Self { name, key, columns, number: None, unique: &[] }
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

/// Declares which columns of a table the fields of a row are, by the names of the fields or as `field = "column"`. The
/// last field may have fields of its own.
macro_rules! row {
    ($row:ty => $table:ident { $($field:ident $(= $column:literal)?),* $(,)? }) => {
        row! { read $row => $table { $($field $(= $column)?),* } }
        row! { write $row => $table { $($field $(= $column)?),* } }
    };
    (read $row:ty => $table:ident {
        $($field:ident $(= $column:literal)?),*
        $(; with $group:ident: $type:ident { $($member:ident),* })?
        $(; length $length:ident = $of:literal)? $(,)?
    }) => {
        impl $crate::store::ReadRow for $row {
            const PROJECTION: $crate::store::table::Projection = $crate::store::table::Projection {
                table: &$table,
                columns: &[$(row!(@column $field $($column)?),)* $($(stringify!($member)),*)?],
                lengths: &[$($of)?],
            };

            fn read(cells: &[$crate::store::cell::Cell<'_>]) -> $crate::store::Result<Self> {
                let mut row = $crate::store::table::RowCursor::new(Self::PROJECTION, cells);
                Ok(Self {
                    $($field: row.read_next()?,)*
                    $($group: $type { $($member: row.read_next()?),* },)?
                    $($length: row.read_next()?)?
                })
            }
        }
    };
    (write $row:ty => $table:ident { $($field:ident $(= $column:literal)?),* $(,)? }) => {
        impl $crate::store::WriteRow for $row {
            const TABLE: &'static $crate::store::table::Table = &$table;
            const COLUMNS: &'static [&'static str] = &[$(row!(@column $field $($column)?)),*];

            fn write<'a>(&'a self, cells: &mut Vec<$crate::store::cell::Cell<'a>>) {
                $(cells.push($crate::store::cell::ToCell::to_cell(&self.$field));)*
            }
        }
    };
    (@column $field:ident) => { stringify!($field) };
    (@column $field:ident $column:literal) => { $column };
}
pub(crate) use row;

/// The cells of a row, read one after the other.
pub struct RowCursor<'r> {
    of: Projection,
    cells: &'r [Cell<'r>],
    at: usize,
}

impl<'r> RowCursor<'r> {
    /// Before the first cell.
    pub fn new(of: Projection, cells: &'r [Cell<'r>]) -> Self {
        Self { of, cells, at: 0 }
    }

    /// Reads the next cell.
    ///
    /// # Errors
    /// It has a value of a wrong type, or a damaged one.
    pub fn read_next<T: FromCell>(&mut self) -> Result<T> {
        let (n, Projection { table, columns, lengths }) = (self.at, self.of);
        self.at += 1;
        let column = || columns.iter().chain(lengths).nth(n).copied().unwrap_or_default();
        let cell = self.cells.get(n).unwrap_or(&Cell::Null);
        T::from_cell(cell).map_err(|error| error.at(table.name, column()))
    }
}
