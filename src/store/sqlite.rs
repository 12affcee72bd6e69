//! A store in one SQLite file: one connection writes, one checkpoints, several read.

mod backup;
mod backup_checksum;
mod checkpoint;
mod clearing;
mod connection;
mod derived;
mod epoch_marker;
mod errors;
mod file_errors;
mod files;
mod health;
mod listing;
mod migrate;
mod reader;
mod restore;
mod rows;
mod schema;
mod scrub;
mod snapshot_conn;
mod snapshot_copy;
mod table_rows;
mod transaction;
mod verify;

use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{Error, Maintained, Result, Scrubbed, Store, Transaction};
pub use super::{Hole, Lost};
pub use backup::backup;
pub use backup_checksum::{Checked, ShowUser, find_file_damage, find_file_flaw};
use checkpoint::Checkpointer;
pub use connection::StoreOptions;
use connection::{OLDEST_SQLITE, WORKER_WAITS, keep_log_on_close};
pub use derived::{DERIVED, DamagedTables, Derived};
pub use file_errors::{CopyError, DerivedFault, OpenError, describe_holes};
pub use files::inode::are_one_file;
pub use files::leftovers::{Leftover, Note, find_leftovers, kept_copies, remove_leftovers};
use files::names::with_suffix;
pub use files::names::{PARTIAL, REBUILD, REBUILD_LOCK, RESTORING, UNFINISHED, is_unfinished_name};
use files::open::{
    canonical_database_path, check_after_failed_sync, lock_database, refuse_name_of_unfinished,
    refuse_second_name, set_verify_marker,
};
pub use files::open::{check_log, check_replaced};
pub use files::output::{Output, OutputError, OutputKind, check_folder, make_folder, may_remove};
pub use files::partial_file::{PartialFile, free_bytes};
pub use files::presence::Presence;
pub use health::{Health, health, sqlite_version};
pub use reader::{READER_CACHE, SqliteReader, refuse_newer_schema};
pub use restore::{Restored, file_timestamp, restore};
pub use snapshot_conn::{FileTask, TaskStage};
use transaction::{SqliteTransaction, State, WriteTransaction};
pub use verify::{check, derived_faults, read_in_snapshots};

/// Interval of the worker's probes of derived tables.
const LOOK: Duration = Duration::from_secs(5);

/// The store. Dropping it runs a last checkpoint and closes the file.
pub struct Sqlite {
    conn: Connection,
    state: State,
    checkpointer: Checkpointer,
    path: PathBuf,
    ended: bool,
    _lock: File,
}

impl Sqlite {
    /// Opens a database, migrates its schema, and locks out every other process.
    pub fn open(options: &StoreOptions) -> std::result::Result<Self, OpenError> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(OpenError::Library(rusqlite::version()));
        }
        let named = &options.path;
        refuse_name_of_unfinished(named)?;
        check_log(named)?;
        let path = canonical_database_path(named).map_err(OpenError::io(named))?;
        refuse_name_of_unfinished(&path)?;
        let options = &StoreOptions { path: path.clone(), ..options.clone() };
        let (store, sql) = (OpenError::store(&path), OpenError::sql(&path));
        let lock = lock_database(&path)?;
        check_replaced(&path)?;
        refuse_second_name(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = Connection::open_with_flags(&path, flags).map_err(&sql)?;
        // Before the first read: a refused file keeps its log, and gets no new one.
        if with_suffix(&path, "-wal").metadata().is_ok_and(|log| log.len() > 0) {
            keep_log_on_close(&conn).map_err(&sql)?;
        }
        if conn.is_readonly("main").map_err(&sql)? {
            return Err(OpenError::Io(path.clone(), ErrorKind::ReadOnlyFilesystem.into()));
        }
        if let Some(changes) = epoch_marker::changes_before_emptied(&conn, &lock).map_err(&store)? {
            return Err(OpenError::LogGone { path: path.clone(), changes });
        }
        migrate::migrate_schema(&mut conn, &path)?;
        // Shorter than a sender's timeout, so that a foreign reader or writer costs time, not answers.
        conn.busy_timeout(WORKER_WAITS).map_err(&sql)?;
        check_after_failed_sync(&conn, &path).map_err(&store)?;
        checkpoint::watch(&mut conn).map_err(&sql)?;
        let checkpointer = Checkpointer::start(options).map_err(&store)?;
        let state = State::read(&conn, options, named, &lock).map_err(&store)?;
        Ok(Self { conn, state, checkpointer, path: path.clone(), ended: false, _lock: lock })
    }

    /// The watch on its files.
    pub fn presence(&self) -> Presence {
        self.state.presence.clone()
    }

    /// Where readers report damaged derived tables.
    pub fn damaged_tables(&self) -> DamagedTables {
        self.state.damaged_tables.clone()
    }

    /// Continues to remake a derived table. Returns whether there was one.
    fn continue_remake(&mut self) -> Result<bool> {
        let remaking = self.state.known.remaking;
        let Some(name) = derived::pending_table(remaking) else { return Ok(false) };
        let next = derived::remake_step(&mut self.conn, remaking, &mut self.state.remaking_told);
        let next = next.inspect_err(|_| self.state.damaged_tables.give_up(name))?;
        self.state.known.remaking = next.unwrap_or_default();
        Ok(true)
    }

    /// Probes the derived tables at intervals. Returns whether one has to be remade.
    fn probe_tables(&mut self) -> Result<bool> {
        if self.state.looked.elapsed() < LOOK {
            return Ok(false);
        }
        self.state.looked = Instant::now();
        let found = derived::probe_tables(&self.conn, &self.state.known, self.state.clearing.last_user())?;
        for (name, why) in &found {
            if !self.state.damaged_tables.is_raised(name) && self.state.damaged_tables.raise(name) {
                tracing::error!(table = name, why, "{name} is damaged: {why}");
            }
        }
        Ok(!found.is_empty())
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            tracing::warn!(%error, path = %self.path.display(), "the last checkpoint failed; the next start repeats it");
        }
    }
}

impl Store for Sqlite {
    fn begin(&mut self) -> Result<Box<dyn Transaction + '_>> {
        self.state.presence.check_log()?;
        let txn = WriteTransaction::begin(&mut self.conn)?;
        Ok(Box::new(SqliteTransaction { txn, state: &mut self.state }))
    }

    fn after_commit(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.state.checked) {
            self.state.presence.check()?;
        }
        self.checkpointer.after_commit(&self.conn)
    }

    fn maintenance_step(&mut self) -> Result<Maintained> {
        let raised = self.state.damaged_tables.raised().next();
        if let Some(name) = raised {
            tracing::error!(table = name, "{name} is damaged; remaking it");
            let remade = self.remake_table(name);
            // It is settled if another table was found damaged afterwards.
            if remade.is_err() && self.state.damaged_tables.is_raised(name) {
                self.state.damaged_tables.give_up(name);
            }
            remade?;
            return Ok(Maintained::Remade);
        }
        Ok(if self.continue_remake()? || self.probe_tables()? {
            Maintained::Step
        } else {
            Maintained::Nothing
        })
    }

    fn scrub_step(&mut self, after: u32) -> Result<Scrubbed> {
        let txn = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (scrubbed, can_write) = scrub::scrub_pages(&txn, after)?;
        txn.commit()?;
        self.state.known.is_clean &= can_write;
        Ok(scrubbed)
    }

    fn empty_log(&mut self) -> Result<bool> {
        self.checkpointer.empty(&self.conn)
    }

    fn finish(&mut self) -> Result<()> {
        self.checkpointer.stop();
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        self.conn.execute_batch("PRAGMA optimize")?;
        checkpoint::finish(&self.conn).map(drop)
    }

    fn remake_table(&mut self, name: &str) -> Result<()> {
        if name == "counters" {
            // The store knows the counters better than the file.
            let txn = self.conn.transaction()?;
            self.state.known.put_back(&txn)?;
            txn.commit()?;
        }
        derived::make_anew(&mut self.conn, name)?;
        self.state.damaged_tables.settle(name);
        self.state.read_again(&self.conn)
    }

    fn report_error(&mut self, error: &Error) {
        self.state.damaged_tables.note(error);
    }

    fn abandon(mut self: Box<Self>) {
        self.ended = true;
        if self.state.presence.lost().is_some() && self.state.presence.has_only_lost_its_log() {
            // The deleted WAL lasts only as long as this process, but its content can be saved.
            match checkpoint::finish(&self.conn) {
                Ok(_) => tracing::warn!("the content of the WAL was copied into the database"),
                Err(error) => tracing::error!(%error, "the content of the WAL is lost: {error}"),
            }
        }
        if let Err(error) = set_verify_marker(&self.path) {
            tracing::error!(%error, "cannot create {}.verify; run `rollcall verify` before the next start: {error}",
                self.path.display()
            );
        }
    }
}
