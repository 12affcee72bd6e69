//! Every table of the schema, and whether it can be remade.

use crate::store::Error;

/// What the loss of a table means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// Only a backup can restore it.
    Damage,
    /// It is remade, under this name of [`super::DERIVED`].
    MadeAnew(&'static str),
}

/// The tables, each with what its loss means. A new table of the schema belongs here.
pub(super) const ALL: [(&str, Loss); 19] = [
    ("journal", Loss::Damage),
    ("bodies", Loss::Damage),
    ("changes", Loss::Damage),
    ("quarantine", Loss::Damage),
    ("app_users", Loss::MadeAnew("records")),
    ("base", Loss::Damage),
    ("receipts", Loss::MadeAnew("receipts")),
    ("horizon", Loss::MadeAnew("counters")),
    ("feeds", Loss::MadeAnew("counters")),
    ("epochs", Loss::MadeAnew("counters")),
    ("clock", Loss::MadeAnew("counters")),
    ("upkeep", Loss::MadeAnew("counters")),
    ("answer_key", Loss::MadeAnew("counters")),
    ("answers", Loss::MadeAnew("answers")),
    ("identifiers", Loss::MadeAnew("identifiers")),
    ("erasures", Loss::MadeAnew("tombstones")),
    ("gaps", Loss::MadeAnew("gaps")),
    ("moves", Loss::MadeAnew("moves")),
    ("seen", Loss::MadeAnew("seen")),
];

/// The search index, and the prefix of its shadow tables.
const SEARCH: &str = "search";

/// SQLite's message about a missing table.
const NO_TABLE: &str = "no such table: ";

/// What the loss of a table means; `None` for tables that are not rollcall's.
fn loss_of(table: &str) -> Option<Loss> {
    if table == SEARCH || table.strip_prefix(SEARCH).is_some_and(|rest| rest.starts_with('_')) {
        return Some(Loss::MadeAnew(SEARCH));
    }
    ALL.iter().find(|(name, _)| *name == table).map(|(_, loss)| *loss)
}

/// The error for SQLite's message that one of rollcall's tables is missing.
pub(super) fn missing_table_error(message: &str) -> Option<Error> {
    let (_, rest) = message.split_once(NO_TABLE)?;
    let word = rest.split_whitespace().next()?;
    let table = word.strip_prefix("main.").unwrap_or(word);
    Some(match loss_of(table)? {
        Loss::Damage => table_missing(table),
        Loss::MadeAnew(name) => Error::Derived { name, why: format!("the table {table} is missing") },
    })
}

pub(super) fn table_missing(table: &str) -> Error {
    Error::Damaged(format!("the table {table} is missing"))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::sqlite::{DERIVED, schema};

    #[test]
    fn every_table_of_the_schema_is_the_truth_or_has_a_name_under_which_it_is_made_anew() {
        let conn = Connection::open_in_memory().unwrap();
        schema::create_schema(&conn).unwrap();
        let mut select = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
        let names = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let names: BTreeSet<String> = names.map(Result::unwrap).collect();
        for name in names.iter().filter(|name| !name.starts_with("sqlite_")) {
            let loss = loss_of(name).unwrap_or_else(|| panic!("{name} is in no list"));
            if let Loss::MadeAnew(made) = loss {
                assert!(DERIVED.iter().any(|derived| derived.name == made), "{name}: {made}");
            }
        }
        assert!(ALL.iter().all(|(name, _)| names.contains(*name)));
    }

    #[test]
    fn a_missing_table_is_named_for_every_statement() {
        let conn = Connection::open_in_memory().unwrap();
        let message = |sql: &str| Error::from(conn.prepare(sql).unwrap_err());
        for sql in
            ["SELECT * FROM feeds", "INSERT INTO feeds VALUES (1)", "DELETE FROM main.feeds WHERE app = 1"]
        {
            assert!(matches!(message(sql), Error::Derived { name: "counters", .. }), "{sql}");
        }
        assert!(matches!(message("SELECT 1 FROM search_data"), Error::Derived { name: "search", .. }));
        let Error::Damaged(what) = message("SELECT 1 FROM journal") else { panic!() };
        assert_eq!(what, "the table journal is missing");
        assert!(matches!(message("SELECT 1 FROM strangers"), Error::Unavailable(_)));
    }
}
