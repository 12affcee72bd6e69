//! App users as rows of a table: RFC 4180, a header, and always the same columns.

mod reader;

use std::sync::LazyLock;

use csv::{StringRecord, Terminator, WriterBuilder};
use serde_json::{Map, Value};

use super::json::ObjectWriter;
use super::rest::InvalidInput;
use super::v1::write_clients;
use crate::domain::{FIELDS, Field, FieldSpec, JsonText, ShownUser, timestamp};
pub use reader::{CsvReader, CsvRow, RowError, RowErrorKind};

/// The columns. Values of any shape are JSON.
pub static COLUMNS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let names = |tagged: bool| columns(tagged).filter_map(|spec| spec.csv);
    std::iter::once("_id").chain(names(true)).chain(OTHER_COLUMNS).chain(names(false)).collect()
});

fn columns(tagged: bool) -> impl Iterator<Item = &'static FieldSpec> {
    FIELDS.iter().copied().filter(move |spec| spec.csv.is_some() && spec.field.is_tagged() == tagged)
}

/// The columns that are not fields. Fields with a tag of their own come before them, the others after.
const OTHER_COLUMNS: [&str; 7] = [
    "conversationStarted",
    "credentialRequired",
    "firstSeen",
    "lastSeen",
    "aliases",
    "properties",
    "clients",
];

/// The first row.
pub fn header_row() -> Vec<u8> {
    write_table(std::iter::once(COLUMNS.iter().map(|name| (*name).to_owned()).collect()))
}

/// A row for each app user.
pub fn write_rows<'v>(views: impl IntoIterator<Item = ShownUser<'v>>) -> Vec<u8> {
    write_table(views.into_iter().map(|view| write_cells(&view)))
}

/// The signs that make a formula of a cell that begins with one, in a spreadsheet that opens the table.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

fn is_formula(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(FORMULA)
}

/// A cell that no spreadsheet takes for a formula: one that begins like one has an apostrophe before it. So has one that
/// begins like that behind apostrophes, so that [`without_apostrophe`] gives every cell back.
fn with_apostrophe(cell: String) -> String {
    if is_formula(&cell) { format!("'{cell}") } else { cell }
}

fn without_apostrophe(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| is_formula(rest)).unwrap_or(cell)
}

/// Rows of as many cells each, none of which is a formula.
pub fn write_table(rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        // Cannot fail: the output is a vector, and every row has as many cells.
        _ = writer.write_record(row.into_iter().map(with_apostrophe));
    }
    writer.into_inner().unwrap_or_default()
}

fn write_cells(view: &ShownUser<'_>) -> Vec<String> {
    let field = |spec: &FieldSpec| match spec.field {
        Field::BrandId => view.brand().unwrap_or_default().into_owned(),
        _ => view.get(&spec.field).map(plain_text).unwrap_or_default(),
    };
    let time = |time: Option<i64>| {
        time.map(|time| timestamp::json_from_micros(time).trim_matches('"').to_owned()).unwrap_or_default()
    };
    let mut properties = ObjectWriter::new();
    for (field, value) in &view.fields {
        if let Field::Property(key) = field {
            properties.raw(key, value);
        }
    }
    let mut clients = String::new();
    write_clients(view, &mut clients);
    let aliases: Vec<&str> = view.aliases.iter().map(crate::domain::SmoochId::as_str).collect();
    let others = [
        view.started.to_string(),
        view.secured.to_string(),
        time(view.first_seen),
        time(view.last_seen),
        Value::from(aliases).to_string(),
        properties.end(),
        clients,
    ];
    let before = std::iter::once(view.id.to_string()).chain(columns(true).map(field)).chain(others);
    before.chain(columns(false).map(field)).collect()
}

/// The text of a string, and any other value as JSON.
fn plain_text(text: &JsonText) -> String {
    serde_json::from_str(text).unwrap_or_else(|_| text.to_string())
}

/// The names of the columns of a table.
pub struct CsvHeader(Vec<String>);

impl CsvHeader {
    /// Reads the first row.
    /// Errors: a column is unknown or repeated, or there is neither `_id` nor `userId`.
    pub fn read(row: &StringRecord) -> Result<Self, InvalidInput> {
        let mut names: Vec<String> = Vec::new();
        for name in row {
            let name = name.trim();
            let known = COLUMNS.contains(&name)
                || name.strip_prefix("properties.").is_some_and(|key| !key.is_empty());
            let shown = name.escape_default();
            if !known {
                let all = COLUMNS.join(", ");
                return Err(InvalidInput(format!("column {shown} is none of {all}, properties.KEY")));
            }
            if names.iter().any(|other| other == name) {
                return Err(InvalidInput(format!("column {shown} is there twice")));
            }
            names.push(name.to_owned());
        }
        if names.iter().any(|name| name == "_id" || name == "userId") {
            Ok(Self(names))
        } else {
            Err(InvalidInput("no column _id or userId tells whom a row is about".to_owned()))
        }
    }

    /// The name of a column; `None` beyond the last.
    pub fn name(&self, column: usize) -> Option<&str> {
        self.0.get(column).map(String::as_str)
    }

    /// A row as a plain line. Empty cells are left out.
    /// Errors: it has more cells than there are columns, or fewer, or one that should be JSON, true or false is not.
    pub fn line(&self, row: &StringRecord) -> Result<String, InvalidInput> {
        if row.len() != self.0.len() {
            return Err(InvalidInput(format!("has {} cells for {} columns", row.len(), self.0.len())));
        }
        let (mut line, mut properties) = (ObjectWriter::new(), ObjectWriter::new());
        let cells = row.iter().map(without_apostrophe);
        for (name, cell) in self.0.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            // In JSON a line can only end between two values.
            let json = |text: &str| text.replace(['\n', '\r'], " ");
            match name.as_str() {
                "aliases" => {}
                "properties" => {
                    // The text stays unchanged: a number must not be rounded.
                    let is_object = serde_json::from_str::<Map<String, Value>>(cell).is_ok();
                    let object = cell.trim();
                    match is_object {
                        true if object[1..object.len() - 1].trim().is_empty() => {}
                        true => properties.members(&json(object)),
                        false => return Err(InvalidInput("properties must be a JSON object".to_owned())),
                    }
                }
                "clients" => match serde_json::from_str::<Vec<Value>>(cell) {
                    Ok(_) => line.raw("clients", &json(cell)),
                    Err(_) => return Err(InvalidInput("clients must be a JSON array".to_owned())),
                },
                "conversationStarted" | "credentialRequired" => {
                    match cell.trim().to_ascii_lowercase().as_str() {
                        flag @ ("true" | "false") => line.raw(name, flag),
                        _ => return Err(InvalidInput(format!("{name} must be true or false"))),
                    }
                }
                name => match name.strip_prefix("properties.") {
                    Some(key) => properties.string(key, cell),
                    None => line.string(name, cell),
                },
            }
        }
        line.raw("properties", &properties.end());
        Ok(line.end())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cell_that_begins_a_formula_has_an_apostrophe() {
        for (cell, written) in [
            ("=1+1", "'=1+1"),
            ("+48600100200", "'+48600100200"),
            ("-", "'-"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r", "'\r"),
            ("＝1", "'＝1"),
            ("'=1", "''=1"),
            ("'tis", "'tis"),
            ("'", "'"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(with_apostrophe(cell.to_owned()), written);
            assert_eq!(without_apostrophe(written), cell);
        }
    }

    proptest! {
        #[test]
        fn every_cell_comes_back(cell in "['=+@\t\r-]{0,3}.{0,4}") {
            let written = with_apostrophe(cell.clone());
            prop_assert!(!written.starts_with(FORMULA));
            prop_assert_eq!(without_apostrophe(&written), cell);
        }
    }
}
