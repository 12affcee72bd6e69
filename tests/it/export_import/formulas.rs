//! No table has a formula in it, and every value comes back.

use serde_json::json;

use super::*;
use crate::support::{APP, KEY_ID, KEY_SECRET, basic, request};

/// Values that a spreadsheet would run, or that look as if they had been made harmless.
const HOSTILE: [&str; 9] =
    ["=cmd|' /C calc'!A1", "+48600100200", "-2+3", "@SUM(1+1)", "\t=1", "\r=1", "'=1", "''+1", "＝1"];

/// True if no cell of a table begins a formula.
fn is_harmless(table: &str) -> bool {
    let rows = csv::ReaderBuilder::new().flexible(true).from_reader(table.as_bytes()).into_records();
    rows.map(Result::unwrap)
        .all(|row| row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝'])))
}

#[test]
fn no_cell_of_a_table_is_a_formula_and_an_import_gives_every_value_back() {
    let (home, empty) = (Home::new(), Home::new());
    let (program, copy) = (home.start(), empty.start());
    let auth = basic(KEY_ID, KEY_SECRET);
    for (n, name) in HOSTILE.iter().enumerate() {
        let body = json!({ "userId": format!("{name}{n}"), "givenName": name, "surname": format!(" {name}"),
                           "properties": { *name: name } });
        let headers = [("authorization", auth.as_str()), ("x-request-id", "-1")];
        let answer = program.request("POST", "/v1/appusers", &headers, body.to_string().as_bytes());
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let table = run(&home, &program, &["export", "--format", "csv"]).well().out;
    assert!(is_harmless(&table) && table.contains("'+48600100200"), "{table}");
    let path = format!("/v1/apps/{APP}/appusers");
    let answer = request(program.admin, "GET", &path, &[("accept", "text/csv")], b"").unwrap();
    assert_eq!(super::stream::unchunked(&answer.text), table, "the same for operators");
    let audit = request(program.admin, "GET", "/audit", &[("accept", "text/csv")], b"").unwrap();
    let audit = super::stream::unchunked(&audit.text);
    assert!(is_harmless(&audit) && audit.contains(",'-1\r\n"), "{audit}");
    let table = file(&empty, "list.csv", &table);
    assert_eq!(counts(&import(&empty, &copy, &[table.to_str().unwrap()]).well()), [9, 0, 0]);
    let values = |program: &Program| {
        let users = program.all_app_users();
        let of = |user: &serde_json::Value| {
            ["userId", "givenName", "surname", "properties"].map(|name| user[name].clone())
        };
        users.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(values(&copy), values(&program));
}
