//! Reads the directory's tables row by row, compares rows, and repairs them.

use std::collections::BTreeSet;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, params_from_iter};

use super::derived::{Remaking, derived_error};
use super::reader::{Snapshot, SqliteReader};
use super::{Error, Result};
use crate::directory::compacted::read_compacted_page;
use crate::directory::examination::{Examination, PAGE_BYTES};
use crate::directory::history::{JournalHeads, find_claimants, find_connected};
use crate::domain::{AppId, ClientId, Event, Record, RecordKey, SmoochId};
use crate::format::record::decode;
use crate::format::search_words::are_unbounded;
use crate::store::archive::Row;
use crate::store::rows::JournalRows as _;
use crate::store::{CompactionPoint, Entry, ReadEvent, Seq};

/// The tables that are rebuilt from the journal, each with its key columns: text, the app first, the `_id` last. A
/// new table of the directory belongs here, or it is neither compared nor repaired.
pub const TABLES: [(&str, &[&str]); 2] =
    [("app_users", &["app", "id"]), ("identifiers", &["app", "kind", "value", "id"])];

impl Row {
    /// Whether two rows with one key hold the same facts, whatever their layout, and whether a program that did not
    /// bound words wrote `self`. Ignores a shared-claim hint of
    /// `self`, since the other claimant may have been erased, and the head of an erased record, whose last entry
    /// may be gone.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let same = |(one, other): (&Value, &Value)| match (one, other) {
            (Value::Blob(one), Value::Blob(other)) if one != other => {
                decode(one).ok().zip(decode(other).ok()).is_some_and(|(one, mut other)| {
                    for (client, claim) in &mut other.claims {
                        claim.shared |= one.claims.get(client).is_some_and(|claim| claim.shared);
                    }
                    if one.erased && other.erased {
                        other.head = one.head;
                    }
                    one == other
                })
            }
            (Value::Text(one), Value::Text(other)) => one == other || are_unbounded(one, other),
            (one, other) => one == other,
        };
        match (&self.cells, &other.cells) {
            (Some(one), Some(other)) => one.len() == other.len() && one.iter().zip(other).all(same),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

impl Row {
    /// Whether the row exists and its record is readable.
    pub fn is_readable(&self) -> bool {
        let is_read = |cell: &Value| !matches!(cell, Value::Blob(bytes) if decode(bytes).is_err());
        self.cells.as_ref().is_some_and(|cells| cells.iter().all(is_read))
    }

    /// The client of a row of `identifiers`.
    pub fn clients(&self) -> Vec<ClientId> {
        let is_client =
            TABLES[self.table].0 == "identifiers" && self.key.get(1).is_some_and(|kind| kind != "userId");
        let client = self.key.get(2).filter(|_| is_client);
        client.into_iter().map(|client| client.as_str().into()).collect()
    }
}

impl SqliteReader {
    /// Up to `limit` rows of a table after this key, in key order.
    pub fn rows(&mut self, table: usize, after: &[String], limit: usize) -> Result<Vec<Row>> {
        let (name, key) = TABLES[table];
        let snapshot = self.snapshot()?;
        let places: Vec<String> = (1..=key.len()).map(|n| format!("?{n}")).collect();
        let columns = key.join(", ");
        let after_it = if after.is_empty() {
            String::new()
        } else {
            format!("WHERE ({columns}) > ({})", places.join(", "))
        };
        let sql = format!("SELECT {columns}, * FROM {name} {after_it} ORDER BY {columns} LIMIT {limit}");
        read(&snapshot, &sql, table, after)
    }

    /// The number of rows of a table.
    pub fn count_rows(&mut self, table: usize) -> Result<u64> {
        let sql = format!("SELECT count(*) FROM {}", TABLES[table].0);
        match self
            .snapshot()?
            .query_row(&sql, [], |row| row.get::<_, i64>(0))
            .map_err(derived_error(TABLES[table].0))
        {
            Err(Error::Derived { .. }) => Ok(0),
            count => Ok(count? as u64),
        }
    }

    /// The number of the last entry; 0 if there is none.
    pub fn last_entry_seq(&self) -> Result<Seq> {
        self.snapshot()?.last_entry_seq()
    }

    /// Begins a snapshot. Hold it only briefly: the WAL cannot restart meanwhile.
    pub fn read_snapshot(&mut self) -> Result<ReadSnapshot<'_>> {
        Ok(ReadSnapshot(self.snapshot()?))
    }
}

/// See [`SqliteReader::read_snapshot`].
pub struct ReadSnapshot<'r>(Snapshot<'r>);

impl ReadSnapshot<'_> {
    /// Examines the next journal entries, up to `limit`. Returns each with its event, if the body is needed and
    /// whole.
    pub fn examine(
        &self,
        examination: &mut Examination,
        limit: usize,
        read: ReadEvent,
    ) -> Result<Vec<(Entry, Option<Event>)>> {
        examination.page(&*self.0, (limit, PAGE_BYTES), read, |_| true)
    }

    /// Examines the end of the journal, once all entries of this snapshot are examined.
    pub fn examine_end(&self, examination: &mut Examination) -> Result<()> {
        examination.end(&*self.0)
    }

    /// Examines the next records, up to `limit`, once all entries are examined. Returns how many there were.
    pub fn examine_records(
        &self,
        examination: &mut Examination,
        limit: usize,
        read: ReadEvent,
    ) -> Result<usize> {
        examination.records(&*self.0, limit, read)
    }

    /// Whether `sought` contains any of these app users, one connected with them by merges, or one that ever held
    /// one of these clients.
    pub fn reaches(
        &self,
        app: &AppId,
        ids: &[SmoochId],
        clients: &[ClientId],
        sought: &BTreeSet<RecordKey>,
    ) -> Result<bool> {
        let found =
            |heads: JournalHeads| heads.into_iter().any(|(id, _)| sought.contains(&(app.clone(), id)));
        // Unreadable records reach no one.
        let read = |heads: Result<JournalHeads>| match heads {
            Err(Error::Damaged(_) | Error::Derived { .. } | Error::Unreadable { .. }) => {
                Ok(JournalHeads::default())
            }
            heads => heads,
        };
        Ok(found(read(find_connected(&*self.0, app, ids))?)
            || found(read(find_claimants(&*self.0, app, clients))?))
    }

    /// The compaction point of the journal.
    pub fn horizon(&self) -> Result<CompactionPoint> {
        self.0.compaction_point()
    }

    /// A page of compacted records, as [`crate::directory::compacted::read_compacted`] returns it.
    pub fn base(&self, after: Option<&RecordKey>, limit: usize) -> Result<Vec<(RecordKey, Record)>> {
        read_compacted_page(&*self.0, after, limit)
    }

    /// The row with this key; without cells if there is none.
    pub fn row(&self, table: usize, key: &[String]) -> Result<Row> {
        let (name, columns) = TABLES[table];
        let sql = format!("SELECT {}, * FROM {name} WHERE {}", columns.join(", "), where_key(columns));
        let found = read(&self.0, &sql, table, key)?.into_iter().next();
        Ok(found.unwrap_or_else(|| Row { table, key: key.to_vec(), cells: None }))
    }
}

fn where_key(columns: &[&str]) -> String {
    let equal: Vec<String> = columns.iter().zip(1..).map(|(column, n)| format!("{column} = ?{n}")).collect();
    equal.join(" AND ")
}

/// Rows of a query whose first columns are the key, followed by all columns. A missing table has none.
fn read(conn: &Connection, sql: &str, table: usize, params: &[String]) -> Result<Vec<Row>> {
    let width = TABLES[table].1.len();
    let mut select = match conn.prepare_cached(sql).map_err(derived_error(TABLES[table].0)) {
        Err(Error::Derived { .. }) => return Ok(Vec::new()),
        select => select?,
    };
    let columns = select.column_count();
    let rows = select.query_map(params_from_iter(params), |row| {
        let key = (0..width).map(|n| row.get(n)).collect::<rusqlite::Result<_>>()?;
        let cells = (width..columns).map(|n| row.get(n)).collect::<rusqlite::Result<_>>()?;
        Ok(Row { table, key, cells: Some(cells) })
    });
    Ok(rows?.collect::<rusqlite::Result<_>>()?)
}

/// Puts these rows in place of those with their keys.
pub(super) fn replace_rows(conn: &Connection, remaking: Remaking, rows: &[Row]) -> Result<()> {
    rows.iter().try_for_each(|row| put(conn, remaking, row))
}

fn put(conn: &Connection, remaking: Remaking, row: &Row) -> Result<()> {
    let (name, columns) = TABLES[row.table];
    if name == "app_users" {
        return super::listing::put(conn, remaking, &row.key, row.cells.as_deref());
    }
    let sql = format!("DELETE FROM {name} WHERE {}", where_key(columns));
    conn.prepare_cached(&sql)
        .map_err(derived_error(name))?
        .execute(params_from_iter(&row.key))
        .map_err(derived_error(name))?;
    if let Some(cells) = &row.cells {
        let places: Vec<String> = (1..=cells.len()).map(|n| format!("?{n}")).collect();
        let sql = format!("INSERT INTO {name} VALUES ({})", places.join(", "));
        let cells = cells.iter().map(|cell| ToSqlOutput::Borrowed(ValueRef::from(cell)));
        conn.prepare_cached(&sql)
            .map_err(derived_error(name))?
            .execute(params_from_iter(cells))
            .map_err(derived_error(name))?;
    }
    Ok(())
}
