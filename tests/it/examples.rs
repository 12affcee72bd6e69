//! The consumers of the change feed in `examples/`: the copy of each equals the directory, also after a kill, and
//! after another database is served.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::feed::api;
use crate::support::{Home, KEY_ID, KEY_SECRET, Program, first_message, installed, require, until};

/// More than a page of the snapshot.
const USERS: usize = 130;

/// A consumer, the file of its copy, and how a test reads that.
struct Example {
    interpreter: &'static str,
    script: &'static str,
    file: PathBuf,
    read: fn(&Path) -> Option<BTreeMap<String, Value>>,
}

/// A running consumer. Killed when dropped.
struct Consumer(Child);

impl Drop for Consumer {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

impl Example {
    fn start(&self, program: &Program) -> Consumer {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(self.script);
        let mut command = Command::new(self.interpreter);
        command.arg(script).arg(&self.file);
        command.env("ROLLCALL_URL", format!("http://{}", program.listen));
        command.env("ROLLCALL_KEY_ID", KEY_ID).env("ROLLCALL_KEY_SECRET", KEY_SECRET);
        let log = File::create(self.log()).unwrap();
        Consumer(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    fn log(&self) -> PathBuf {
        self.file.with_extension("log")
    }

    /// The output of the consumer that was started last.
    fn printed(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap()
    }

    fn equals(&self, program: &Program) {
        let of_id = |user: Value| (user["_id"].as_str().unwrap().to_owned(), user);
        let directory = program.all_app_users().into_iter().map(of_id).collect();
        until("a copy that equals the directory", || (self.read)(&self.file).as_ref() == Some(&directory));
    }

    fn keeps_the_directory(&self) {
        let first_home = Home::new();
        let program = first_home.start();
        let sighted = |program: &Program, id: &str| {
            assert_eq!(program.webhook(first_message(id, 1_444_348_338.0)).status, 200);
        };
        let call = |method: &str, path: &str, body: Value| {
            let answer = api(&program, method, path, &body);
            assert!(answer.status < 300, "{answer:?}");
        };
        (0..USERS).for_each(|n| sighted(&program, &format!("user-{n}")));
        let consumer = self.start(&program);
        self.equals(&program);

        let name = json!({ "givenName": "Zoë", "properties": { "a\"b": 1 } });
        call("PUT", "/v1/appusers/user-2", name);
        let merge = json!({ "surviving": { "_id": "user-0" }, "discarded": { "_id": "user-1" } });
        call("POST", "/v1/appusers/merge", merge);
        call("DELETE", "/v1/appusers/user-3", json!({}));
        call("DELETE", "/v1/appusers/user-4?erase=true", json!({}));
        sighted(&program, "afterwards");
        self.equals(&program);

        drop(consumer);
        call("DELETE", "/v1/appusers/user-5", json!({}));
        sighted(&program, "while the consumer was down");
        let consumer = self.start(&program);
        self.equals(&program);
        assert!(!self.printed().contains("snapshot"), "it continues at its cursor: {}", self.printed());

        drop(consumer);
        program.stop();
        let program = Home::new().start();
        sighted(&program, "of another database");
        let _consumer = self.start(&program);
        self.equals(&program);
        assert!(self.printed().contains("410"), "{}", self.printed());
    }
}

#[test]
fn the_consumer_in_python_keeps_the_directory() {
    require!(installed("python3"));
    let folder = tempfile::tempdir().unwrap();
    let read = |file: &Path| {
        let copy = rusqlite::Connection::open(file).ok()?;
        let mut rows = copy.prepare("SELECT id, json FROM users").ok()?;
        let user = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?));
        let users = rows.query_map([], user).ok()?.collect::<Result<Vec<_>, _>>().ok()?;
        Some(users.into_iter().map(|(id, json)| (id, serde_json::from_str(&json).unwrap())).collect())
    };
    let file = folder.path().join("copy.db");
    Example { interpreter: "python3", script: "follow.py", file, read }.keeps_the_directory();
}

#[test]
fn the_consumer_in_node_keeps_the_directory() {
    require!(installed("node"));
    let folder = tempfile::tempdir().unwrap();
    let read = |file: &Path| {
        let copy: Value = serde_json::from_slice(&std::fs::read(file).ok()?).unwrap();
        serde_json::from_value(copy["users"].clone()).ok()
    };
    let file = folder.path().join("copy.json");
    Example { interpreter: "node", script: "follow.mjs", file, read }.keeps_the_directory();
}
