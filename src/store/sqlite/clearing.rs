//! The rows of `seen` that are outdated, cleared away in the order of their keys.
//!
//! Deleted one by one as they come they would cost a random page each. Here they wait until there are so
//! many that several share a page; a few of them go with each batch. They wait in memory, and in `moves` as
//! well, so that nothing is forgotten: after a start they are read from there again, a few with each batch, and
//! some are looked at twice.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use super::connection::{execute, query_one};
use super::derived::{derived_error, last_user_row, require_row};
use super::listing::Outdated;
use super::table_rows::read_rows;
use crate::store::tables::Move;

/// The most that wait before they go; fewer where there are few app users.
const MOST: i64 = 64 << 10;
const LEAST: i64 = 512;
/// One of so many rows of `seen` may wait.
const SHARE: i64 = 8;
/// So many moves are kept, for whoever reads a list page by page.
const KEPT: i64 = 500_000;
/// At least so many go with a batch.
const FEW: usize = 16;
/// So many moves of the time before the start are read again with a batch.
const AGAIN: i64 = 256;

/// See the module.
#[derive(Default)]
pub(super) struct Clearing {
    waiting: BTreeSet<Outdated>,
    /// Those that go, and the last move among them.
    going: BTreeSet<Outdated>,
    going_to: i64,
    /// The last move of which none waits or goes, and the same as the file has it.
    cleared: i64,
    noted: i64,
    /// The last move that was read again, and the last one that has to be.
    again: (i64, i64),
    /// The last move, and the oldest that is kept.
    last: i64,
    oldest: i64,
    /// About how many app users there are.
    users: i64,
}

/// What a transaction has done; it counts once it is committed.
#[derive(Default)]
pub(super) struct Done {
    waiting: Vec<Outdated>,
    gone: Vec<Outdated>,
    again: i64,
    last: i64,
    oldest: i64,
    /// The last move of which none waits or goes, as the file has it.
    pub(super) noted: i64,
    users: i64,
}

impl Clearing {
    pub(super) fn read(conn: &Connection) -> Result<Self> {
        let number = |sql: &str| query_one::<i64>(conn, sql, []);
        let cleared = number("SELECT cleared FROM upkeep")?;
        let last = last_move(conn)?;
        Ok(Self {
            cleared,
            noted: cleared,
            again: (cleared, last),
            last,
            oldest: number("SELECT coalesce(min(n), 1) FROM moves")?,
            users: last_user_row(conn)?,
            ..Self::default()
        })
    }

    /// The last row of `app_users` that was written.
    pub(super) fn last_user(&self) -> i64 {
        self.users
    }

    /// Some of those that waited before the start, and the last move they were read from.
    fn read_again(&self, conn: &Connection) -> Result<(Vec<Outdated>, i64)> {
        let (after, last) = self.again;
        if after >= last {
            return Ok((Vec::new(), after));
        }
        let rest = "WHERE n > ?1 AND n <= ?2 AND sort = 'lastSeen' ORDER BY n LIMIT ?3";
        let moves: Vec<Move> = read_rows(conn, rest, [after, last, AGAIN])?;
        let to = if (moves.len() as i64) < AGAIN { last } else { moves.last().map_or(last, |last| last.n) };
        Ok((moves.into_iter().map(|moved| (moved.app, moved.before, moved.row)).collect(), to))
    }

    /// What a batch does for it, after it has written its app users and left these rows outdated.
    pub(super) fn step(&self, conn: &Connection, mut waiting: Vec<Outdated>, last_user: i64) -> Result<Done> {
        let last = last_move(conn)?;
        let few = FEW.max(2 * waiting.len());
        let (before, again) = self.read_again(conn)?;
        waiting.extend(before);
        let gone: Vec<Outdated> = self.going.iter().take(few).cloned().collect();
        clear(conn, &gone)?;
        let mut oldest = self.oldest;
        let needless = (self.cleared + 1).min(last - KEPT).min(oldest + few as i64);
        if needless > oldest {
            execute(conn, "DELETE FROM moves WHERE n < ?1", [needless])?;
            oldest = needless;
        }
        if self.cleared > self.noted {
            require_row(execute(conn, "UPDATE upkeep SET cleared = ?1", [self.cleared])?)?;
        }
        let (noted, users) = (self.cleared, last_user.max(self.users));
        Ok(Done { waiting, gone, again, last, oldest, noted, users })
    }

    pub(super) fn committed(&mut self, done: Done) {
        (self.last, self.oldest, self.noted, self.users) = (done.last, done.oldest, done.noted, done.users);
        self.again.0 = done.again;
        self.waiting.extend(done.waiting);
        for row in &done.gone {
            self.going.remove(row);
        }
        if self.going.is_empty() {
            self.cleared = self.cleared.max(self.going_to);
            let all_read = self.again.0 >= self.again.1;
            if all_read && self.waiting.len() as i64 >= (self.users / SHARE).clamp(LEAST, MOST) {
                self.going = std::mem::take(&mut self.waiting);
                self.going_to = self.last;
            }
        }
    }
}

/// Takes those of the rows away that are outdated still.
fn clear(conn: &Connection, gone: &[Outdated]) -> Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    let sql = "SELECT id FROM app_users WHERE rowid = ?1 AND NOT (listed AND last_seen = ?2)";
    let mut outdated = conn.prepare_cached(sql)?;
    let sql = "DELETE FROM seen WHERE app = ?1 AND last_seen = ?2 AND id = ?3";
    let mut delete = conn.prepare_cached(sql).map_err(derived_error("seen"))?;
    for (app, last_seen, user) in gone {
        let id = outdated.query_row(params![user, last_seen], |row| row.get::<_, String>(0));
        if let Some(id) = id.optional()? {
            delete.execute(params![app.as_str(), last_seen, id]).map_err(derived_error("seen"))?;
        }
    }
    Ok(())
}

fn last_move(conn: &Connection) -> Result<i64> {
    query_one(conn, "SELECT coalesce(max(n), 0) FROM moves", []).map_err(derived_error("moves"))
}
