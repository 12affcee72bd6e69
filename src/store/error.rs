//! Errors of a store, and messages for errors of the system that say what to do.

use std::io::{self, ErrorKind};

use super::entry::Seq;

/// Why an operation of a store failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk is full. Nothing was written; reads continue.
    #[error("the disk is full: {0}")]
    Full(String),
    /// Temporary: busy, read-only, an input error. Nothing was written.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The data violates a constraint; a retry fails as well. Nothing was written.
    #[error("the database rejected the row: {0}")]
    Unfit(String),
    /// A write may or may not be on disk, and a retry could report a false success. Nothing more may
    /// be acknowledged by this process.
    #[error("the database can no longer be trusted by this process: {0}")]
    Unsure(String),
    /// A file of the database was moved, removed or replaced while it was open.
    #[error("a file of the database was lost: {0}; put its files back together, or restore a backup")]
    Moved(String),
    /// Too many reads are queued. Nothing was read.
    #[error("too many reads are waiting")]
    Busy,
    /// A read reached its time limit, or its caller has left.
    #[error("the read was interrupted")]
    Interrupted,
    /// The file is damaged.
    #[error("the database is damaged: {0}; restore a backup")]
    Damaged(String),
    /// The body of an entry of the journal, by its number, is missing, cannot be unpacked, or is not the one that it
    /// came in. Everything else is served on.
    #[error("the body of journal entry {0} is missing or damaged; `rollcall verify` lists all such entries")]
    Hole(Seq),
    /// A derived table is damaged. Nothing was written; [`super::Store::remake_table`] remakes it.
    #[error("{name} is damaged ({why}), and can be made anew")]
    Derived {
        /// The table, by its name in [`super::sqlite::DERIVED`].
        name: &'static str,
        /// The damage.
        why: String,
    },
    /// One record cannot be read. Nothing was written; other records are served.
    #[error("the record in row {row} of {table} cannot be read ({why}); {}", mended_by(table))]
    Unreadable {
        /// Its table.
        table: &'static str,
        /// Its row number.
        row: i64,
        /// The damage.
        why: String,
    },
    /// A derived table that the read needs is being remade.
    #[error("{0} is being made anew")]
    Remaking(&'static str),
}

/// How to repair a record of this table.
fn mended_by(table: &str) -> &'static str {
    match table {
        "app_users" => "`rollcall rebuild` restores it from the journal, as a running service does by itself",
        _ => "restore a backup",
    }
}

impl Error {
    /// Whether the process must end: nothing more may be acknowledged.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Unsure(_) | Self::Moved(_) | Self::Damaged(_))
    }
}

/// The result of an operation of a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<crate::format::bodies::BodiesError> for Error {
    fn from(error: crate::format::bodies::BodiesError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// The message for an error about a file.
pub fn explain(error: &io::Error) -> String {
    let Some(code) = error.raw_os_error() else { return error.to_string() };
    let what = match error.kind() {
        ErrorKind::NotFound => "there is no such file or folder",
        ErrorKind::PermissionDenied => {
            "permission denied: run this as the user of the service, or change the rights"
        }
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "the disk is full",
        ErrorKind::IsADirectory => "this is a folder, and a file is needed",
        ErrorKind::NotADirectory => "a part of the path is no folder",
        _ => return error.to_string(),
    };
    format!("{what} (os error {code})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_are_explained_and_our_own_stay() {
        let missing = std::fs::File::open("/nowhere/at/all").unwrap_err();
        assert_eq!(explain(&missing), "there is no such file or folder (os error 2)");
        assert_eq!(
            explain(&io::Error::new(ErrorKind::NotFound, "there is no such backup")),
            "there is no such backup"
        );
    }
}
