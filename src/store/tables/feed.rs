//! The change feeds of apps.

use crate::domain::{AppId, Change, ChangeKind, SmoochId};
use crate::store::cell::{Cell, CellError, FromCell, ToCell, json, text};
use crate::store::entry::Seq;
use crate::store::error::{Error, Result};
use crate::store::select::ReadRow;
use crate::store::select::{RowCursor, row};
use crate::store::table::{Projection, Table, WriteRow};

/// The changes.
pub static CHANGES: Table =
    Table::new("changes", &["app", "seq"], &["journal", "time", "kind", "user", "surviving", "fields"]);

/// The last number of each feed.
pub static FEEDS: Table = Table::new("feeds", &["app"], &["seq"]);

/// A change in the feed of an app.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredChange {
    /// Its number.
    pub seq: u64,
    /// When it was committed, in ms since 1970.
    pub time: i64,
    /// The change.
    pub change: Change,
}

impl ReadRow for StoredChange {
    const PROJECTION: Projection = Projection {
        table: &CHANGES,
        columns: &["seq", "time", "user", "surviving", "kind", "fields"],
        lengths: &[],
    };

    fn read(cells: &[Cell<'_>]) -> Result<Self> {
        let mut row = RowCursor::new(Self::PROJECTION, cells);
        let (seq, time, user) = (row.read_next()?, row.read_next()?, row.read_next()?);
        let surviving: Option<SmoochId> = row.read_next()?;
        let name: String = row.read_next()?;
        let kind = ChangeKind::from_parts(&name, surviving)
            .ok_or_else(|| Error::Damaged(format!("changes: kind {name}")))?;
        Ok(Self { seq, time, change: Change { user, kind, fields: row.read_next()? } })
    }
}

/// A change that is appended to the feed of an app.
#[derive(Clone, Debug, PartialEq)]
pub struct NewChange {
    /// The app.
    pub app: AppId,
    /// The journal entry that it comes from.
    pub entry: Seq,
    /// The change.
    pub stored: StoredChange,
}

impl WriteRow for NewChange {
    const TABLE: &'static Table = &CHANGES;
    const COLUMNS: &'static [&'static str] =
        &["app", "seq", "journal", "time", "kind", "user", "surviving", "fields"];

    fn write<'a>(&'a self, cells: &mut Vec<Cell<'a>>) {
        let Self { app, entry, stored: StoredChange { seq, time, change } } = self;
        cells.extend([app.to_cell(), seq.to_cell(), entry.to_cell(), time.to_cell()]);
        cells.extend([change.kind.as_str().to_cell(), change.user.to_cell()]);
        cells.push(change.kind.surviving().map_or(Cell::Null, ToCell::to_cell));
        cells.push(change.fields.to_cell());
    }
}

impl ToCell for Vec<String> {
    fn to_cell(&self) -> Cell<'_> {
        json(self)
    }
}

impl FromCell for Vec<String> {
    fn from_cell(cell: &Cell<'_>) -> Result<Self, CellError> {
        serde_json::from_str(text(cell)?).map_err(CellError::damaged)
    }
}

/// The time of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeTime {
    /// Its number.
    pub seq: u64,
    /// When it was committed, in ms since 1970.
    pub time: i64,
}

row! { read ChangeTime => CHANGES { seq, time } }

/// The names of the fields of a change.
#[derive(Clone, Debug)]
pub struct ChangeFields {
    /// The app.
    pub app: AppId,
    /// Its number.
    pub seq: u64,
    /// The names.
    pub fields: Vec<String>,
}

row! { write ChangeFields => CHANGES { app, seq, fields } }

/// The feed of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The app.
    pub app: AppId,
    /// The last number that was given.
    pub last: u64,
}

row! { Feed => FEEDS { app, last = "seq" } }
