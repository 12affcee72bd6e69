//! Bodies that leave the quarantine, and rows that are repaired.

/// A row of the directory as the database keeps it: what is to be compared and replaced as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// One of [`super::sqlite::TABLES`].
    pub table: usize,
    /// The columns of its key.
    pub key: Vec<String>,
    /// All columns; nothing if there is no such row.
    pub cells: Option<Vec<rusqlite::types::Value>>,
}

impl Row {
    /// The app user it is about.
    pub fn user(&self) -> Option<crate::domain::RecordKey> {
        Some((self.key.first()?.as_str().into(), self.key.last()?.as_str().into()))
    }
}
