//! The rows that are rebuilt from the journal.

use crate::domain::{ClientId, RecordKey};
use crate::format::list_columns::Columns;
use crate::store::cell::{Cell, Key};
use crate::store::error::{Error, Result};
use crate::store::select::RowCursor;
use crate::store::select::{ReadRow, TableRows};
use crate::store::table::{Projection, Table};
use crate::store::tables::{APP_USERS, IDENTIFIERS, StoredIdentifier, UserRow};

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

    fn declared(self) -> &'static Table {
        match self {
            Self::Users => &APP_USERS,
            Self::Identifiers => &IDENTIFIERS,
        }
    }

    /// Its name in the database and in requests.
    pub fn name(self) -> &'static str {
        self.declared().name
    }
}

/// The key of a row. Keys of a table are in the order of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKey {
    /// Of [`RebuiltTable::Users`].
    User(RecordKey),
    /// Of [`RebuiltTable::Identifiers`].
    Identifier(StoredIdentifier),
}

impl RowKey {
    /// The key of a table with these parts; `None` if there is no such table, or the number of parts is wrong.
    pub fn from_parts(table: &str, parts: &[String]) -> Option<Self> {
        match (table, parts) {
            ("app_users", [app, id]) => Some(Self::User((app.as_str().into(), id.as_str().into()))),
            ("identifiers", [app, kind, value, id]) => {
                let (app, id) = (app.as_str().into(), id.as_str().into());
                Some(Self::Identifier(StoredIdentifier { app, kind: kind.clone(), value: value.clone(), id }))
            }
            _ => None,
        }
    }

    /// Its parts, as [`RowKey::from_parts`] reads them.
    pub fn parts(&self) -> Vec<&str> {
        match self {
            Self::User((app, id)) => vec![app.as_str(), id.as_str()],
            Self::Identifier(row) => vec![row.app.as_str(), &row.kind, &row.value, row.id.as_str()],
        }
    }

    /// Its table.
    pub fn table(&self) -> RebuiltTable {
        match self {
            Self::User(_) => RebuiltTable::Users,
            Self::Identifier(_) => RebuiltTable::Identifiers,
        }
    }

    /// The app user of the row.
    pub fn user(&self) -> RecordKey {
        match self {
            Self::User(key) => key.clone(),
            Self::Identifier(row) => (row.app.clone(), row.id.clone()),
        }
    }

    /// The client of the row.
    pub fn client(&self) -> Option<ClientId> {
        match self {
            Self::Identifier(row) if row.kind != "userId" => Some(row.value.as_str().into()),
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

impl Key for RowKey {
    fn push_to<'a>(&'a self, cells: &mut Vec<Cell<'a>>) {
        cells.extend(self.parts().into_iter().map(|part| Cell::Text(part.into())));
    }
}

/// The row of an app user, perhaps a damaged one.
struct RebuiltUser(RebuiltRow);

impl ReadRow for RebuiltUser {
    const PROJECTION: Projection = UserRow::PROJECTION;

    fn read(cells: &[Cell<'_>]) -> Result<Self> {
        let mut row = RowCursor::new(Self::PROJECTION, cells);
        let (_, key): (i64, _) = (row.read_next()?, RowKey::User((row.read_next()?, row.read_next()?)));
        let user = UserRow::read(cells)
            .map(|UserRow { record, columns, .. }| RowContent::User(StoredUser { record, columns }));
        Ok(Self(RebuiltRow { key, content: Some(user.unwrap_or(RowContent::Damaged)) }))
    }
}

impl From<StoredIdentifier> for RebuiltRow {
    fn from(row: StoredIdentifier) -> Self {
        Self { key: RowKey::Identifier(row), content: Some(RowContent::Identifier) }
    }
}

/// Reads of these rows. A missing table is empty.
impl RebuiltTable {
    /// At most `limit` rows after this key, in key order.
    ///
    /// # Errors
    /// The database cannot be read; here and below.
    pub fn read_after(
        self,
        rows: &dyn TableRows,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<RebuiltRow>> {
        let found = match self {
            Self::Users => {
                let users = RebuiltUser::select().after_last(after).limit(limit).read(rows);
                users.map(|users| users.into_iter().map(|user| user.0).collect())
            }
            Self::Identifiers => {
                let found = StoredIdentifier::select().after_last(after).limit(limit).read(rows);
                found.map(|found| found.into_iter().map(RebuiltRow::from).collect())
            }
        };
        self.unless_missing(found)
    }

    /// The number of rows.
    pub fn count(self, rows: &dyn TableRows) -> Result<u64> {
        match rows.count(self.declared(), None) {
            Err(Error::Derived { .. } | Error::Damaged(_)) => Ok(0),
            count => Ok(count?.0),
        }
    }

    fn unless_missing<T: Default>(self, found: Result<T>) -> Result<T> {
        let of_table = match self {
            Self::Users => "records",
            Self::Identifiers => "identifiers",
        };
        match found {
            Err(Error::Derived { name, .. }) if name == of_table => Ok(T::default()),
            found => found,
        }
    }
}

impl RebuiltRow {
    /// The rows with these keys, in the order of the keys.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn read(rows: &dyn TableRows, keys: &[RowKey]) -> Result<Vec<Self>> {
        let read = |key: &RowKey| {
            let found = match key.table() {
                RebuiltTable::Users => RebuiltUser::find(rows, key).map(|found| found.map(|user| user.0)),
                RebuiltTable::Identifiers => {
                    StoredIdentifier::find(rows, key).map(|found| found.map(Self::from))
                }
            };
            let found = key.table().unless_missing(found)?;
            Ok(found.unwrap_or_else(|| Self { key: key.clone(), content: None }))
        };
        keys.iter().map(read).collect()
    }
}
