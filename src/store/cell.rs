//! The values of columns.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use super::error::{Error, Result};
use crate::domain::{AppId, SmoochId};

/// The value of a column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell<'a> {
    /// None.
    Null,
    /// A number.
    Integer(i64),
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// A value that no column has, unless the database is damaged.
    Unreadable,
}

impl Cell<'_> {
    /// The same value without what it borrows.
    pub fn into_owned(self) -> Cell<'static> {
        match self {
            Self::Null => Cell::Null,
            Self::Integer(number) => Cell::Integer(number),
            Self::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Self::Bytes(bytes) => Cell::Bytes(Cow::Owned(bytes.into_owned())),
            Self::Unreadable => Cell::Unreadable,
        }
    }
}

/// Why a value cannot be read.
#[derive(Debug)]
pub enum CellError {
    /// It is of a wrong type.
    WrongType,
    /// It is damaged.
    Damaged(String),
}

impl CellError {
    /// Damaged, for this reason.
    pub fn damaged(why: impl ToString) -> Self {
        Self::Damaged(why.to_string())
    }

    /// The error of a store for a column.
    pub fn at(self, table: &str, column: &str) -> Error {
        match self {
            Self::WrongType => Error::Unavailable(format!("{table}.{column} has a value of a wrong type")),
            Self::Damaged(why) => Error::Damaged(format!("{table}.{column}: {why}")),
        }
    }
}

/// What is read from a cell.
pub trait FromCell: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// It is of a wrong type, or damaged.
    fn from_cell(cell: &Cell<'_>) -> Result<Self, CellError>;
}

/// What is written to a cell.
pub trait ToCell {
    /// The cell.
    fn to_cell(&self) -> Cell<'_>;
}

/// Values by which rows are found: those of some columns, in their order.
pub trait Key {
    /// Appends the cells.
    fn push_to<'a>(&'a self, cells: &mut Vec<Cell<'a>>);
}

impl<T: ToCell + ?Sized> Key for T {
    fn push_to<'a>(&'a self, cells: &mut Vec<Cell<'a>>) {
        cells.push(self.to_cell());
    }
}

macro_rules! keys {
    ($(($($part:ident),*))*) => {
        $(impl<$($part: ToCell),*> Key for ($($part),*) {
            fn push_to<'a>(&'a self, cells: &mut Vec<Cell<'a>>) {
                #[allow(non_snake_case, reason = "a value has the name of its type")]
                let ($($part),*) = self;
                $(cells.push($part.to_cell());)*
            }
        })*
    };
}

keys! { (A, B) (A, B, C) (A, B, C, D) }

impl<T: ToCell + ?Sized> ToCell for &T {
    fn to_cell(&self) -> Cell<'_> {
        (**self).to_cell()
    }
}

impl<T: ToCell> ToCell for Option<T> {
    fn to_cell(&self) -> Cell<'_> {
        self.as_ref().map_or(Cell::Null, ToCell::to_cell)
    }
}

impl<T: FromCell> FromCell for Option<T> {
    fn from_cell(cell: &Cell<'_>) -> Result<Self, CellError> {
        if *cell == Cell::Null { Ok(None) } else { T::from_cell(cell).map(Some) }
    }
}

impl ToCell for i64 {
    fn to_cell(&self) -> Cell<'_> {
        Cell::Integer(*self)
    }
}

impl FromCell for i64 {
    fn from_cell(cell: &Cell<'_>) -> Result<Self, CellError> {
        if let Cell::Integer(number) = cell { Ok(*number) } else { Err(CellError::WrongType) }
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {
        $(impl ToCell for $number {
            fn to_cell(&self) -> Cell<'_> {
                Cell::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        }

        impl FromCell for $number {
            fn from_cell(cell: &Cell<'_>) -> Result<Self, CellError> {
                i64::from_cell(cell).map(|number| number as Self)
            }
        })*
    };
}

numbers! { u64 usize }

impl ToCell for bool {
    fn to_cell(&self) -> Cell<'_> {
        Cell::Integer(i64::from(*self))
    }
}

impl FromCell for bool {
    fn from_cell(cell: &Cell<'_>) -> Result<Self, CellError> {
        match cell {
            Cell::Integer(0) => Ok(false),
            Cell::Integer(1) => Ok(true),
            _ => Err(CellError::WrongType),
        }
    }
}

impl ToCell for str {
    fn to_cell(&self) -> Cell<'_> {
        Cell::Text(self.into())
    }
}

/// A cell with a value of texts and numbers as JSON.
pub fn json<'c>(value: &impl Serialize) -> Cell<'c> {
    Cell::Text(serde_json::to_string(value).expect("texts and numbers can be written as JSON").into())
}

/// The text of a cell.
///
/// # Errors
/// It has none.
pub fn text<'c>(cell: &'c Cell<'_>) -> Result<&'c str, CellError> {
    if let Cell::Text(text) = cell { Ok(text) } else { Err(CellError::WrongType) }
}

macro_rules! texts {
    ($($text:ty: $as_str:expr;)*) => {
        $(impl ToCell for $text {
            fn to_cell(&self) -> Cell<'_> {
                let as_str: fn(&Self) -> &str = $as_str;
                as_str(self).to_cell()
            }
        }

        impl FromCell for $text {
            fn from_cell(cell: &Cell<'_>) -> Result<Self, CellError> {
                text(cell).map(Into::into)
            }
        })*
    };
}

texts! {
    String: |text| text;
    Arc<str>: |text| text;
    AppId: |app| app.as_str();
    SmoochId: |id| id.as_str();
}

impl ToCell for [u8] {
    fn to_cell(&self) -> Cell<'_> {
        Cell::Bytes(self.into())
    }
}

fn bytes<'c>(cell: &'c Cell<'_>) -> Result<&'c [u8], CellError> {
    if let Cell::Bytes(bytes) = cell { Ok(bytes) } else { Err(CellError::WrongType) }
}

impl ToCell for Vec<u8> {
    fn to_cell(&self) -> Cell<'_> {
        self[..].to_cell()
    }
}

impl FromCell for Vec<u8> {
    fn from_cell(cell: &Cell<'_>) -> Result<Self, CellError> {
        bytes(cell).map(Into::into)
    }
}

impl ToCell for Bytes {
    fn to_cell(&self) -> Cell<'_> {
        self[..].to_cell()
    }
}

impl FromCell for Bytes {
    fn from_cell(cell: &Cell<'_>) -> Result<Self, CellError> {
        bytes(cell).map(Self::copy_from_slice)
    }
}

impl<const N: usize> ToCell for [u8; N] {
    fn to_cell(&self) -> Cell<'_> {
        self[..].to_cell()
    }
}

impl<const N: usize> FromCell for [u8; N] {
    fn from_cell(cell: &Cell<'_>) -> Result<Self, CellError> {
        bytes(cell)?.try_into().map_err(|_| CellError::WrongType)
    }
}

/// Cells of types with names, as text.
macro_rules! named_cells {
    ($($type:ty)*) => {
        $(impl $crate::store::cell::ToCell for $type {
            fn to_cell(&self) -> $crate::store::cell::Cell<'_> {
                $crate::store::cell::ToCell::to_cell(self.as_str())
            }
        }

        impl $crate::store::cell::FromCell for $type {
            fn from_cell(
                cell: &$crate::store::cell::Cell<'_>,
            ) -> Result<Self, $crate::store::cell::CellError> {
                $crate::store::cell::text(cell)?.parse().map_err($crate::store::cell::CellError::damaged)
            }
        })*
    };
}
pub(crate) use named_cells;
