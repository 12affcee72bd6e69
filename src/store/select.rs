//! Reads of the rows of a table, and the columns that rows are made of.

use std::marker::PhantomData;

use super::cell::{Cell, FromCell, Key, ToCell};
use super::error::{Error, Result};
use super::table::{Projection, Table};

/// How a column compares with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// It has the value, or none if that is [`Cell::Null`].
    Is,
    /// It is greater.
    Above,
    /// It is greater or has the value.
    From,
    /// It is less or has the value.
    UpTo,
}

/// A condition on the rows of a table.
#[derive(Clone, Debug)]
pub struct Condition<'a> {
    /// The column.
    pub column: &'static str,
    /// How it compares
    pub is: Comparison,
    /// with this value.
    pub cell: Cell<'a>,
}

impl<'a> Condition<'a> {
    /// A condition.
    pub fn new(column: &'static str, is: Comparison, value: &'a (impl ToCell + ?Sized)) -> Self {
        Self { column, is, cell: value.to_cell() }
    }

    /// The same condition without what it borrows.
    pub fn into_owned(self) -> Condition<'static> {
        Condition { cell: self.cell.into_owned(), ..self }
    }
}

/// Some rows of a table, in the order of their keys.
#[derive(Clone, Debug)]
pub struct Scan<'a> {
    /// What is read of them.
    pub of: Projection,
    /// All of these hold.
    pub conditions: Vec<Condition<'a>>,
    /// Only those behind this key, if it is not empty.
    pub after: Vec<Cell<'a>>,
    /// The greatest key first.
    pub is_descending: bool,
    /// The most rows.
    pub limit: usize,
}

/// Reads of any table. Rows come as cells, which are valid during the call.
pub trait TableRows {
    /// Reads the rows with these keys, whose cells come one after the other. Calls `found` with the place of each key
    /// that has a row.
    ///
    /// # Errors
    /// The database cannot be read, or `found` fails; here and below.
    fn get(
        &self,
        of: Projection,
        keys: &[Cell<'_>],
        found: &mut dyn FnMut(usize, &[Cell<'_>]) -> Result<()>,
    ) -> Result<()>;

    /// Reads some rows. Calls `found` with each.
    fn scan(&self, scan: &Scan<'_>, found: &mut dyn FnMut(&[Cell<'_>]) -> Result<()>) -> Result<()>;

    /// Counts the rows of a table, and adds up the lengths of a column, if one is named.
    fn count(&self, table: &'static Table, length: Option<&'static str>) -> Result<(u64, u64)>;
}

/// A row as it is read, or a part of one.
pub trait ReadRow: Sized {
    /// What is read.
    const PROJECTION: Projection;

    /// Reads the row from its cells.
    ///
    /// # Errors
    /// A column has a value of a wrong type, or a damaged one.
    fn read(cells: &[Cell<'_>]) -> Result<Self>;

    /// The rows with these keys, in the order of the keys.
    ///
    /// # Errors
    /// The database cannot be read, or a row; here and below.
    fn get<'k, K: Key + ?Sized + 'k>(
        rows: &dyn TableRows,
        keys: impl IntoIterator<Item = &'k K>,
    ) -> Result<Vec<Option<Self>>> {
        let (mut cells, mut found, mut count) = (Vec::new(), Vec::new(), 0);
        for key in keys {
            key.push_to(&mut cells);
            count += 1;
        }
        found.resize_with(count, || None);
        rows.get(Self::PROJECTION, &cells, &mut |n, row| {
            found[n] = Some(Self::read(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// The row with this key.
    fn find<K: Key + ?Sized>(rows: &dyn TableRows, key: &K) -> Result<Option<Self>> {
        Ok(Self::get(rows, [key])?.pop().flatten())
    }

    /// The row of a table that has one.
    fn only(rows: &dyn TableRows) -> Result<Self> {
        let lost = || Error::Derived { name: "counters", why: "a required row is missing".to_owned() };
        Self::select().first(rows)?.ok_or_else(lost)
    }

    /// All rows, in the order of their keys.
    fn select<'a>() -> Select<'a, Self> {
        Select::all()
    }
}

/// Some rows, in the order of their keys.
pub struct Select<'a, R> {
    scan: Scan<'a>,
    row: PhantomData<R>,
}

impl<'a, R: ReadRow> Select<'a, R> {
    /// All rows.
    pub fn all() -> Self {
        let (conditions, after) = (Vec::new(), Vec::new());
        let of = R::PROJECTION;
        let scan = Scan { of, conditions, after, is_descending: false, limit: usize::MAX };
        Self { scan, row: PhantomData }
    }

    fn with(mut self, column: &'static str, is: Comparison, value: &'a (impl ToCell + ?Sized)) -> Self {
        self.scan.conditions.push(Condition::new(column, is, value));
        self
    }

    /// Those with this value in a column.
    pub fn is(self, column: &'static str, value: &'a (impl ToCell + ?Sized)) -> Self {
        self.with(column, Comparison::Is, value)
    }

    /// Those with a greater value in a column.
    pub fn above(self, column: &'static str, value: &'a (impl ToCell + ?Sized)) -> Self {
        self.with(column, Comparison::Above, value)
    }

    /// Those with this value or a greater one in a column.
    pub fn from(self, column: &'static str, value: &'a (impl ToCell + ?Sized)) -> Self {
        self.with(column, Comparison::From, value)
    }

    /// Those with this value or a less one in a column.
    pub fn up_to(self, column: &'static str, value: &'a (impl ToCell + ?Sized)) -> Self {
        self.with(column, Comparison::UpTo, value)
    }

    /// Those behind a key.
    pub fn after(mut self, key: &'a (impl Key + ?Sized)) -> Self {
        key.push_to(&mut self.scan.after);
        self
    }

    /// Those behind a key, if there is one.
    pub fn after_last(self, key: Option<&'a (impl Key + ?Sized)>) -> Self {
        match key {
            Some(key) => self.after(key),
            None => self,
        }
    }

    /// The greatest key first.
    pub fn descending(mut self) -> Self {
        self.scan.is_descending = true;
        self
    }

    /// At most so many.
    pub fn limit(mut self, limit: usize) -> Self {
        self.scan.limit = limit;
        self
    }

    /// Reads the rows.
    ///
    /// # Errors
    /// The database cannot be read, or a row; here and below.
    pub fn read(self, rows: &dyn TableRows) -> Result<Vec<R>> {
        let mut all = Vec::new();
        rows.scan(&self.scan, &mut |cells| {
            all.push(R::read(cells)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// Reads the first row.
    pub fn first(self, rows: &dyn TableRows) -> Result<Option<R>> {
        Ok(self.limit(1).read(rows)?.pop())
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
                let mut row = $crate::store::select::RowCursor::new(Self::PROJECTION, cells);
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
