//! Records and identifiers as they will be after writes that are not committed yet.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::{AppId, RecordKey, SmoochId};
use crate::store::rows::{Identifier, RecordRows, StoredRecord};
use crate::store::tables::{IDENTIFIERS, IdentifierKind, IdentifierRow, StoredIdentifier};
use crate::store::{ReadRow as _, Result, RowCells, Write};

type IdentifierKey = (AppId, &'static str, String);

/// Stored records and identifiers beneath uncommitted writes of both.
pub struct Overlay<'r> {
    rows: &'r dyn RecordRows,
    records: HashMap<RecordKey, Option<Vec<u8>>>,
    /// Whether each app user that was put or deleted has the identifier.
    identifiers: HashMap<IdentifierKey, BTreeMap<SmoochId, bool>>,
}

impl<'r> Overlay<'r> {
    /// Nothing above these rows.
    pub fn new(rows: &'r dyn RecordRows) -> Self {
        Self { rows, records: HashMap::new(), identifiers: HashMap::new() }
    }

    /// The writes of a batch above these rows.
    pub fn of_writes(rows: &'r dyn RecordRows, writes: &[Write<'_>]) -> Result<Self> {
        let mut overlay = Self::new(rows);
        for write in writes {
            match write {
                Write::PutUsers(users) => {
                    for user in users {
                        overlay.put_record(user.key.clone(), Some(user.record.clone()));
                    }
                }
                Write::Add(rows) => overlay.put_identifiers(rows, true)?,
                Write::Delete(rows) => overlay.put_identifiers(rows, false)?,
                _ => {}
            }
        }
        Ok(overlay)
    }

    fn put_identifiers(&mut self, rows: &RowCells<'_>, are_there: bool) -> Result<()> {
        for row in rows.rows().filter(|_| rows.table.name == IDENTIFIERS.name) {
            let StoredIdentifier { app, kind, value, id } = StoredIdentifier::read(row)?;
            if let Some(kind) = IdentifierKind::from_name(&kind) {
                self.put_identifier(IdentifierRow { app: &app, kind, value: &value, id: &id }, are_there);
            }
        }
        Ok(())
    }

    /// Puts a record above the stored one; none if it is deleted.
    pub fn put_record(&mut self, key: RecordKey, record: Option<Vec<u8>>) {
        self.records.insert(key, record);
    }

    /// Adds an identifier, or deletes it.
    pub fn put_identifier(&mut self, row: IdentifierRow<'_>, is_there: bool) {
        let key = (row.app.clone(), row.kind.as_str(), row.value.to_owned());
        self.identifiers.entry(key).or_default().insert(row.id.clone(), is_there);
    }
}

impl RecordRows for Overlay<'_> {
    fn records(&self, keys: &[RecordKey]) -> Result<Vec<Option<StoredRecord>>> {
        let stored = self.rows.records(keys)?;
        let over = keys.iter().zip(stored).map(|(key, stored)| match self.records.get(key) {
            // A new record has no row yet.
            Some(bytes) => {
                let row = stored.map_or(0, |stored| stored.row);
                bytes.clone().map(|bytes| StoredRecord { row, bytes })
            }
            None => stored,
        });
        Ok(over.collect())
    }

    fn holders(&self, identifiers: &[Identifier<'_>]) -> Result<Vec<Vec<SmoochId>>> {
        let stored = self.rows.holders(identifiers)?;
        let over = identifiers.iter().zip(stored).map(|((app, kind, value), stored)| {
            let key = ((*app).clone(), IdentifierKind::as_str(*kind), (*value).to_owned());
            let mut ids: BTreeSet<SmoochId> = stored.into_iter().collect();
            for (id, is_there) in self.identifiers.get(&key).into_iter().flatten() {
                _ = if *is_there { ids.insert(id.clone()) } else { ids.remove(id) };
            }
            ids.into_iter().collect()
        });
        Ok(over.collect())
    }
}
