//! Why a store does not do what it is asked.

use super::entry::Seq;

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No room on the disk. Nothing was written; reading goes on.
    #[error("the disk is full: {0}")]
    Full(String),
    /// Not possible now: busy, read-only, an input error. Nothing was written.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// What is to be written is not what can be written, whenever it is tried. Nothing was written.
    #[error("the database rejected the row: {0}")]
    Unfit(String),
    /// A write may or may not be on disk, and asking again could be told a lie. Nothing more may
    /// be acknowledged by this process.
    #[error("the database can no longer be trusted by this process: {0}")]
    Unsure(String),
    /// A file of the database was moved, removed or replaced while it was open.
    #[error("a file of the database was lost: {0}; put its files back together, or restore a backup")]
    Moved(String),
    /// Too many reads wait already. Nothing was looked at.
    #[error("too many reads are waiting")]
    Busy,
    /// A read was ended at its time limit, or because nobody waits for it any more.
    #[error("the read was interrupted")]
    Interrupted,
    /// The file is damaged.
    #[error("the database is damaged: {0}; restore a backup")]
    Damaged(String),
    /// The body of an entry of the journal, by its number, is missing, cannot be unpacked, or is not the one that it
    /// came in. Everything else is served on.
    #[error("the body of journal entry {0} is missing or damaged; `rollcall verify` lists all such entries")]
    Hole(Seq),
    /// A table that is made of others is damaged. Nothing was written; [`super::Store::make_anew`] makes it whole.
    #[error("{name} is damaged ({why}), and can be made anew")]
    Derived {
        /// The table, as [`super::sqlite::DERIVED`] calls it.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// One record cannot be read. Nothing was written; everybody else is served on.
    #[error("the record in row {row} of {table} cannot be read ({why}); {}", mended_by(table))]
    Unreadable {
        /// Its table.
        table: &'static str,
        /// The number of its row.
        row: i64,
        /// What is wrong with it.
        why: String,
    },
    /// What a read goes by is being made anew.
    #[error("{0} is being made anew")]
    Remaking(&'static str),
}

/// What mends a record of this table.
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

/// What a store answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<crate::format::bodies::BodiesError> for Error {
    fn from(error: crate::format::bodies::BodiesError) -> Self {
        Self::Damaged(error.to_string())
    }
}
