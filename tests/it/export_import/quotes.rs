//! CSV with a quote too many or too few: the row is named, and neither it nor the rows that it swallows are imported.

use serde_json::Value;

use super::*;

/// A line, and the error reported for it.
type Said = (u64, &'static str);

/// A name, the text below the header, the rows imported from it, and the errors for the other rows.
const TABLES: [(&str, &str, &[&str], &[Said]); 11] = [
    (
        "open",
        "t0,Al\nt1,\"open\nt2,Bob\nt3,Cy\n",
        &["t0"],
        &[(3, "givenName: a quote opens here and is never closed")],
    ),
    (
        "behind",
        "t5,\"x\"y\nt6,Bob\n",
        &["t6"],
        &[(2, "givenName: text follows the quote that closes the one of line 2")],
    ),
    ("doubled", "t6,\"q\"\"\nt7,Bob\n", &[], &[(2, "givenName: a quote opens here and is never closed")]),
    (
        "over-lines",
        "t1,\"x\nt2,\"Bob\"\nt3,Cy\n",
        &["t3"],
        &[(3, "givenName: text follows the quote that closes the one of line 2")],
    ),
    (
        "stray",
        "t1,5\" x\nt2, \"Bob\"\r\nt3,Cy\r\n",
        &["t3"],
        &[(2, "givenName: a quote stands in a cell"), (3, "givenName: a quote stands in a cell")],
    ),
    ("beyond", "t1,a,\"b\"c\nt2,Bob\n", &["t2"], &[(2, "column 3: text follows the quote")]),
    (
        "cr-lf",
        "t1,Al\r\n\r\nt2\r\nt3,\"C\"\"y\r\n,\"\r\n",
        &["t1", "t3"],
        &[(4, "has 1 cells for 2 columns")],
    ),
    ("space-behind", "t1,\"x\" \nt2,Bob\n", &["t2"], &[(2, "givenName: text follows the quote")]),
    (
        "behind-and-quoted",
        "t1,\"x\"y,\"z\n\"\nt2,Bob\n",
        &["t2"],
        &[(2, "givenName: text follows the quote")],
    ),
    ("stray-and-open", "t1,5\" x,\"\nt2,Bob\n", &[], &[(2, "column 3: a quote opens here")]),
    ("end", "t1,Al\nt2,\"", &["t1"], &[(3, "givenName: a quote opens here and is never closed")]),
];

#[test]
fn a_row_with_a_stray_or_open_quote_is_named_and_nothing_of_it_is_taken() {
    for (name, rows, taken, said) in TABLES {
        let home = Home::new();
        let program = home.start();
        let table = file(&home, &format!("{name}.csv"), &format!("userId,givenName\n{rows}"));
        let table = table.to_str().unwrap();
        for more in [&["--dry-run"][..], &[]] {
            let ran = import(&home, &program, &[more, &[table]].concat());
            let code = Some(i32::from(!said.is_empty()));
            assert_eq!(
                (ran.code, counts(&ran)),
                (code, [taken.len() as u64, 0, said.len() as u64]),
                "{ran:?}"
            );
            let named: Vec<&str> = ran.err.lines().collect();
            assert_eq!(named.len(), said.len(), "{ran:?}");
            for (line, (number, why)) in named.iter().zip(said) {
                assert!(line.starts_with(&format!("{table}:{number}: {why}")), "{name}: {line}");
            }
        }
        let users: Vec<Value> = program.all_app_users();
        let mut users: Vec<&str> = users.iter().map(|user| user["userId"].as_str().unwrap()).collect();
        users.sort_unstable();
        assert_eq!(users, taken, "{name}");
    }
}

#[test]
fn a_header_with_an_open_quote_takes_nothing() {
    let home = Home::new();
    let program = home.start();
    let table = file(&home, "t.csv", "userId,\"givenName\nt1,Al\n");
    let ran = import(&home, &program, &[table.to_str().unwrap()]);
    assert_eq!((ran.code, counts(&ran)), (Some(1), [0, 0, 1]), "{ran:?}");
    assert!(ran.err.contains("t.csv:1: column 2: a quote opens here"), "{ran:?}");
    assert!(program.all_app_users().is_empty());
    let marked =
        file(&home, "marked.csv", "\u{feff}\"userId\",\"givenName\"\r\n\"t1\",\"Al, \"\"A\"\"\r\nB\"\r\n");
    assert_eq!(counts(&import(&home, &program, &[marked.to_str().unwrap()]).well()), [1, 0, 0]);
    assert_eq!(program.app_user("t1").json()["appUser"]["givenName"], "Al, \"A\"\r\nB");
}

/// A row longer than one chunk, in a stream: the rows after it are read.
#[test]
fn a_row_that_is_too_large_is_named_and_the_next_one_is_taken() {
    let home = Home::new();
    let program = home.start();
    let large = "x".repeat((16 << 20) + 1);
    let table = file(&home, "t.csv", &format!("userId,givenName\nt1,\"{large}\"\nt2,Bob\n"));
    let ran = import(&home, &program, &[table.to_str().unwrap()]);
    assert_eq!((ran.code, counts(&ran)), (Some(1), [1, 0, 1]), "{:?}", ran.code);
    assert!(ran.err.contains("t.csv:2: the row is larger than 16 MiB"), "{:.200}", ran.err);
}
