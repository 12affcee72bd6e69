//! The columns of rows.

use super::cell::{Cell, FromCell};
use super::error::Result;
use super::table::Projection;

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
                let mut row = $crate::store::row::RowCursor::new(Self::PROJECTION, cells);
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
