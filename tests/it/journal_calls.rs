//! The journal and the quarantine over HTTP, for operators.

mod apps;
mod bodies;
mod cursors;
mod entries;
mod lists;
mod many;
mod operators;
mod tail;

use serde_json::{Value, json};

use crate::support::{APP, Answer, Home, Program, basic, first_message, proof_of, request};

/// A second app, with its webhook secret and its key.
pub const OTHER: &str = "other";
const OTHER_SECRET: &str = "the-secret-of-the-other";
const OTHER_KEY: &str = "the-key-secret-of-the-other";

/// Two apps.
pub fn two_apps(more: &str) -> Home {
    Home::with(&format!(
        "{more}\n[[apps]]\nid = \"{APP}\"\napp_token = \"demo-app-token\"\nwebhook_secrets = [\"demo-webhook-secret\"]\n\
         keys = [{{ id = \"app_demo\", secret = \"demo-key-secret-change-me\" }}]\n\
         [[apps]]\nid = \"{OTHER}\"\nwebhook_secrets = [\"{OTHER_SECRET}\"]\n\
         keys = [{{ id = \"other_key\", secret = \"{OTHER_KEY}\" }}]\n"
    ))
}

/// A webhook of the other app.
pub fn webhook_of_other(program: &Program, body: &str) {
    let body = body.replace(APP, OTHER);
    let answer = program.request("POST", "/webhooks", &[("x-api-key", OTHER_SECRET)], body.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// A call to the users API of the other app, as JSON.
pub fn api_of_other(program: &Program, method: &str, path: &str, body: &Value) -> Value {
    let key = basic("other_key", OTHER_KEY);
    let answer = program.request(method, path, &[("authorization", &key)], body.to_string().as_bytes());
    assert!(answer.status < 300, "{path}: {answer:?}");
    answer.json()
}

/// A message of an app user, stored.
pub fn message(program: &Program, id: &str, n: usize) {
    assert_eq!(program.webhook(first_message(id, 1_600_000_000.0 + n as f64)).status, 200);
}

/// A GET to the admin listener, answered 200.
pub fn ok(program: &Program, path: &str) -> Value {
    let answer = program.admin(path);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

/// The numbers of a list, page after page, and how many entries were looked at.
pub fn all(program: &Program, path: &str, of: &str) -> (Vec<u64>, u64) {
    let (mut seqs, mut looked, mut after) = (Vec::new(), 0, String::new());
    loop {
        let page = ok(program, &format!("{path}{after}"));
        seqs.extend(page[of].as_array().unwrap().iter().map(|one| one["seq"].as_u64().unwrap()));
        looked += page["looked"].as_u64().unwrap();
        assert_eq!(page["hasMore"], json!(page.get("after").is_some()), "{page}");
        let Some(next) = page["after"].as_str() else { return (seqs, looked) };
        let next = format!("&after={next}");
        assert_ne!(after, next, "the list goes on");
        after = next;
    }
}

/// A request to the admin listener whose answer is read byte for byte: its head, and its body.
pub fn bytes(program: &Program, path: &str) -> (Answer, Vec<u8>) {
    // The same, as text, checked against the document.
    let answer = request(program.admin, "GET", path, &[], b"").unwrap();
    let (host, proof) = (program.admin, proof_of(program.admin).unwrap());
    let line =
        format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: {proof}\r\nconnection: close\r\n\r\n");
    let raw = crate::support::raw(program.admin, line.as_bytes()).unwrap();
    let at = raw.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    (answer, raw[at..].to_vec())
}
