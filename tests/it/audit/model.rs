//! Random acts through the real program, which is killed between and during them: each change of the journal and of the
//! quarantine has exactly one entry, and no entry is without a change.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use serde_json::{Value, json};

use super::{admin, api, create};
use crate::crash::traffic::Rng;
use crate::support::{APP, Home, KEY_ID, Program, first_message, request};

/// In every value of a profile, in every name and in every body.
const CANARY: &str = "canary7b1d";

/// What the acts of a run are about.
struct Acts {
    rng: Rng,
    made: u64,
    ids: Vec<String>,
}

impl Acts {
    fn id(&mut self) -> String {
        let at = self.rng.below(self.ids.len() as u64) as usize;
        self.ids[at].clone()
    }

    fn name(&mut self) -> String {
        self.made += 1;
        format!("{CANARY}-{}", self.made)
    }

    /// Does something. Its answer does not matter: the database says what came of it.
    fn act(&mut self, program: &Program) {
        let (ann, bob, name) = (self.id(), self.id(), self.name());
        let path = format!("/v1/appusers/{ann}");
        let profile = json!({ "givenName": name, "email": format!("{name}@example.org"), "properties": { &name: name } });
        let body = self.rng.below(40) + 1;
        match self.rng.below(14) {
            0 | 1 => self.ids.push(create(program, &name)),
            2 | 3 => _ = api(program, "PUT", &path, &profile, &[]),
            4 => _ = api(program, "DELETE", &path, &json!({}), &[]),
            5 => _ = api(program, "DELETE", &format!("{path}?erase=true"), &json!({}), &[]),
            6 | 7 => {
                let merge = json!({ "surviving": { "_id": ann }, "discarded": { "_id": bob } });
                _ = api(program, "POST", "/v1/appusers/merge", &merge, &[]);
            }
            8 => {
                _ = api(
                    program,
                    "POST",
                    &format!("{path}/unmerge"),
                    &json!({ "discarded": { "_id": bob } }),
                    &[],
                );
            }
            9 => {
                let once = [("idempotency-key", name.as_str())];
                let event = json!({ "name": name, "appUser": profile });
                for _ in 0..2 {
                    _ = api(program, "POST", &format!("{path}/events"), &event, &once);
                }
            }
            10 => {
                let lines = [&ann, &bob, &self.rng.id()].map(|id| {
                    json!({ "_id": id, "givenName": name, "properties": { "a": name } }).to_string()
                });
                _ = admin(program, "POST", &format!("/import?app={APP}"), &lines.join("\n"));
            }
            11 => {
                _ = program.webhook(first_message(&ann, self.made as f64));
                _ = program.webhook(format!("{{\"trigger\":\"conversation:start\",\"of\":\"{name}\"}}"));
            }
            12 => _ = admin(program, "POST", &format!("/quarantine/{body}/redrive"), "{}"),
            _ => _ = admin(program, "DELETE", &format!("/quarantine/{body}"), "{}"),
        }
    }
}

/// Creates from several connections, until the program dies at work.
fn dies_at_work(home: &Home, program: Program, round: u64) {
    let to = program.listen;
    thread::scope(|scope| {
        for n in 0..4 {
            scope.spawn(move || {
                let key = crate::support::basic(KEY_ID, crate::support::KEY_SECRET);
                let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
                let post = |count: u64| {
                    let body = json!({ "userId": format!("{CANARY} {round} {n} {count}") }).to_string();
                    request(to, "POST", "/v1/appusers", &headers, body.as_bytes())
                };
                (0..).map(post).find(Result::is_err)
            });
        }
        let before = home.rows("audit");
        crate::support::until("it is at work", || home.rows("audit") > before + (round % 8) as i64);
        program.kill();
    });
}

fn numbers(text: &str) -> Vec<u64> {
    serde_json::from_str(text).unwrap()
}

/// Compares the log with the journal and the quarantine.
fn check(home: &Home) {
    let sql = home.sql();
    let mut entries = sql.prepare("SELECT seq, source, trigger, users FROM journal").unwrap();
    let entries = entries
        .query_map([], |row| Ok((row.get::<_, i64>(0)? as u64, (row.get(1)?, row.get(2)?, row.get(3)?))));
    let entries: BTreeMap<u64, (String, String, String)> = entries.unwrap().map(Result::unwrap).collect();
    let mut gaps = sql.prepare("SELECT first, last FROM gaps").unwrap();
    let gaps = gaps.query_map([], |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64)));
    let gaps: Vec<(u64, u64)> = gaps.unwrap().map(Result::unwrap).collect();
    let mut log =
        sql.prepare("SELECT seq, action, how, who, ids, entries, bodies, count, outcome FROM audit").unwrap();
    let mut rows = log.query([]).unwrap();
    let (mut told, mut bodies, mut last) = (BTreeMap::new(), BTreeMap::new(), 0);
    while let Some(row) = rows.next().unwrap() {
        let text = |n: usize| row.get::<_, Option<String>>(n).unwrap().unwrap_or_default();
        let (seq, action, ids) = (row.get::<_, i64>(0).unwrap(), text(1), text(4));
        assert_eq!(seq, last + 1, "numbers have no gaps");
        last = seq;
        let (of, held) = (numbers(&text(5)), numbers(&text(6)));
        let ids: BTreeSet<String> = serde_json::from_str(&ids).unwrap();
        for entry in &of {
            assert!(told.insert(*entry, action.clone()).is_none(), "entry {entry} is told twice");
            let erased = gaps.iter().any(|(first, last)| (*first..=*last).contains(entry));
            let Some((source, trigger, users)) = entries.get(entry) else {
                assert!(erased, "{action} tells entry {entry}, which there is not");
                continue;
            };
            let users: Vec<(String, Option<u64>)> = serde_json::from_str(users).unwrap();
            assert!(users.iter().all(|(id, _)| id.is_empty() || ids.contains(id)), "{ids:?}: {users:?}");
            match action.as_str() {
                "redrive" => assert_ne!(source, "api"),
                action => {
                    assert_eq!((source != "webhook", trigger.as_str()), (true, &*format!("api:{action}")));
                }
            }
        }
        match action.as_str() {
            "redrive" | "drop" => {
                assert_eq!((held.len(), text(2)), (1, "command".to_owned()));
                if action == "drop" || text(8) == "done" {
                    assert!(bodies.insert(held[0], action).is_none(), "body {held:?} left twice");
                }
            }
            "import" => assert!(!of.is_empty() && row.get::<_, i64>(7).unwrap() == of.len() as i64),
            _ => assert_eq!((of.len(), text(2), text(3)), (1, "api".to_owned(), KEY_ID.to_owned())),
        }
    }
    for (seq, (source, trigger, _)) in &entries {
        assert!(source != "api" || told.contains_key(seq), "entry {seq}, {trigger}, is not told");
    }
    let mut held = sql.prepare("SELECT seq FROM quarantine").unwrap();
    let held: BTreeSet<u64> =
        held.query_map([], |row| Ok(row.get::<_, i64>(0)? as u64)).unwrap().map(Result::unwrap).collect();
    let ever: i64 = sql
        .query_row(
            "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'quarantine'), 0)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    for body in 1..=ever as u64 {
        assert_eq!(!held.contains(&body), bodies.contains_key(&body), "body {body}: {bodies:?}");
    }
}

fn everything_told(home: &Home) -> String {
    let sql = home.sql();
    let mut select = sql.prepare("SELECT * FROM audit").unwrap();
    let columns = select.column_count();
    let mut rows = select.query([]).unwrap();
    let mut all = String::new();
    while let Some(row) = rows.next().unwrap() {
        (0..columns).for_each(|n| all.push_str(&format!("{:?} ", row.get_ref(n).unwrap())));
        for n in 0..columns {
            if let Ok(text) = row.get::<_, String>(n) {
                all.push_str(&text);
            }
        }
    }
    all
}

#[test]
fn each_change_has_one_entry_and_none_is_without_a_change() {
    for seed in [1, 2, 3] {
        let home = Home::new();
        let mut acts = Acts { rng: Rng(seed), made: 0, ids: Vec::new() };
        let mut program = home.start();
        for _ in 0..4 {
            let name = acts.name();
            acts.ids.push(create(&program, &name));
        }
        for _ in 0..6 {
            (0..20).for_each(|_| acts.act(&program));
            match acts.rng.below(3) {
                0 => _ = program.stop(),
                1 => program.kill(),
                _ => dies_at_work(&home, program, acts.rng.next()),
            }
            program = home.start();
            check(&home);
        }
        let told = everything_told(&home);
        assert!(!told.contains(CANARY), "seed {seed}: a value of a profile is in the log");
        assert!(told.contains("erase") && told.contains("import") && told.contains("merge"), "seed {seed}");
        let pages: Vec<Value> = super::log(&program, "");
        assert_eq!(pages.len() as i64, home.rows("audit"), "seed {seed}");
    }
}
