//! The audit log.

use crate::domain::{AppId, SmoochId};
use crate::store::audit::{AuditAction, AuditEntry, AuditOutcome, How};
use crate::store::cell::{Cell, CellError, FromCell, ToCell, json, named_cells, text};
use crate::store::entry::Seq;
use crate::store::error::Result;
use crate::store::select::{ReadRow, row};
use crate::store::table::{Projection, Table};

/// The entries.
pub static AUDIT: Table = Table {
    number: Some("seq"),
    ..Table::new(
        "audit",
        &["seq"],
        &[
            "time", "who", "role", "how", "app", "action", "ids", "entries", "bodies", "count", "outcome",
            "detail", "request",
        ],
    )
};

row! {
    AuditEntry => AUDIT {
        time, who, role, how, app, action, ids, entries, bodies, count, outcome, detail, request
    }
}

/// An entry with its number.
impl ReadRow for (Seq, AuditEntry) {
    const PROJECTION: Projection = Projection {
        table: &AUDIT,
        columns: &[
            "seq", "time", "who", "role", "how", "app", "action", "ids", "entries", "bodies", "count",
            "outcome", "detail", "request",
        ],
        lengths: &[],
    };

    fn read(cells: &[Cell<'_>]) -> Result<Self> {
        let (seq, entry) = cells.split_first().unwrap_or((&Cell::Null, &[]));
        let seq = Seq::from_cell(seq).map_err(|error| error.at(AUDIT.name, "seq"))?;
        Ok((seq, AuditEntry::read(entry)?))
    }
}

named_cells! { How AuditAction AuditOutcome }

impl ToCell for Vec<SmoochId> {
    fn to_cell(&self) -> Cell<'_> {
        json(&self.iter().map(SmoochId::as_str).collect::<Vec<_>>())
    }
}

impl FromCell for Vec<SmoochId> {
    fn from_cell(cell: &Cell<'_>) -> Result<Self, CellError> {
        let ids: Vec<String> = serde_json::from_str(text(cell)?).map_err(CellError::damaged)?;
        Ok(ids.iter().map(|id| id.as_str().into()).collect())
    }
}

impl ToCell for Vec<Seq> {
    fn to_cell(&self) -> Cell<'_> {
        json(self)
    }
}

impl FromCell for Vec<Seq> {
    fn from_cell(cell: &Cell<'_>) -> Result<Self, CellError> {
        serde_json::from_str(text(cell)?).map_err(CellError::damaged)
    }
}

/// An entry, by what retention asks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditTime {
    /// Its number.
    pub seq: Seq,
    /// When it was written, in ms since 1970.
    pub time: i64,
}

row! { read AuditTime => AUDIT { seq, time } }

/// An entry, by what an erasure asks of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditedUsers {
    /// Its number.
    pub seq: Seq,
    /// The app; `None` for several.
    pub app: Option<AppId>,
    /// The app users.
    pub ids: Vec<SmoochId>,
    /// The id of the request.
    pub request: Option<String>,
}

row! { read AuditedUsers => AUDIT { seq, app, ids, request } }

/// The request id of an entry, as an erasure writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRequest {
    /// Its number.
    pub seq: Seq,
    /// The id of the request.
    pub request: Option<String>,
}

row! { write AuditRequest => AUDIT { seq, request } }
