//! Bodies in encodings other than UTF-8: an erased `_id` is found in them too, and bodies that cannot be searched are
//! not stored.

use super::{CANARY, erase, message, ok};
use crate::support::{Home, Program};
use serde_json::json;

const PERSON: &str = "5d7c0b3f9a1e4c2b8f6d0e17";
const SHORT: &str = "zoë";

/// A text in every encoding of Unicode but UTF-8, with and without a mark, and from an odd byte on.
fn every_way(text: &str) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for (mark, text) in [("without a mark", text.to_owned()), ("with a mark", format!("\u{feff}{text}"))] {
        let wide = || text.encode_utf16();
        let wider = || text.chars().map(u32::from);
        all.push((format!("UTF-16LE {mark}"), wide().flat_map(u16::to_le_bytes).collect()));
        all.push((format!("UTF-16BE {mark}"), wide().flat_map(u16::to_be_bytes).collect::<Vec<u8>>()));
        all.push((format!("UTF-32LE {mark}"), wider().flat_map(u32::to_le_bytes).collect()));
        all.push((format!("UTF-32BE {mark}"), wider().flat_map(u32::to_be_bytes).collect()));
    }
    let behind =
        all.iter().map(|(what, bytes)| (format!("{what} behind a byte"), [b"x", &bytes[..]].concat()));
    let behind: Vec<_> = behind.collect();
    all.extend(behind);
    all
}

fn naming(id: &str) -> Vec<(String, Vec<u8>)> {
    let body = json!({ "trigger": "ticket:opened", "who": id, "is": CANARY });
    let mut all = every_way(&body.to_string());
    // Incompressible data is not text in any encoding.
    let mut seed = 7_u64;
    let noise = (0..900).map(|_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 56) as u8
    });
    all.push(("compressed".to_owned(), [0x1f, 0x8b].into_iter().chain(noise).collect()));
    all
}

fn live(program: &Program) {
    let known = json!({ "userId": format!("{CANARY}-user-id") });
    ok(program.webhook(message(PERSON, 1_600_000_000.0, &known, CANARY)));
    ok(program.webhook(message(SHORT, 1_600_000_000.0, &json!({}), "Hi")));
}

fn held(home: &Home) -> i64 {
    home.find("SELECT count(*) FROM quarantine")
}

/// True if any file of the database has the canary in any of the encodings.
fn has_traces(home: &Home) -> bool {
    let all: Vec<u8> = ["", "-wal"]
        .iter()
        .flat_map(|suffix| {
            std::fs::read(home.path().join(format!("rollcall.db{suffix}"))).unwrap_or_default()
        })
        .collect();
    every_way(CANARY)
        .iter()
        .filter(|(what, _)| what.ends_with("without a mark"))
        .any(|(_, sought)| memchr::memmem::find(&all, sought).is_some())
}

#[test]
fn an_erased_id_is_found_in_every_encoding_before_the_erasure_and_after_it() {
    let home = Home::new();
    let program = home.start();
    live(&program);
    let about_nobody = every_way(&json!({ "trigger": "ticket:opened", "who": "somebody else" }).to_string());
    for (what, body) in naming(PERSON).iter().chain(&naming(SHORT)).chain(&about_nobody) {
        let answer = ok(program.webhook(body));
        assert_eq!(answer.header("x-rollcall-quarantined"), Some("1"), "{what}");
    }
    assert!(has_traces(&home));
    for id in [PERSON, SHORT] {
        let erased = erase(&home, &program, &[id]);
        assert!(erased.status.success(), "{erased:?}");
    }
    assert_eq!(held(&home), about_nobody.len() as i64, "what names nobody who is erased stays");
    assert!(!has_traces(&home), "the files after the erasure");
    for id in [PERSON, SHORT] {
        for (what, body) in naming(id) {
            ok(program.webhook(body));
            assert_eq!(held(&home), about_nobody.len() as i64, "{what}");
        }
    }
    assert!(!has_traces(&home), "what came later");
    for (what, body) in &about_nobody {
        let before = held(&home);
        ok(program.webhook(body));
        assert_eq!(held(&home), before + 1, "{what} names nobody");
    }
}
