//! The journal, its bodies, and its gaps: numbers that rightly have no entry. Any other number without one is a hole.

use crate::domain::{AppId, SmoochId};
use crate::store::cell::{Cell, CellError, FromCell, ToCell, json, text};
use crate::store::entry::{Entry, Outcome, Seq, Source};
use crate::store::error::{Error, Result};
use crate::store::select::ReadRow;
use crate::store::select::row;
use crate::store::table::{Projection, Table};

/// The entries.
pub static JOURNAL: Table = Table::new(
    "journal",
    &["seq"],
    &["app", "source", "received", "event_time", "trigger", "outcome", "digest", "users", "body", "place"],
);

/// The bodies of each batch.
pub static BODIES: Table = Table::new("bodies", &["first_seq"], &["dictionary", "bodies"]);

/// The gaps: ranges deleted by retention, from the first number on, or by erasures.
pub static GAPS: Table = Table::new("gaps", &["first"], &["last"]);

row! {
    Entry => JOURNAL {
        seq, app, source, received, event_time, trigger, outcome, digest, users, body, place
    }
}

impl ToCell for Source {
    fn to_cell(&self) -> Cell<'_> {
        self.as_str().to_cell()
    }
}

impl FromCell for Source {
    fn from_cell(cell: &Cell<'_>) -> Result<Self, CellError> {
        Ok(match text(cell)? {
            "reduced" => Self::Reduced,
            "api" => Self::Api,
            _ => Self::Webhook,
        })
    }
}

impl ToCell for Outcome {
    fn to_cell(&self) -> Cell<'_> {
        self.as_str().to_cell()
    }
}

impl FromCell for Outcome {
    fn from_cell(cell: &Cell<'_>) -> Result<Self, CellError> {
        Ok(if text(cell)? == "learned" { Self::Learned } else { Self::Kept })
    }
}

/// The app users of a journal entry, each with its entry before.
pub type EntryUsers = Vec<(SmoochId, Option<Seq>)>;

impl ToCell for EntryUsers {
    fn to_cell(&self) -> Cell<'_> {
        let users: Vec<(&str, Option<Seq>)> =
            self.iter().map(|(id, before)| (id.as_str(), *before)).collect();
        json(&users)
    }
}

impl FromCell for EntryUsers {
    fn from_cell(cell: &Cell<'_>) -> Result<Self, CellError> {
        // Not borrowed: an `_id` with a quote or a backslash is escaped in the text.
        let users: Vec<(String, Option<Seq>)> =
            serde_json::from_str(text(cell)?).map_err(CellError::damaged)?;
        Ok(users.into_iter().map(|(id, before)| (id.as_str().into(), before)).collect())
    }
}

/// An entry that may be damaged: app users that cannot be read are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct DamagedEntry(pub Entry);

impl ReadRow for DamagedEntry {
    const PROJECTION: Projection = Entry::PROJECTION;

    fn read(cells: &[Cell<'_>]) -> Result<Self> {
        match Entry::read(cells) {
            Err(Error::Damaged(_)) => {
                let columns = Self::PROJECTION.columns.iter().zip(cells);
                let cells = columns.map(|(column, cell)| match *column {
                    "users" => Cell::Text("[]".into()),
                    _ => cell.clone(),
                });
                Entry::read(&cells.collect::<Vec<_>>()).map(Self)
            }
            entry => entry.map(Self),
        }
    }
}

/// The parts of an entry that an erasure changes.
#[derive(Clone, Debug)]
pub struct ReducedEntry {
    /// Its number.
    pub seq: Seq,
    /// What the body is.
    pub source: Source,
    /// The app users.
    pub users: EntryUsers,
    /// Which of its batch's bodies it came in.
    pub body: usize,
    /// Its place in that body.
    pub place: usize,
}

row! { write ReducedEntry => JOURNAL { seq, source, users, body, place } }

/// The app users of an entry.
#[derive(Clone, Debug)]
pub struct UsersOfEntry {
    /// The app.
    pub app: AppId,
    /// The app users.
    pub users: EntryUsers,
}

row! { read UsersOfEntry => JOURNAL { app, users } }

/// The time of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryTime {
    /// Its number.
    pub seq: Seq,
    /// When it was received, in ms since 1970.
    pub received: i64,
}

row! { read EntryTime => JOURNAL { seq, received } }

/// Where an entry comes from.
#[derive(Clone, Debug)]
pub struct EntrySource {
    /// The app.
    pub app: AppId,
    /// What the body is.
    pub source: Source,
    /// When it was received, in ms since 1970.
    pub received: i64,
}

row! { read EntrySource => JOURNAL { app, source, received } }

/// Bodies of one batch as they are stored; see [`crate::format::bodies`].
#[derive(Clone, Debug, PartialEq)]
pub struct PackedBodies {
    /// The number of the first entry of the batch.
    pub first: Seq,
    /// The dictionary of the compression.
    pub dictionary: i64,
    /// The packed bodies.
    pub bytes: Vec<u8>,
}

row! { PackedBodies => BODIES { first = "first_seq", dictionary, bytes = "bodies" } }

/// The bodies of a batch, by their size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodySize {
    /// The number of the first entry of the batch.
    pub first: Seq,
    /// The bytes of the packed bodies.
    pub bytes: u64,
}

row! { read BodySize => BODIES { first = "first_seq"; length bytes = "bodies" } }

/// A range of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first number.
    pub first: Seq,
    /// The last number.
    pub last: Seq,
}

row! { Gap => GAPS { first, last } }
