//! What the first bytes of a file say about it.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, OpenFlags};

use super::names::{LOGS, with_suffix};

/// Marks a file as rollcall's: "roll" in ASCII.
pub(crate) const APPLICATION_ID: i64 = 0x726f_6c6c;
pub(crate) const MAGIC: &[u8] = b"SQLite format 3\0";
/// Characters of a path that need no escape in a URI.
const IN_URI: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');
/// Bytes of a write-ahead log before its first frame.
const LOG_HEADER: u64 = 32;
const JOURNAL: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Whether this is the header of a database of rollcall.
pub(crate) fn is_ours(head: &[u8]) -> bool {
    let id = head.get(68..72).and_then(|id| id.try_into().ok()).map(u32::from_be_bytes);
    head.starts_with(MAGIC) && id.map(i64::from) == Some(APPLICATION_ID)
}

/// Whether this is the header of a database in WAL mode, as a service writes it. No backup is in that mode.
pub(crate) fn is_live(head: &[u8]) -> bool {
    // The application id may still be in the WAL alone.
    let unnamed = head.starts_with(MAGIC) && head.get(68..72) == Some(&[0; 4]);
    (is_ours(head) || unnamed) && has_log(head)
}

/// Whether this is the header of a database, of any program, in WAL mode.
pub(crate) fn has_log(head: &[u8]) -> bool {
    head.starts_with(MAGIC) && head.get(18..20) == Some(&[2, 2])
}

/// Whether a file has the table that marks a backup. Neither locks nor changes the file.
pub(crate) fn has_backup_checksum(path: &Path) -> bool {
    let uri = format!("file:{}?immutable=1", percent_encode(path.as_os_str().as_bytes(), IN_URI));
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let seals = "SELECT count(*) FROM sqlite_schema WHERE name = '_rollcall_backup'";
    let found = Connection::open_with_flags(uri, flags);
    found.and_then(|conn| conn.query_row(seals, [], |row| row.get::<_, i64>(0))).is_ok_and(|seals| seals == 1)
}

/// The first bytes of a file, which identify it: more than a database's header and the first line of an export.
pub(crate) fn read_head(file: File) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.take(4096).read_to_end(&mut head)?;
    Ok(head)
}

/// The log beside a database that holds pages, if one does.
pub(crate) fn find_log(database: &Path) -> Option<PathBuf> {
    LOGS.iter().map(|suffix| with_suffix(database, suffix)).find(|log| log_has_content(log))
}

/// Whether a log beside a database, named `-wal` or `-journal`, holds any pages. An unreadable log counts as one
/// that does.
pub(crate) fn log_has_content(log: &Path) -> bool {
    let Ok(found) = log.symlink_metadata() else { return false };
    if !log.as_os_str().as_encoded_bytes().ends_with(b"-journal") {
        return found.len() > LOG_HEADER;
    }
    let mut head = [0; 20];
    match File::open(log).and_then(|mut log| log.read_exact(&mut head)) {
        // A journal of a database without pages has nothing to restore.
        Ok(()) => head[..8] == JOURNAL && head[16..] != [0; 4],
        Err(error) => error.kind() != ErrorKind::UnexpectedEof,
    }
}
