//! App users with their identifiers, and their moves in the orders of lists.

use crate::domain::list::Sort;
use crate::domain::{AppId, SmoochId};
use crate::format::list_columns::Columns;
use crate::store::cell::{Cell, CellError, FromCell, ToCell, text};
use crate::store::error::Result;
use crate::store::select::row;
use crate::store::table::Table;

/// The app users. They are written by [`crate::store::Write::PutUsers`] and [`crate::store::Write::ReplaceUsers`] alone,
/// which keep the indexes of lists in step.
pub static APP_USERS: Table = Table {
    number: Some("rowid"),
    ..Table::new(
        "app_users",
        &["app", "id"],
        &["listed", "record", "last_seen", "signed_up", "flags", "words"],
    )
};

/// The identifiers of app users.
pub static IDENTIFIERS: Table =
    Table { remade: Some("identifiers"), ..Table::new("identifiers", &["app", "kind", "value", "id"], &[]) };

/// Changes of the keys by which lists are sorted, of all apps. The store writes them with the app users.
pub static MOVES: Table = Table {
    number: Some("n"),
    remade: Some("moves"),
    ..Table::new("moves", &["n"], &["sort", "app", "id", "user", "before", "now"])
};

/// By what app users are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifierKind {
    /// A `userId` that a record carries, as JSON text.
    UserId,
    /// A client, by the app user who holds it.
    Client,
    /// A client, by an app user who claims it while another one holds it.
    Claim,
}

impl IdentifierKind {
    /// The kind with a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::UserId, Self::Client, Self::Claim].into_iter().find(|kind| kind.as_str() == name)
    }

    /// The name that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserId => "userId",
            Self::Client => "client",
            Self::Claim => "claim",
        }
    }
}

impl ToCell for IdentifierKind {
    fn to_cell(&self) -> Cell<'_> {
        self.as_str().to_cell()
    }
}

/// The row of an identifier of an app user.
#[derive(Clone, Copy, Debug)]
pub struct IdentifierRow<'a> {
    /// The app.
    pub app: &'a AppId,
    /// The kind.
    pub kind: IdentifierKind,
    /// The identifier.
    pub value: &'a str,
    /// The app user.
    pub id: &'a SmoochId,
}

row! { write IdentifierRow<'_> => IDENTIFIERS { app, kind, value, id } }

/// An identifier of an app user as it is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredIdentifier {
    /// The app.
    pub app: AppId,
    /// The stored name of the [`IdentifierKind`].
    pub kind: String,
    /// The identifier.
    pub value: String,
    /// The app user.
    pub id: SmoochId,
}

row! { StoredIdentifier => IDENTIFIERS { app, kind, value, id } }

/// An app user without its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserKey {
    /// The app.
    pub app: AppId,
    /// The `_id`.
    pub id: SmoochId,
    /// Whether lists show it.
    pub is_listed: bool,
}

row! { read UserKey => APP_USERS { app, id, is_listed = "listed" } }

/// The record of an app user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRecord {
    /// The app.
    pub app: AppId,
    /// The `_id`.
    pub id: SmoochId,
    /// The record, as [`crate::format::record`] writes it, or bytes that are none.
    pub record: Vec<u8>,
}

row! { read UserRecord => APP_USERS { app, id, record } }

/// A row of an app user as lists read it; see [`crate::format::list_columns`].
#[derive(Clone, Debug, PartialEq)]
pub struct ListRow {
    /// The number of the row.
    pub row: i64,
    /// The `_id`.
    pub id: SmoochId,
    /// Its columns.
    pub columns: Columns,
}

impl ListRow {
    /// The key by which an order has the row.
    pub fn key(&self, sort: Sort) -> i64 {
        match sort {
            Sort::Id => 0,
            Sort::LastSeen => self.columns.last_seen,
            Sort::SignedUp => self.columns.signed_up,
        }
    }
}

row! {
    read ListRow => APP_USERS {
        row = "rowid", id; with columns: Columns { listed, last_seen, signed_up, flags, words }
    }
}

/// All of the row of an app user.
#[derive(Clone, Debug, PartialEq)]
pub struct UserRow {
    /// The number of the row.
    pub row: i64,
    /// The app.
    pub app: AppId,
    /// The `_id`.
    pub id: SmoochId,
    /// The record, as [`crate::format::record`] writes it.
    pub record: Vec<u8>,
    /// The columns.
    pub columns: Columns,
}

row! {
    read UserRow => APP_USERS {
        row = "rowid", app, id, record; with columns: Columns { listed, last_seen, signed_up, flags, words }
    }
}

/// A change of the key by which a list is sorted.
#[derive(Clone, Debug, PartialEq)]
pub struct Move {
    /// Its number.
    pub n: i64,
    /// By what.
    pub sort: Sort,
    /// The app.
    pub app: AppId,
    /// The app user.
    pub id: SmoochId,
    /// The number of its row.
    pub row: i64,
    /// The key before.
    pub before: i64,
    /// The key afterwards; absent if no list shows the app user any more.
    pub now: Option<i64>,
}

row! { Move => MOVES { n, sort, app, id, row = "user", before, now } }

impl ToCell for Sort {
    fn to_cell(&self) -> Cell<'_> {
        match self {
            Self::SignedUp => "signedUpAt".to_cell(),
            Self::LastSeen | Self::Id => "lastSeen".to_cell(),
        }
    }
}

impl FromCell for Sort {
    fn from_cell(cell: &Cell<'_>) -> Result<Self, CellError> {
        Ok(if text(cell)? == "signedUpAt" { Self::SignedUp } else { Self::LastSeen })
    }
}
