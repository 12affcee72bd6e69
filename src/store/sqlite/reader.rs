//! Look-ups, on a connection that cannot write.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::Path;

use bytes::Bytes;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::derived::{DERIVED, DamagedTables, Derived, Remaking, last_user_row};
use super::{Error, OpenError, Result, schema};
use crate::directory::export::{export_part, export_users};
use crate::directory::feed::read_changes;
use crate::directory::history;
use crate::directory::journal::read_journal;
use crate::directory::lists::{count_list, read_list};
use crate::directory::load::Loader;
use crate::directory::reader::{show, show_after, show_by_user_id, show_carriers, show_named, show_unmerged};
use crate::domain::brand::Name;
use crate::domain::list::{Filter, Query};
use crate::domain::{AppId, ClientId, Record, RecordKey, SmoochId, View};
use crate::format::record::decode;
use crate::store::export::{Export, Kept, Part};
use crate::store::readers::{LooksUp, StopSignal};
use crate::store::rows::{JournalRows as _, UserRows as _};
use crate::store::{
    Bounds, Census, Changes, CompactionPoint, Counted, Counts, Entry, Heads, Listed, Piece, Place, Reader,
    Receipt, Seq,
};

/// Pages that a reader keeps, in KiB: the upper pages of the trees of a million app users, and as many again
/// that only pass through.
const CACHE_KIB: i64 = 32 << 10;

/// Steps of a statement after which SQLite asks whether to go on: some tens of µs.
const STEPS: i32 = 4000;

/// See [`Reader`].
pub struct SqliteReader {
    conn: Connection,
    stop: Option<StopSignal>,
    damaged_tables: DamagedTables,
}

impl SqliteReader {
    /// The same, which notes there what it finds damaged.
    pub fn doubting(self, damaged_tables: DamagedTables) -> Self {
        Self { damaged_tables, ..self }
    }

    /// How far the derived tables are that are being made anew, each with its name, rows done and rows there are.
    pub fn remaking(&mut self) -> Result<Vec<(&'static str, u64, u64)>> {
        let snapshot = self.snapshot()?;
        let (remaking, of) = (Remaking::read(&snapshot)?, last_user_row(&snapshot)?.unsigned_abs());
        let done = |table: &Derived| Some((table.name, remaking.done(table.name)?.max(0).unsigned_abs(), of));
        Ok(DERIVED.iter().filter_map(done).collect())
    }

    /// By which version of its rules the directory was learned.
    pub fn rules(&mut self) -> Result<i64> {
        Ok(self.snapshot()?.query_row("SELECT rules FROM upkeep", [], |row| row.get(0))?)
    }

    /// Whether the record in this row of `app_users` can be read, if there is one.
    pub fn is_readable(&mut self, row: i64) -> Result<bool> {
        let snapshot = self.snapshot()?;
        let mut select = snapshot.prepare("SELECT record FROM app_users WHERE rowid = ?1")?;
        let record = select.query_row([row], |row| Ok(decode(row.get_ref(0)?.as_blob()?).is_ok()));
        Ok(record.optional()?.unwrap_or(true))
    }

    /// Reads, at first with every index. Without the index of words where that is damaged: then it takes longer.
    fn by_indexes<T>(&self, read: impl Fn(bool) -> Result<T>) -> Result<T> {
        match read(!self.damaged_tables.is_raised("search")) {
            Err(Error::Derived { name, .. }) => {
                self.damaged_tables.raise(name);
                if name == "search" { read(false) } else { Err(Error::Remaking(name)) }
            }
            found => found,
        }
    }

    /// Opens a file that a store has opened before.
    ///
    /// # Errors
    /// Its schema is newer or older than the one of this program, it is none of ours, or it cannot be read.
    pub fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        let opened = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let conn = Connection::open_with_flags(path, flags)?;
            super::configure(&conn)?;
            conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
            conn.pragma_update(None, "query_only", true)?;
            Ok(conn)
        };
        let failed = |error: rusqlite::Error| OpenError::Store { path: path.to_owned(), error: error.into() };
        let conn = opened().map_err(failed)?;
        let (found, known) = (schema::read_schema_version(&conn, path)?, schema::newest_schema());
        match found {
            0 => Err(OpenError::Foreign(path.to_owned())),
            found if found < known => Err(OpenError::Older { path: path.to_owned(), found, known }),
            _ => Ok(Self { conn, stop: None, damaged_tables: DamagedTables::default() }),
        }
    }

    /// Refuses a database that a newer program wrote, be it that there is none.
    ///
    /// # Errors
    /// A newer program wrote it.
    pub fn refuse_newer(path: &Path) -> std::result::Result<(), OpenError> {
        let opened = if path.exists() { Self::open(path) } else { return Ok(()) };
        match opened {
            Err(error @ OpenError::Newer { .. }) => Err(error),
            // Whatever else is wrong with it is for those to say who read it.
            _ => Ok(()),
        }
    }

    /// One moment of the database, for as long as it is held: that of [`LooksUp::at_one_moment`], if this is
    /// part of it.
    ///
    /// # Errors
    /// [`Error::Interrupted`] for a read that is to end, or the database cannot be read.
    pub(super) fn snapshot(&self) -> Result<Snapshot<'_>> {
        if self.stop.as_ref().is_some_and(StopSignal::is_raised) {
            return Err(Error::Interrupted);
        }
        let held = !self.conn.is_autocommit();
        if !held {
            begin(&self.conn)?;
        }
        Ok(Snapshot { conn: &self.conn, held })
    }
}

/// See [`SqliteReader::snapshot`].
pub(super) struct Snapshot<'c> {
    conn: &'c Connection,
    held: bool,
}

impl Deref for Snapshot<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.conn
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        if !self.held {
            end(self.conn);
        }
    }
}

fn run(conn: &Connection, sql: &str) -> Result<()> {
    conn.prepare_cached(sql).and_then(|mut statement| statement.execute([]))?;
    Ok(())
}

/// Begins a moment. Fails as a whole: a read that is interrupted here leaves none open.
fn begin(conn: &Connection) -> Result<()> {
    run(conn, "BEGIN").inspect_err(|_| end(conn))
}

/// Ends a moment, also for a read that is being interrupted: whoever reads next must not see an old one.
fn end(conn: &Connection) {
    // Nothing was written, so nothing is lost; the next one says what is wrong.
    _ = run(conn, "COMMIT");
    if !conn.is_autocommit() {
        // Prepared anew, so that it ends before SQLite asks whether to interrupt it.
        _ = conn.execute_batch("ROLLBACK");
    }
}

impl LooksUp for SqliteReader {
    fn at_one_moment(&mut self, look_ups: impl FnOnce(&mut Self)) {
        let held = !self.conn.is_autocommit();
        let began = !held && begin(&self.conn).is_ok();
        look_ups(self);
        if began {
            end(&self.conn);
        }
    }

    fn failed(&mut self, error: &Error) {
        self.damaged_tables.note(error);
    }

    fn obey(&mut self, stop: StopSignal) {
        let asked = stop.clone();
        // Without it a read ends later, between two statements.
        _ = self.conn.progress_handler(STEPS, Some(move || asked.is_raised()));
        self.stop = Some(stop);
    }
}

impl Reader for SqliteReader {
    fn by_id(&mut self, app: &AppId, id: &SmoochId) -> Result<Option<View>> {
        let snapshot = self.snapshot()?;
        show(&mut Loader::new(&*snapshot), app, id)
    }

    fn by_user_id(&mut self, app: &AppId, user_id: &str) -> Result<Option<View>> {
        show_by_user_id(&*self.snapshot()?, app, user_id)
    }

    fn carriers(&mut self, app: &AppId, user_id: &str) -> Result<Vec<View>> {
        show_carriers(&*self.snapshot()?, app, user_id)
    }

    fn by_name(&mut self, app: &AppId, name: &Name) -> Result<Option<View>> {
        show_named(&*self.snapshot()?, app, name)
    }

    fn list(&mut self, app: &AppId, after: Option<&str>, limit: usize) -> Result<Vec<View>> {
        show_after(&*self.snapshot()?, app, after, limit)
    }

    fn page(&mut self, app: &AppId, query: &Query, after: Option<&Place>, bounds: Bounds) -> Result<Listed> {
        let snapshot = self.snapshot()?;
        self.by_indexes(|search| read_list(&*snapshot, app, query, after, bounds, search))
    }

    fn count(
        &mut self,
        app: &AppId,
        filter: &Filter,
        after: Option<&SmoochId>,
        looks: usize,
    ) -> Result<Counted> {
        let snapshot = self.snapshot()?;
        self.by_indexes(|search| count_list(&*snapshot, app, filter, after, looks, search))
    }

    fn changes(&mut self, app: &AppId, after: u64, limit: usize) -> Result<Changes> {
        read_changes(&*self.snapshot()?, app, after, limit)
    }

    fn journal(&mut self, after: Seq, limit: usize) -> Result<Vec<(Entry, Bytes)>> {
        read_journal(&*self.snapshot()?, after, limit)
    }

    fn connected(&mut self, app: &AppId, ids: &[SmoochId]) -> Result<Heads> {
        history::connected(&*self.snapshot()?, app, ids)
    }

    fn claimants(&mut self, app: &AppId, clients: &[ClientId]) -> Result<Heads> {
        history::claimants(&*self.snapshot()?, app, clients)
    }

    fn apart(
        &mut self,
        app: &AppId,
        surviving: &SmoochId,
        discarded: &SmoochId,
    ) -> Result<Option<(View, View)>> {
        show_unmerged(&*self.snapshot()?, app, surviving, discarded)
    }

    fn walk(
        &mut self,
        app: &AppId,
        of: &BTreeSet<SmoochId>,
        from: BTreeSet<Seq>,
        limit: usize,
    ) -> Result<Piece> {
        history::walk_back(&*self.snapshot()?, app, of, from, limit)
    }

    fn horizon(&mut self) -> Result<CompactionPoint> {
        self.snapshot()?.compaction_point()
    }

    fn base_of(
        &mut self,
        app: &AppId,
        ids: &BTreeSet<SmoochId>,
    ) -> Result<(CompactionPoint, Vec<(RecordKey, Record)>)> {
        super::compacted::records_of(&*self.snapshot()?, app, ids)
    }

    fn base(&mut self, after: Option<&RecordKey>, limit: usize) -> Result<Vec<(RecordKey, Record)>> {
        super::compacted::read_page(&*self.snapshot()?, after, limit)
    }

    fn receipt(&mut self, app: &AppId, id: &SmoochId) -> Result<Option<Receipt>> {
        super::forget::receipt(&*self.snapshot()?, app, id)
    }

    fn census(&mut self, apps: &[AppId]) -> Result<Census> {
        super::census::count(&*self.snapshot()?, apps)
    }

    fn heard(&mut self, apps: &[AppId]) -> Result<Vec<(AppId, i64)>> {
        super::census::heard(&*self.snapshot()?, apps)
    }

    fn counts(&mut self) -> Result<Counts> {
        counts(&*self.snapshot()?)
    }
}

pub(super) fn counts(conn: &Connection) -> Result<Counts> {
    let quarantined = conn.query_row("SELECT count(*) FROM quarantine", [], |row| row.get::<_, i64>(0))?;
    let (users, events) = (conn.count_listed()?, conn.count_entries()?);
    Ok(Counts { users, events, quarantined: quarantined as u64 })
}

impl Export for SqliteReader {
    fn apps(&mut self) -> Result<Vec<AppId>> {
        self.snapshot()?.apps()
    }

    fn part(&mut self, app: &AppId, behind: Option<&SmoochId>, begun: Seq) -> Result<Part> {
        export_part(&*self.snapshot()?, app, behind, begun)
    }

    fn kept(&mut self, app: &AppId, users: Vec<View>) -> Result<Vec<Kept>> {
        export_users(&*self.snapshot()?, app, &users)
    }
}
