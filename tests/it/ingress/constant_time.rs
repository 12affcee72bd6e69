//! W3: the instructions for comparing a secret, counted by callgrind in the real program.
//!
//! Only the comparison is counted: looking headers up has nothing to do with secrets, and its number of instructions
//! depends on addresses in memory. The length of the input may make a difference, because its sender knows it: the
//! lengths here are within one block of SHA-256, and one path through `memcpy`.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::Sha256;

use super::{TWO_APPS, hmac};
use crate::support::{Home, SECRET, first_message, installed, require};

/// The number of times that each request is made.
const ROUNDS: usize = 4;
const TARGET: &str = "/webhooks";
const NOBODYS: &str = "/webhooks/nobodys";

/// A refused request: its kind, its path, its headers.
type Wrong<'a> = (&'a str, &'a str, Vec<(&'a str, String)>);

/// Makes the requests with this body, again and again, and gives the instructions of each in a function.
fn counted<'a>(function: &str, requests: &[Wrong<'a>], body: &str) -> Vec<(&'a str, u64)> {
    let mut home = Home::with(TWO_APPS);
    let name = format!("rollcall::http::signature::Secrets::{function}");
    home.wrapper = [
        "valgrind",
        "--tool=callgrind",
        "--callgrind-out-file=counts",
        "--combine-dumps=yes",
        &format!("--toggle-collect={name}"),
        &format!("--dump-after={name}"),
    ]
    .map(str::to_owned)
    .into();
    let program = home.start();
    let mut asked = Vec::new();
    for (what, path, headers) in (0..ROUNDS).flat_map(|_| requests) {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = program.request("POST", path, &headers, body.as_bytes());
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        asked.push(*what);
    }
    program.stop();
    // One part for each time that the function was left, and one for the rest of the program.
    let counts = std::fs::read_to_string(home.path().join("counts")).unwrap();
    let counts: Vec<u64> =
        counts.lines().filter_map(|line| line.strip_prefix("totals: ")?.parse().ok()).collect();
    assert_eq!((counts.len(), counts.last()), (asked.len() + 1, Some(&0)), "{counts:?}");
    asked.into_iter().zip(counts).collect()
}

/// That all of them took the same number, and not none.
fn same(counts: &[(&str, u64)]) {
    let different: BTreeSet<u64> = counts.iter().map(|(_, count)| *count).collect();
    assert!(different.len() == 1 && !different.contains(&0), "{counts:?}");
}

/// Secrets that are wrong in every way, and right ones changed by a letter.
fn wrong_secrets() -> Vec<Wrong<'static>> {
    [
        ("the first byte", "Xemo-webhook-secret", TARGET),
        ("the last byte", "demo-webhook-secreX", TARGET),
        ("every byte", "XXXXXXXXXXXXXXXXXXX", TARGET),
        ("a byte short", "demo-webhook-secre", TARGET),
        ("a byte long", "demo-webhook-secretX", TARGET),
        ("another app's, the first byte", "Xhe-secret-of-the-other-app", TARGET),
        ("another app's, the last byte", "the-secret-of-the-other-apX", TARGET),
        ("of an unknown app", "Xemo-webhook-secret", NOBODYS),
        ("of an unknown app, the last byte", "demo-webhook-secreX", NOBODYS),
    ]
    .map(|(what, secret, path)| (what, path, vec![("x-api-key", secret.to_owned())]))
    .into()
}

#[test]
fn a_wrong_secret_takes_the_same_instructions_wherever_it_is_wrong_and_for_an_unknown_app() {
    require!(installed("valgrind"));
    let body = first_message("forged", 1.0);
    same(&counted("app_by_key", &wrong_secrets(), &body));
}

#[test]
fn a_wrong_signature_takes_the_same_instructions_wherever_it_is_wrong_and_for_an_unknown_app() {
    require!(installed("valgrind"));
    let body = first_message("forged", 1.0);
    let now = jiff::Timestamp::now().as_second().to_string();
    let plain = hmac::<Sha256>(64, SECRET.as_bytes(), body.as_bytes());
    let standard = hmac::<Sha256>(64, SECRET.as_bytes(), format!("m.{now}.{body}").as_bytes());
    let (mut hubs, mut standards): (Vec<Wrong<'_>>, Vec<Wrong<'_>>) = (Vec::new(), Vec::new());
    for ((what, hub), (_, v1)) in changed(&plain).into_iter().zip(changed(&standard)) {
        let hub: String = hub.iter().map(|byte| format!("{byte:02x}")).collect();
        for path in [TARGET, NOBODYS] {
            hubs.push((what, path, vec![("x-hub-signature-256", format!("sha256={hub}"))]));
            let v1 = format!("v1,{}", STANDARD.encode(&v1));
            let headers = vec![
                ("webhook-id", "m".to_owned()),
                ("webhook-timestamp", now.clone()),
                ("webhook-signature", v1),
            ];
            standards.push((what, path, headers));
        }
    }
    same(&counted("app_by", &hubs, &body));
    same(&counted("app_by", &standards, &body));
}

/// A tag that is wrong in one place or in all.
fn changed(tag: &[u8]) -> [(&'static str, Vec<u8>); 3] {
    let with = |mask: fn(usize) -> u8| tag.iter().zip(0..).map(|(byte, at)| byte ^ mask(at)).collect();
    [
        ("the first bit", with(|at| if at == 0 { 0x80 } else { 0 })),
        ("the last bit", with(|at| u8::from(at == 31))),
        ("every bit", with(|_| 0xFF)),
    ]
}
