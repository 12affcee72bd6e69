//! F26: valid and invalid JSON. The reference is serde_json, in its mode that checks the syntax alone: it accepts
//! half a surrogate pair, an escaped NUL, and a number of any size.

use std::sync::LazyLock;

use proptest::prelude::*;
use rollcall::smooch::{self, ParseLimits, json::Json};
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::support::{APP, Home, files, fixtures};

/// A value, and whether it is JSON.
const VALUES: &[(&[u8], bool)] = &[
    // words
    (b"null", true),
    (b"true", true),
    (b"false", true),
    (b"nul", false),
    (b"nulll", false),
    (b"NULL", false),
    (b"True", false),
    (b"truefalse", false),
    (b"undefined", false),
    (b"NaN", false),
    (b"Infinity", false),
    (b"-Infinity", false),
    // numbers
    (b"0", true),
    (b"-0", true),
    (b"-1", true),
    (b"1.5", true),
    (b"1e5", true),
    (b"1E+5", true),
    (b"1e-5", true),
    (b"-0.0e-0", true),
    (b"1e999", true),
    (b"123456789012345678901234567890", true),
    (b"01", false),
    (b"-01", false),
    (b"00", false),
    (b"+1", false),
    (b"-", false),
    (b"--1", false),
    (b".5", false),
    (b"-.5", false),
    (b"1.", false),
    (b"1.e5", false),
    (b"1e", false),
    (b"1e+", false),
    (b"1e1.5", false),
    (b"0x1F", false),
    (b"1_000", false),
    (b"1 000", false),
    (b"1,5", false),
    ("１".as_bytes(), false),
    // strings
    (b"\"\"", true),
    (b"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", true),
    (b"\"\\u00e9\\u00E9\"", true),
    (b"\"\\uD83D\\uDE00\"", true),
    (b"\"\\ud83d\"", true),
    (b"\"\\ude00\"", true),
    (b"\"\\ud83d\\ud83d\\ude00\"", true),
    (b"\"\\ud83d\\n\"", true),
    (b"\"\\ud83dx\"", true),
    (b"\"\\u0000\"", true),
    (b"\"\x7f\"", true),
    ("\"é😀\u{2028}\u{feff}\"".as_bytes(), true),
    (b"\"", false),
    (b"\"a", false),
    (b"\"\\\"", false),
    (b"'a'", false),
    (b"a", false),
    (b"\"a\"b", false),
    (b"\"\\a\"", false),
    (b"\"\\x41\"", false),
    (b"\"\\U0041\"", false),
    (b"\"\\u\"", false),
    (b"\"\\u004\"", false),
    (b"\"\\u00g0\"", false),
    (b"\"\\u+041\"", false),
    (b"\"\\u 041\"", false),
    (b"\"\\ud83d\\u\"", false),
    (b"\"\\ud83d\\u00\"", false),
    (b"\"\\\n\"", false),
    (b"\"a\nb\"", false),
    (b"\"a\tb\"", false),
    (b"\"a\x00b\"", false),
    (b"\"a\x1fb\"", false),
    // bytes that are no UTF-8: alone, cut off, overlong, half a pair, beyond the last
    (b"\"\xff\"", false),
    (b"\"\xc3\"", false),
    (b"\"\xe2\x82\"", false),
    (b"\"\xc0\x80\"", false),
    (b"\"\xed\xa0\xbd\"", false),
    (b"\"\xf4\x90\x80\x80\"", false),
    (b"\xff", false),
    // arrays
    (b"[]", true),
    (b"[ ]", true),
    (b"[1,\"a\",null,[],{}]", true),
    (b" \t\r\n[1 , 2]\n", true),
    (b"[", false),
    (b"[1", false),
    (b"[1,", false),
    (b"[1,]", false),
    (b"[,1]", false),
    (b"[1,,2]", false),
    (b"[1 2]", false),
    (b"[1]]", false),
    (b"[1}", false),
    (b"[1:2]", false),
    (b"[1\x0c]", false),
    (b"[\xc2\xa01]", false),
    // objects
    (b"{}", true),
    (b"{\"a\":1,\"a\":2}", true),
    (b"{\"\":0}", true),
    (b"{\"\\ud83d\":0}", true),
    (b"{\"a\":{\"b\":{}}}", true),
    (b"{", false),
    (b"{\"a\"", false),
    (b"{\"a\":", false),
    (b"{\"a\":1", false),
    (b"{\"a\":1,", false),
    (b"{\"a\":1,}", false),
    (b"{,}", false),
    (b"{\"a\"}", false),
    (b"{\"a\" 1}", false),
    (b"{\"a\"::1}", false),
    (b"{a:1}", false),
    (b"{'a':1}", false),
    (b"{1:1}", false),
    (b"{null:1}", false),
    (b"{\"a\":1]", false),
    (b"{\"a\":1 \"b\":2}", false),
    (b"{\"a\":}", false),
    (b"{\"a\":/*c*/1}", false),
    (b"{\"a\":1}//c", false),
    (b"{\"a\":#c\n1}", false),
    (b"", false),
    (b" ", false),
];

/// True if serde_json accepts a body, apart from a byte order mark before it.
pub fn judge(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    std::str::from_utf8(body).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

#[test]
fn a_value_inside_a_webhook_is_learned_if_it_is_json_and_else_the_body_goes_to_quarantine() {
    let home = Home::new();
    let program = home.start();
    let mut rejected = 0;
    for (n, (value, accepted)) in VALUES.iter().enumerate() {
        let what = String::from_utf8_lossy(value);
        let before = format!(
            r#"{{"trigger":"message:appUser","app":{{"_id":"{APP}"}},"appUser":{{"_id":"u{n}","properties":{{"x":"#
        );
        let body = [before.as_bytes(), value, b"}}}"].concat();
        assert_eq!(judge(&body), *accepted, "the judge: {what}");
        let answer = program.webhook(&body);
        assert_eq!((answer.status, answer.text.as_str()), (200, "{}"), "{what}");
        let shown = program.app_user(&format!("u{n}"));
        assert_eq!(shown.status, if *accepted { 200 } else { 404 }, "{what}");
        if *accepted {
            assert!(
                serde_json::from_str::<Value>(&shown.text.replace("e999", "")).is_ok(),
                "{what}: {}",
                shown.text
            );
            assert!(!shown.text.contains('\0') && !shown.text.contains("\\u0000"), "{what}");
        } else {
            rejected += 1;
            let kept: String = home.find("SELECT reason FROM quarantine ORDER BY seq DESC LIMIT 1");
            assert_eq!((home.rows("quarantine"), &*kept), (rejected, "not_json"), "{what}");
        }
    }
    assert!(VALUES.len() > 100 && rejected > 60);
}

#[test]
fn a_body_that_is_no_json_as_a_whole_goes_to_quarantine_byte_for_byte() {
    let home = Home::new();
    let program = home.start();
    let good = crate::support::first_message("a", 1.0);
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cut = (1..good.len()).step_by(7).map(|end| good.as_bytes()[..end].to_vec());
    let bodies = [
        Vec::new(),
        b" \r\n\t".to_vec(),
        b"\0".to_vec(),
        vec![0xFF; 64],
        b"\xef\xbb\xbf".to_vec(),
        utf16,
        format!("{good}{good}").into_bytes(),
        format!("{good}\0").into_bytes(),
        format!("{good},").into_bytes(),
        format!("({good})").into_bytes(),
        format!("payload={good}").into_bytes(),
        b"<xml/>".to_vec(),
    ];
    for (n, body) in bodies.into_iter().chain(cut).enumerate() {
        let what = String::from_utf8_lossy(&body).into_owned();
        assert!(!judge(&body), "the judge: {what}");
        assert_eq!(program.webhook(&body).status, 200, "{what}");
        assert_eq!(home.rows("quarantine"), n as i64 + 1, "{what}");
        let kept: Vec<u8> = home.find("SELECT body FROM quarantine ORDER BY seq DESC LIMIT 1");
        assert_eq!(kept, body, "{what}");
    }
    assert_eq!(home.find::<i64>("SELECT count(*) FROM quarantine WHERE reason <> 'not_json'"), 0);
    assert!(program.all_app_users().is_empty());
    assert_eq!(program.webhook(format!(" \r\n{good}\t\n")).status, 200);
    assert_eq!(program.all_app_users().len(), 1, "white space around it is no harm");
}

#[test]
fn nesting_is_bounded_by_json_depth_to_the_level() {
    let home = Home::with("[limits]\njson_depth = 8");
    let program = home.start();
    // The body and `appUser` and `properties` are three levels.
    for (levels, status) in [(5, 200), (6, 404), (1_000, 404), (400_000, 404)] {
        for (open, close) in [("[", "]"), ("{\"k\":", "}")] {
            let inner = if open == "[" { String::new() } else { "1".to_owned() };
            let deep = format!("{}{inner}{}", open.repeat(levels), close.repeat(levels));
            let id = format!("u{levels}{}", open.len());
            let body = format!(
                r#"{{"trigger":"message:appUser","app":{{"_id":"{APP}"}},"appUser":{{"_id":"{id}","properties":{{"x":{deep}}}}}}}"#
            );
            if body.len() > 1 << 20 {
                continue;
            }
            assert_eq!(program.webhook(&body).status, 200, "{levels}");
            assert_eq!(program.app_user(&id).status, status, "{levels} {open}");
        }
    }
    assert_eq!(
        home.find::<i64>("SELECT count(*) FROM quarantine WHERE reason = 'too_deep'"),
        home.rows("quarantine")
    );
}

#[test]
fn lone_surrogates_and_nul_are_replaced_everywhere_and_the_body_is_stored_as_received() {
    let home = Home::new();
    let program = home.start();
    let body = format!(
        r#"{{"trigger":"message:appUser","app":{{"_id":"{APP}"}},"appUser":{{"_id":"a","userId":"u\ud83d","givenName":"x\u0000y","surname":"\ude00\ud83d\ude00","properties":{{"k\ud83d":"\ud83d\ud83d"}}}}}}"#
    );
    assert_eq!(program.webhook(&body).status, 200);
    let user = program.app_user("u\u{fffd}d83d").json()["appUser"].clone();
    assert_eq!((&user["givenName"], &user["surname"]), (&"x\u{fffd}y".into(), &"\u{fffd}😀".into()));
    assert_eq!(user["properties"], serde_json::json!({ "k\u{fffd}d83d": "\u{fffd}\u{fffd}" }));
    assert_eq!(home.rows("quarantine"), 0);
}

static BODIES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let bodies = files(&fixtures().join("webhooks"), "json");
    bodies.iter().map(|path| std::fs::read(path).unwrap()).filter(|body| body.len() < 4096).collect()
});

/// Changes that a wire, a cut or a fuzzer could make.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let telling =
        prop::sample::select(b"{}[]\",:\\/u0123456789.eE+-tfn \t\r\n\0\x1f\x7f\xc3\xa9\xed\xa0\xff".to_vec());
    let byte = prop_oneof![telling, any::<u8>()];
    let change = (0..5u8, any::<prop::sample::Index>(), any::<prop::sample::Index>(), byte);
    (any::<prop::sample::Index>(), prop::collection::vec(change, 0..4)).prop_map(|(body, changes)| {
        let mut body = BODIES[body.index(BODIES.len())].clone();
        for (kind, at, to, byte) in changes.into_iter() {
            let (at, to) = (at.index(body.len() + 1), to.index(body.len() + 1));
            match kind {
                0 => body.insert(at, byte),
                1 if at < body.len() => body[at] = byte,
                2 if at < body.len() => drop(body.remove(at)),
                3 => body.truncate(at.max(to)),
                _ => {
                    let piece = body[at.min(to)..at.max(to).min(at.min(to) + 40)].to_vec();
                    body.splice(at..at, piece);
                }
            }
        }
        body
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn our_parser_accepts_the_same_texts_as_serde_json_with_the_same_values(body in mutated()) {
        let ours = Json::parse(&body, 10_000);
        prop_assert_eq!(ours.is_ok(), judge(&body), "{:?} {}", ours, String::from_utf8_lossy(&body));
        let Ok(document) = ours else { return Ok(()) };
        let canonical = document.value.exact(str::to_owned);
        let again = Json::parse(canonical.as_bytes(), 10_000);
        prop_assert!(again.is_ok_and(|again| again.value == document.value && again.repeated_keys == 0));
        // Where serde_json can represent the value at all, and no text had to be replaced, both values are equal.
        let text = String::from_utf8(body).unwrap();
        if let Ok(theirs) = serde_json::from_str::<Value>(&text)
            && !text.contains("\\u0000")
        {
            prop_assert_eq!(serde_json::from_str::<Value>(&canonical).unwrap(), theirs);
        }
    }

    /// Parsing ends for every input, and unusable input has one of a few reasons.
    #[test]
    fn no_body_makes_the_reader_panic(body in mutated()) {
        let bounds = ParseLimits { depth: 64, events: 1_000, latest: 4_000_000_000_000_000, name_bytes: 1024 };
        let reasons = ["not_json", "wrong_shape", "too_deep", "no_app_user", "future_dated", "too_many_events"];
        let troubles = match smooch::parse_webhook(&body, &bounds) {
            Err(unusable) => vec![unusable],
            Ok(delivery) => delivery.events.into_iter().filter_map(Result::err).collect(),
        };
        for unusable in troubles {
            prop_assert!(reasons.contains(&unusable.reason), "{:?}", unusable);
        }
    }
}
