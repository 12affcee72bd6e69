//! Reads rows of the journal.

use rusqlite::{Connection, Row};

use crate::domain::SmoochId;
use crate::store::{Entry, Error, Outcome, Result, Seq, Source};

/// The columns that [`entry`] reads.
pub(crate) const ENTRY: &str =
    "seq, app, source, received, event_time, trigger, outcome, digest, users, body, place";

pub(crate) fn entry(row: &Row<'_>) -> Result<Entry> {
    let (entry, users) = entry_alone(row)?;
    Ok(Entry { users: users_of(&users)?, ..entry })
}

/// An entry without its app users, and these as they are kept.
pub(crate) fn entry_alone(row: &Row<'_>) -> Result<(Entry, String)> {
    let users: String = row.get(8)?;
    let entry = Entry {
        seq: row.get::<_, i64>(0)? as u64,
        app: row.get_ref(1)?.as_str()?.into(),
        source: row.get_ref(2)?.as_str()?.parse().unwrap_or(Source::Webhook),
        received: row.get(3)?,
        event_time: row.get(4)?,
        trigger: row.get_ref(5)?.as_str()?.into(),
        outcome: row.get_ref(6)?.as_str()?.parse().unwrap_or(Outcome::Kept),
        digest: row.get(7)?,
        users: Vec::new(),
        body: row.get::<_, i64>(9)? as usize,
        place: row.get::<_, i64>(10)? as usize,
    };
    Ok((entry, users))
}

/// Reads the `users` of a journal entry.
pub(crate) fn users_of(text: &str) -> Result<Vec<(SmoochId, Option<Seq>)>> {
    let users: Vec<(&str, Option<Seq>)> =
        serde_json::from_str(text).map_err(|error| Error::Damaged(format!("journal.users: {error}")))?;
    Ok(users.into_iter().map(|(id, prev)| (id.into(), prev)).collect())
}

/// The first entry behind a batch.
pub(crate) fn end_of_batch(conn: &Connection, first: i64) -> Result<i64> {
    let sql = "SELECT min(first_seq) FROM bodies WHERE first_seq > ?1";
    let mut select = conn.prepare_cached(sql)?;
    let next: Option<i64> = select.query_row([first], |row| row.get(0))?;
    Ok(next.unwrap_or(i64::MAX))
}
