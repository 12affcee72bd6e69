//! The checksum that a backup carries. SQLite alone does not notice a flipped bit in a value.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::domain::{AppId, SmoochId, View};
use crate::store::rows::{ContentCounts, Rows};
use crate::store::sqlite::file_errors::CopyError;
use crate::store::sqlite::files::header::{has_backup_checksum, is_ours, read_head};
use crate::store::sqlite::snapshot_conn::{FileTask, SnapshotConn};
use crate::store::{self, Seq, explain};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest as _, Sha256};

/// Reads an app user as it is shown: a store does not know the meaning of records.
pub type ShowUser = fn(&dyn Rows, &AppId, &SmoochId) -> store::Result<Option<View>>;

/// Version of the checksum. A change to the checksum of an equal directory needs a new number; a test notices.
pub(crate) const FORMAT: i64 = 1;

/// The content of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The last journal entry.
    pub seq: Seq,
    /// Rows of each kind.
    pub counts: ContentCounts,
    /// SHA-256, in hex, over every app user as it is shown, in key order. `None` for a schema older than this
    /// program's.
    pub checksum: Option<String>,
    /// The schema.
    pub schema: i64,
    /// Bytes of the file.
    pub bytes: u64,
    /// When the backup was made, in ms since 1970; `None` for other databases.
    pub taken: Option<i64>,
}

const CHUNK: usize = 1 << 20;

/// SHA-256 of the whole file, with zeros in place of itself.
type Hash = [u8; 32];

/// The checksum of a backup, and what the backup was when it was made.
pub(crate) struct BackupChecksum {
    /// Version of the checksum over the app users.
    pub(crate) format: i64,
    pub(crate) schema: i64,
    pub(crate) checksum: String,
    /// In ms since 1970.
    pub(crate) taken: i64,
    /// Whether the bytes of the file match the checksum.
    pub(crate) is_whole: bool,
}

/// Writes the checksum into a copy. Nothing may be written to the copy afterwards.
pub(crate) fn write_checksum(
    path: &Path,
    checked: &Checked,
    taken: i64,
    task: &FileTask<'_>,
) -> Result<(), CopyError> {
    let sql = CopyError::sql(path);
    // Random, so that its place in the file can be found by its bytes.
    let mut place: Hash = [0; 32];
    getrandom::fill(&mut place)
        .map_err(|error| CopyError::io(path)(std::io::Error::other(error.to_string())))?;
    let conn = Connection::open(path).map_err(&sql)?;
    let write = || {
        conn.execute_batch(
            "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA secure_delete = ON",
        )?;
        remove_checksum(&conn)?;
        conn.execute_batch(
            "CREATE TABLE _rollcall_backup (format INTEGER NOT NULL, program TEXT NOT NULL,
                 schema INTEGER NOT NULL, checksum TEXT NOT NULL, taken INTEGER NOT NULL, hash BLOB NOT NULL) STRICT",
        )?;
        let checksum = checked.checksum.as_deref().unwrap_or_default();
        conn.execute(
            "INSERT INTO _rollcall_backup VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![FORMAT, env!("CARGO_PKG_VERSION"), checked.schema, checksum, taken, place],
        )
    };
    write().map_err(&sql)?;
    let page = checksum_page(&conn).map_err(&sql)?;
    drop(conn);
    let at = find_bytes(path, page, &place)?;
    let lost = "the checksum was not found after it was written";
    let at = at.ok_or_else(|| CopyError::Damaged(path.to_owned(), lost.to_owned()))?;
    let hash = hash_file(path, at, task)?;
    let file = OpenOptions::new().write(true).open(path).map_err(CopyError::io(path))?;
    file.write_all_at(&hash, at).map_err(CopyError::io(path))
}

/// Removes the checksum: a database that is restored or opened is no backup. Returns whether there was one.
pub(crate) fn remove_checksum(conn: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_rollcall_backup')";
    let is_backup = conn.query_row(sql, [], |row| row.get(0))?;
    // SQLite moves pages when a table is created or dropped; their old content must not stay in the file.
    conn.execute_batch("PRAGMA secure_delete = ON; DROP TABLE IF EXISTS _rollcall_backup").map(|()| is_backup)
}

/// The checksum of a backup; `None` for any other database.
pub(crate) fn read_checksum(path: &Path, task: &FileTask<'_>) -> Result<Option<BackupChecksum>, CopyError> {
    let file = SnapshotConn::open(path, task)?;
    let sql = CopyError::sql(path);
    if file.query_number("SELECT count(*) FROM sqlite_schema WHERE name = '_rollcall_backup'")? == 0 {
        return Ok(None);
    }
    let row = "SELECT format, schema, checksum, taken, hash FROM _rollcall_backup";
    let found = file.conn.query_row(row, [], |row| {
        let stored = BackupChecksum {
            format: row.get(0)?,
            schema: row.get(1)?,
            checksum: row.get(2)?,
            taken: row.get(3)?,
            is_whole: false,
        };
        Ok((stored, row.get::<_, Hash>(4)?))
    });
    let Some((stored, written)) = found.optional().map_err(&sql)? else {
        return Err(CopyError::Damaged(path.to_owned(), "its checksum is missing".to_owned()));
    };
    let page = checksum_page(&file.conn).map_err(&sql)?;
    drop(file);
    let is_whole = match find_bytes(path, page, &written)? {
        Some(at) => hash_file(path, at, task)? == written,
        None => false,
    };
    Ok(Some(BackupChecksum { is_whole, ..stored }))
}

/// What is wrong with a backup at a glance: its header, its length, and whether it has a checksum. Never for a
/// database that this process has open.
pub fn find_file_flaw(path: &Path) -> Option<String> {
    let unreadable = |error| format!("cannot be read: {}", explain(&error));
    let found = match path.metadata() {
        Err(error) => return Some(unreadable(error)),
        Ok(found) if !found.is_file() => return Some("is no file".to_owned()),
        Ok(found) => found,
    };
    let head = match File::open(path).and_then(read_head) {
        Ok(head) => head,
        Err(error) => return Some(unreadable(error)),
    };
    if !is_ours(&head) {
        return Some("is no database of rollcall".to_owned());
    }
    let (is, was) = (found.len(), length_in_header(&head));
    if is != was {
        return Some(format!("has {is} bytes, and had {was} when it was made"));
    }
    (!has_backup_checksum(path)).then(|| "has no checksum: it is no backup, or was changed".to_owned())
}

/// As [`find_file_flaw`], and reads every byte.
pub fn find_file_damage(path: &Path, task: &FileTask<'_>) -> Option<String> {
    let damaged = || match read_checksum(path, task) {
        Ok(Some(stored)) if stored.is_whole => None,
        Ok(_) => Some("is damaged: its bytes are not those that were written".to_owned()),
        Err(error) => Some(format!("cannot be checked: {error}")),
    };
    find_file_flaw(path).or_else(damaged)
}

/// The length of a database by its header.
fn length_in_header(head: &[u8]) -> u64 {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    let part = |range| head.get(range).map_or(0, number);
    // 65,536 does not fit, and is written as 1.
    let page = if part(16..18) == 1 { 1 << 16 } else { part(16..18) };
    page * part(28..32)
}

/// Offset and size of the page with the checksum.
fn checksum_page(conn: &Connection) -> rusqlite::Result<(u64, usize)> {
    let sql = "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema
                   WHERE name = '_rollcall_backup'";
    let (page, size) = conn.query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    Ok((((page - 1) * size) as u64, size as usize))
}

/// The offset of these bytes within a page of a file.
fn find_bytes(path: &Path, (start, size): (u64, usize), bytes: &Hash) -> Result<Option<u64>, CopyError> {
    let mut page = vec![0; size];
    let file = File::open(path).map_err(CopyError::io(path))?;
    file.read_exact_at(&mut page, start).map_err(CopyError::io(path))?;
    let at = page.windows(bytes.len()).position(|window| window == bytes);
    Ok(at.map(|at| start + at as u64))
}

/// The hash of a file, with zeros in place of the checksum at `at`.
fn hash_file(path: &Path, at: u64, task: &FileTask<'_>) -> Result<Hash, CopyError> {
    let io = CopyError::io(path);
    let mut file = File::open(path).map_err(&io)?;
    let (mut hash, mut chunk, mut done) = (Sha256::new(), vec![0; CHUNK], 0);
    loop {
        let read = file.read(&mut chunk).map_err(&io)?;
        if read == 0 {
            return Ok(hash.finalize().into());
        }
        let end = at + size_of::<Hash>() as u64;
        let inside = |place: u64| place.saturating_sub(done).min(read as u64) as usize;
        chunk[inside(at)..inside(end)].fill(0);
        hash.update(&chunk[..read]);
        done += read as u64;
        task.check_stopped()?;
    }
}
