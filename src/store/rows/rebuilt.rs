//! The rows that are rebuilt from the journal.

use crate::domain::{AppId, ClientId, RecordKey, SmoochId};
use crate::format::list_columns::Columns;
use crate::store::error::Result;

/// A table that is rebuilt from the journal. A new table of the directory belongs here, or it is neither compared nor
/// repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebuiltTable {
    /// The records of app users, with their list columns.
    Users,
    /// The identifiers of app users.
    Identifiers,
}

impl RebuiltTable {
    /// All tables, in the order of their rebuild.
    pub const ALL: [Self; 2] = [Self::Users, Self::Identifiers];

    /// Its name in the database and in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "app_users",
            Self::Identifiers => "identifiers",
        }
    }
}

/// The key of a row. Keys of a table are in the order of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKey {
    /// Of [`RebuiltTable::Users`].
    User(RecordKey),
    /// Of [`RebuiltTable::Identifiers`].
    Identifier {
        /// The app.
        app: AppId,
        /// The stored name of the [`super::IdentifierKind`].
        kind: String,
        /// The identifier.
        value: String,
        /// The app user.
        id: SmoochId,
    },
}

impl RowKey {
    /// The key of a table with these parts; `None` if there is no such table, or the number of parts is wrong.
    pub fn from_parts(table: &str, parts: &[String]) -> Option<Self> {
        match (table, parts) {
            ("app_users", [app, id]) => Some(Self::User((app.as_str().into(), id.as_str().into()))),
            ("identifiers", [app, kind, value, id]) => {
                let (app, id) = (app.as_str().into(), id.as_str().into());
                Some(Self::Identifier { app, kind: kind.clone(), value: value.clone(), id })
            }
            _ => None,
        }
    }

    /// Its parts, as [`RowKey::from_parts`] reads them.
    pub fn parts(&self) -> Vec<&str> {
        match self {
            Self::User((app, id)) => vec![app.as_str(), id.as_str()],
            Self::Identifier { app, kind, value, id } => vec![app.as_str(), kind, value, id.as_str()],
        }
    }

    /// Its table.
    pub fn table(&self) -> RebuiltTable {
        match self {
            Self::User(_) => RebuiltTable::Users,
            Self::Identifier { .. } => RebuiltTable::Identifiers,
        }
    }

    /// The app user of the row.
    pub fn user(&self) -> RecordKey {
        match self {
            Self::User(key) => key.clone(),
            Self::Identifier { app, id, .. } => (app.clone(), id.clone()),
        }
    }

    /// The client of the row.
    pub fn client(&self) -> Option<ClientId> {
        match self {
            Self::Identifier { kind, value, .. } if kind != "userId" => Some(value.as_str().into()),
            _ => None,
        }
    }
}

/// A stored record with its list columns.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredUser {
    /// The record, as [`crate::format::record`] writes it.
    pub record: Vec<u8>,
    /// The columns.
    pub columns: Columns,
}

/// The content of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum RowContent {
    /// Of an app user.
    User(StoredUser),
    /// Of an identifier: all of it is in the key.
    Identifier,
    /// A column has a value of a wrong type.
    Damaged,
}

/// A row, or its absence.
#[derive(Clone, Debug, PartialEq)]
pub struct RebuiltRow {
    /// The key.
    pub key: RowKey,
    /// The content; `None` if there is no such row.
    pub content: Option<RowContent>,
}

/// Reads of these rows. A missing table is empty.
pub trait RebuiltRows {
    /// At most `limit` rows of a table after this key, in key order.
    fn rebuilt_after(
        &self,
        table: RebuiltTable,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<RebuiltRow>>;

    /// The rows with these keys, in the order of the keys.
    fn rebuilt(&self, keys: &[RowKey]) -> Result<Vec<RebuiltRow>>;

    /// The number of rows of a table.
    fn count_rebuilt(&self, table: RebuiltTable) -> Result<u64>;
}
