//! Quarantined bodies.

use crate::domain::AppId;
use crate::store::cell::{Cell, FromCell as _};
use crate::store::entry::{Quarantined, Seq};
use crate::store::error::Result;
use crate::store::select::ReadRow;
use crate::store::select::row;
use crate::store::table::{Projection, Table};

/// The quarantine.
pub static QUARANTINE: Table = Table {
    number: Some("seq"),
    ..Table::new("quarantine", &["seq"], &["app", "received", "reason", "detail", "headers", "body"])
};

row! { Quarantined => QUARANTINE { app, received, reason, detail, headers, body } }

/// A body with its number.
impl ReadRow for (Seq, Quarantined) {
    const PROJECTION: Projection = Projection {
        table: &QUARANTINE,
        columns: &["seq", "app", "received", "reason", "detail", "headers", "body"],
        lengths: &[],
    };

    fn read(cells: &[Cell<'_>]) -> Result<Self> {
        let (seq, body) = cells.split_first().unwrap_or((&Cell::Null, &[]));
        let seq = Seq::from_cell(seq).map_err(|error| error.at(QUARANTINE.name, "seq"))?;
        Ok((seq, Quarantined::read(body)?))
    }
}

/// A quarantined body, without the body itself.
#[derive(Clone, Debug, PartialEq)]
pub struct QuarantinedSummary {
    /// Its number.
    pub seq: Seq,
    /// The app whose secret it came with.
    pub app: AppId,
    /// When it was received, in ms since 1970.
    pub received: i64,
    /// The kind of trouble.
    pub reason: String,
    /// What is wrong, and where. Names no value of the body.
    pub detail: String,
    /// The size of the body.
    pub bytes: u64,
}

row! { read QuarantinedSummary => QUARANTINE { seq, app, received, reason, detail; length bytes = "body" } }

/// The app of a body in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedApp {
    /// The app whose secret it came with.
    pub app: AppId,
}

row! { read QuarantinedApp => QUARANTINE { app } }

/// A body in quarantine, by what retention asks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuarantinedSize {
    /// Its number.
    pub seq: Seq,
    /// When it was received, in ms since 1970.
    pub received: i64,
    /// The bytes of the body.
    pub bytes: u64,
}

row! { read QuarantinedSize => QUARANTINE { seq, received; length bytes = "body" } }

/// A body in quarantine, by what a count asks of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedShare {
    /// The app whose secret it came with.
    pub app: AppId,
    /// The bytes of the body.
    pub bytes: u64,
}

row! { read QuarantinedShare => QUARANTINE { app; length bytes = "body" } }

/// Why a body is in quarantine.
#[derive(Clone, Copy, Debug)]
pub struct QuarantineReason<'a> {
    /// Its number.
    pub seq: Seq,
    /// The kind of trouble.
    pub reason: &'a str,
    /// What is wrong.
    pub detail: &'a str,
}

row! { write QuarantineReason<'_> => QUARANTINE { seq, reason, detail } }

/// A quarantined body alone.
#[derive(Clone, Debug)]
pub struct QuarantinedBody {
    /// Its number.
    pub seq: Seq,
    /// The body.
    pub body: Vec<u8>,
}

row! { write QuarantinedBody => QUARANTINE { seq, body } }
