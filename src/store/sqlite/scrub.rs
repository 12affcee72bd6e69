//! What SQLite leaves between the rows of a page. When a page is full, its rows are spread over others, and the
//! page keeps their bytes where it has room again: `secure_delete` overwrites what is deleted, not what is moved.
//! So once nothing of the erased is in any row, the gap of each page is filled with zeros.

use rusqlite::{Connection, OptionalExtension, params};

use super::derived;
use crate::store::{Error, Result, Scrubbed};

const LOOKS: u32 = 256;
const WRITES: usize = 16;
/// From this number on, a pointer to a page could be taken for the type of one.
const TOO_MANY: u32 = 0x0200_0000;
/// How a program is built that can write pages.
const NEEDED: &str = "SQLITE_ENABLE_DBPAGE_VTAB";

/// Statistics of the query planner hold samples of stored texts.
const STATISTICS: &str = "sqlite_stat4";

/// A step of [`crate::store::Store::scrub_step`]: pages after this one. Returns also whether pages can be written.
pub(super) fn scrub_pages(conn: &Connection, after: u32) -> Result<(Scrubbed, bool)> {
    if after == 0 && conn.table_exists(None, STATISTICS)? {
        // They are made anew when they are needed.
        conn.execute(&format!("DELETE FROM {STATISTICS}"), [])?;
    }
    let file = Layout::read(conn)?;
    let Some(mut pages) = Pages::open(conn, file)? else {
        tracing::warn!(
            "SQLite is built without {NEEDED}: the next start makes the database file anew instead"
        );
        derived::require_row(conn.execute("UPDATE horizon SET clean = 0", [])?)?;
        return Ok((Scrubbed { next: None, wrote: true }, false));
    };
    let last = file.pages.min(after.saturating_add(LOOKS));
    let (mut at, mut written) = (after, 0);
    while at < last && written < WRITES {
        at += 1;
        written += usize::from(pages.clean(at)?);
    }
    let next = (at < file.pages).then_some(at);
    Ok((Scrubbed { next, wrote: written > 0 }, true))
}

/// How a file is divided into pages.
#[derive(Clone, Copy)]
struct Layout {
    pages: u32,
    page: usize,
    /// Some pages say who points to each of the others.
    has_maps: bool,
}

impl Layout {
    fn read(conn: &Connection) -> Result<Self> {
        let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, u32>(0));
        let page = number("PRAGMA page_size")? as usize;
        Ok(Self { pages: number("PRAGMA page_count")?, page, has_maps: number("PRAGMA auto_vacuum")? != 0 })
    }

    fn is_map(self, page: u32) -> bool {
        self.has_maps && page >= 2 && (page - 2).is_multiple_of(self.page as u32 / 5 + 1)
    }

    /// Where there is room in a page of rows: between the list of its cells and the first of these.
    fn gap(self, number: u32, page: &[u8]) -> Option<std::ops::Range<usize>> {
        let header = if number == 1 { 100 } else { 0 };
        let list = match page.get(header)? {
            2 | 5 => header + 12,
            10 | 13 => header + 8,
            _ => return None,
        };
        let word = |at: usize| Some(usize::from(u16::from_be_bytes([*page.get(at)?, *page.get(at + 1)?])));
        let (cells, content) = (word(header + 3)?, word(header + 5)?);
        // The largest pages have no number for their end.
        let content = if content == 0 { 1 << 16 } else { content };
        let begin = list + 2 * cells;
        (begin <= content && content <= page.len()).then_some(begin..content)
    }
}

/// The pages of a database, read and written within its transactions.
struct Pages<'c> {
    conn: &'c Connection,
    file: Layout,
    bytes: Vec<u8>,
}

impl<'c> Pages<'c> {
    /// Nothing where pages cannot be written, or not be told apart.
    fn open(conn: &'c Connection, file: Layout) -> Result<Option<Self>> {
        let sql = "SELECT 1 FROM pragma_module_list WHERE name = 'sqlite_dbpage'";
        let found = conn.query_row(sql, [], |_| Ok(())).optional()?;
        Ok(found.filter(|()| file.pages < TOO_MANY).map(|()| Self { conn, file, bytes: Vec::new() }))
    }

    /// Fills the gap of a page with zeros; whether it was filled with anything else.
    fn clean(&mut self, number: u32) -> Result<bool> {
        if self.file.is_map(number) {
            return Ok(false);
        }
        let sql = "SELECT data FROM sqlite_dbpage WHERE pgno = ?1";
        let mut select = self.conn.prepare_cached(sql)?;
        let (file, bytes) = (self.file, &mut self.bytes);
        let gap = select
            .query_row([number], |row| {
                let page = row.get_ref(0)?.as_blob()?;
                let gap =
                    file.gap(number, page).filter(|gap| page[gap.clone()].iter().any(|byte| *byte != 0));
                if gap.is_some() {
                    bytes.clear();
                    bytes.extend_from_slice(page);
                }
                Ok(gap)
            })
            .optional()?;
        // The page that holds the lock of other systems is never there.
        let Some(gap) = gap.flatten() else { return Ok(false) };
        self.bytes[gap].fill(0);
        let sql = "UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1";
        let mut update = self.conn.prepare_cached(sql)?;
        match update.execute(params![number, self.bytes])? {
            1 => Ok(true),
            _ => Err(Error::Unavailable(format!("page {number} was not written"))),
        }
    }
}
