//! Maps errors of SQLite to those of the store.

use rusqlite::types::FromSqlError;
use rusqlite::{ErrorCode, ffi};

use super::Error;
use super::derived::missing_table_error;

/// An index lacks a row of its table.
const SQLITE_CORRUPT_INDEX: i32 = ffi::SQLITE_CORRUPT | (3 << 8);

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        // Only queries on one-row tables return this error.
        if matches!(error, rusqlite::Error::QueryReturnedNoRows) {
            return Self::Derived { name: "counters", why: "a required row is missing".to_owned() };
        }
        if error.sqlite_error_code() == Some(ErrorCode::Unknown)
            && let Some(missing) = missing_table_error(&text)
        {
            return missing;
        }
        let rusqlite::Error::SqliteFailure(failure, _) = &error else { return Self::Unavailable(text) };
        match failure.code {
            ErrorCode::DiskFull => Self::Full(text),
            ErrorCode::OperationInterrupted => Self::Interrupted,
            // There is one virtual table, and one kind of index.
            ErrorCode::DatabaseCorrupt if failure.extended_code == ffi::SQLITE_CORRUPT_VTAB => {
                Self::Derived { name: "search", why: text }
            }
            ErrorCode::DatabaseCorrupt if failure.extended_code == SQLITE_CORRUPT_INDEX => {
                Self::Derived { name: "indexes", why: text }
            }
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged(text),
            // A duplicate key means that the file is not in the state that this process knows.
            ErrorCode::ConstraintViolation => match failure.extended_code {
                ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                | ffi::SQLITE_CONSTRAINT_ROWID
                | ffi::SQLITE_CONSTRAINT_UNIQUE => Self::Unavailable(text),
                _ => Self::Unfit(text),
            },
            ErrorCode::TooBig | ErrorCode::TypeMismatch => Self::Unfit(text),
            ErrorCode::SystemIoFailure => match failure.extended_code {
                ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC | ffi::SQLITE_IOERR_TRUNCATE => {
                    Self::Unsure(text)
                }
                _ => Self::Unavailable(text),
            },
            _ => Self::Unavailable(text),
        }
    }
}

impl From<FromSqlError> for Error {
    fn from(error: FromSqlError) -> Self {
        rusqlite::Error::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_jobs_fault_a_passing_trouble_or_the_end() {
        let of = |code| Error::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        for code in [
            ffi::SQLITE_TOOBIG,
            ffi::SQLITE_MISMATCH,
            ffi::SQLITE_CONSTRAINT_CHECK,
            ffi::SQLITE_CONSTRAINT_NOTNULL,
            ffi::SQLITE_CONSTRAINT_DATATYPE,
            ffi::SQLITE_CONSTRAINT_TRIGGER,
        ] {
            assert!(matches!(of(code), Error::Unfit(_)), "{code}");
        }
        for code in
            [ffi::SQLITE_BUSY, ffi::SQLITE_READONLY, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_CONSTRAINT_ROWID]
        {
            assert!(matches!(of(code), Error::Unavailable(_)), "{code}");
        }
        assert!(matches!(of(ffi::SQLITE_FULL), Error::Full(_)));
        assert!(matches!(of(ffi::SQLITE_IOERR_FSYNC), Error::Unsure(_)));
        assert!(matches!(of(ffi::SQLITE_CORRUPT), Error::Damaged(_)));
        assert!(matches!(of(ffi::SQLITE_CORRUPT_VTAB), Error::Derived { name: "search", .. }));
        assert!(matches!(of(SQLITE_CORRUPT_INDEX), Error::Derived { name: "indexes", .. }));
    }
}
