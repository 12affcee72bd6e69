//! Rows of which there is one: counters and clocks. Each is at least what has been given already.

use rusqlite::Connection;

use super::{Tell, holds};
use crate::store::sqlite::{Result, trouble};

/// What must hold, and what is wrong where it does not.
const RULES: [(&str, &str); 4] = [
    ("SELECT count(*) = 1 FROM upkeep", "how far upkeep is, is not there"),
    ("SELECT count(*) = 1 FROM clock", "the clock of our own API is not there"),
    ("SELECT count(*) = 1 FROM answer_key", "what hides the keys of kept answers is not there"),
    (
        "WITH RECURSIVE apps (app) AS (SELECT min(app) FROM changes UNION ALL
             SELECT (SELECT min(c.app) FROM changes AS c WHERE c.app > apps.app) FROM apps WHERE app IS NOT NULL)
         SELECT NOT EXISTS (SELECT 1 FROM apps WHERE (SELECT max(seq) FROM changes AS c WHERE c.app = apps.app)
             > coalesce((SELECT seq FROM feeds WHERE feeds.app = apps.app), 0))",
        "the last number of a feed is behind the changes that are there",
    ),
];

/// See [`super::Derived`].
pub(super) fn check(conn: &Connection, tell: Tell<'_>) -> Result<Option<String>> {
    for (rule, wrong) in RULES {
        if !holds(conn, rule)? {
            return Ok(Some(wrong.to_owned()));
        }
    }
    tell(1)?;
    Ok(None)
}

/// See [`super::Derived`]. Without a row for upkeep nothing is known of the other tables: all are made anew.
pub(super) fn make(conn: &Connection) -> Result<()> {
    conn.execute_batch(
        "INSERT INTO upkeep (one, cleared, filled, identified, sortable, searchable)
             SELECT 1, 0, 0, -1, -1, -1 WHERE NOT EXISTS (SELECT 1 FROM upkeep);
         INSERT OR IGNORE INTO clock (one, time)
             SELECT 1, coalesce(max(event_time), 0) FROM journal
                 WHERE source = 'api' AND event_time <= unixepoch('subsec') * 1000000;
         DELETE FROM answers WHERE NOT EXISTS (SELECT 1 FROM answer_key);
         INSERT OR IGNORE INTO answer_key (one, key) VALUES (1, randomblob(32));
         INSERT INTO feeds (app, seq) SELECT app, max(seq) FROM changes WHERE true GROUP BY app
             ON CONFLICT (app) DO UPDATE SET seq = max(seq, excluded.seq);",
    )
    .map_err(trouble)
}
