//! Each sequence ends as in the table in `fixtures/README.md`, in any order and with any repetition.

use serde_json::{Value, json};

use super::{lines, picture};
use crate::support::{Home, Program, files, fixtures};

/// A sequence; the final list, each app user with every name that resolves to it; and the names that resolve to
/// `None`.
type Story = (&'static str, &'static [(&'static [&'static str], &'static str)], &'static [&'static str]);

const STORIES: [Story; 16] = [
    (
        "first-message",
        &[(
            &["5638fb7092b92162bf16609c"],
            r#"{"name":"Ottilie Brack","properties":{},"clients":["messenger 5638fb709d597dd74102b9df active"]}"#,
        )],
        &[],
    ),
    (
        "retry",
        &[(
            &["57f0b3c112f825680c91c411", "retry-1408"],
            r#"{"userId":"retry-1408","name":"Leopold","properties":{"plan":"starter"},
                "clients":["* aed6c8e0c84d428b6dbcd5345aaa29aa active"]}"#,
        )],
        &[],
    ),
    (
        "identify",
        &[(
            &["583fe6900b2fd55b11c57352", "brigida.tamm@example.com"],
            r#"{"userId":"brigida.tamm@example.com","email":"brigida.tamm@example.com","name":"Brígida",
                "properties":{"newsletter":true},"clients":["web 8d0bc361b4027814461e3b4644dfc2ec active"]}"#,
        )],
        &[],
    ),
    (
        "return",
        &[(
            &["587cbccd2dca9173c75295e0", "harald.ness@example.org"],
            r#"{"userId":"harald.ness@example.org","name":"Harald Ness",
                "properties":{"bike":"tourer","serviced":"2017-02"},
                "clients":["messenger 58aaa200c06d1a3ee206fc70 active",
                           "ios E14E02FA-5021-844A-3E4E-A0C9927B9E7D active"]}"#,
        )],
        &[],
    ),
    (
        "merge-then-late-event",
        &[(
            &["5819b9201c0df55f66b1de69", "581cc3401c8feca071633bd9", "tomasz.wrona@example.com"],
            r#"{"userId":"tomasz.wrona@example.com","name":"Tomasz","email":"tomasz@example.org",
                "properties":{"cart":"2 items","plan":"family"},
                "clients":["web 49e4c2f90782759fb365c0a4c645f440 active",
                           "web dcf7d772555fc9972ca37a24772688d6 active"]}"#,
        )],
        &[],
    ),
    (
        "merge-before-sight",
        &[(
            &["58e201001795c90837d79077", "58e55d645f889ae331b57010", "member-20417"],
            r#"{"userId":"member-20417","name":"Sigrid Aune","properties":{"club":"north","invitedBy":"poster"},
                "clients":["telegram 58e55d6441aac5f1b1c5610d active","android 6a51d77dcbd73bc3 active"]}"#,
        )],
        &[],
    ),
    (
        "merge-chain",
        &[(
            &[
                "603c9f0005bbc2895678638d",
                "603f420022006318e5d1d735",
                "603df0808f972d19e7c7931e",
                "noemi.sartori@example.com",
            ],
            r#"{"userId":"noemi.sartori@example.com","name":"Noemi Sartori","email":"noemi@example.org",
                "properties":{"tier":"gold","city":"Faro","referrer":"newsletter"},"clients":[]}"#,
        )],
        &[],
    ),
    (
        "merge-cycle",
        &[(
            &["60b5e90034ed06f2e1497088", "60b73a8091833346e4e297e6", "cycle-one"],
            r#"{"userId":"cycle-one","name":"Edda","properties":{"seat":"12A","meal":"vegan"},"clients":[]}"#,
        )],
        &[],
    ),
    (
        "removal",
        &[],
        &["5d6cf6308f7dbda95b4be1b6", "lucjan.marek@example.org", "620a36306781c424f2921ace", "removal-7713"],
    ),
    (
        "removal-then-merge",
        &[(
            &["6427d67095ec48bbfcad0e60", "agathe.pohl@example.org"],
            r#"{"userId":"agathe.pohl@example.org","name":"Agathe","properties":{"shop":"Bremen"},"clients":[]}"#,
        )],
        &["642927f08e52aacfd81e23e4"],
    ),
    ("removal-takes-merged", &[], &["649fcef0565f2b29ba27b661", "64a120704f69d56a5d7332a0", "taken-3300"]),
    (
        "shared-device",
        &[
            (
                &["56af1e9034cc10219cd21b8b", "elin.storm@example.com"],
                r#"{"userId":"elin.storm@example.com","name":"Elin","properties":{},
                    "clients":["android 5cf190975f24f8d2 active"]}"#,
            ),
            (
                &["56b07010a52227f687908f1d", "jorn.storm@example.com"],
                r#"{"userId":"jorn.storm@example.com","name":"Jørn","properties":{},
                    "clients":["messenger 56b46490e947409c6af979ac active","android 5cf190975f24f8d2 inactive"]}"#,
            ),
        ],
        &[],
    ),
    (
        "cleared-fields",
        &[(
            &["59a8f760fbf02ca0fe7fdb95", "cleared-0088"],
            r#"{"userId":"cleared-0088","name":"Saga Wrede","properties":{"plan":"studio"},
                "clients":["web d80fe7814365c2961a36f6e038bed179 active"]}"#,
        )],
        &[],
    ),
    (
        "across-versions",
        &[(
            &["591079e0c59501bbd953cdac", "ines.calvo@example.org"],
            r#"{"userId":"ines.calvo@example.org","email":"ines.calvo@example.org","name":"Inés Calvo Rey",
                "properties":{"plan":"growth","seats":12},
                "clients":["telegram 591079e073982bd2367cc5c3 active","whatsapp 6025002087dd59f55b21abcb active"]}"#,
        )],
        &[],
    ),
    (
        "out-of-order",
        &[(
            &["5731b12036f76ee878049361", "order-5150"],
            r#"{"userId":"order-5150","email":"ragnhild.moe@example.com","name":"Ragnhild Moe",
                "properties":{"plan":"gold","seats":4},"clients":["web 191184fa891ccb820910065a592a59b8 active"]}"#,
        )],
        &[],
    ),
    (
        "v2-batch",
        &[
            (
                &["659cfd00bee19b60afb0ff5d", "659cfd14f33722968dbafdb2", "batch-x-41"],
                r#"{"userId":"batch-x-41","name":"Xaver","properties":{"team":"red"},
                    "clients":["line 659cfd14c59984eb1c772918 active"]}"#,
            ),
            (
                &["659cfd0acceb0f0bc0514b37", "batch-y-42"],
                r#"{"userId":"batch-y-42","name":"Yrsa Dahl-Berg","properties":{"team":"green"},"clients":[]}"#,
            ),
        ],
        &[],
    ),
];

/// A user in the terms of the table.
fn in_words(user: &Value) -> Value {
    let mut words = json!({ "properties": user["properties"] });
    let name: Vec<&str> = ["givenName", "surname"].iter().filter_map(|key| user[*key].as_str()).collect();
    words["name"] = name.join(" ").into();
    for key in ["userId", "email"] {
        if let Some(value) = user.get(key) {
            words[key] = value.clone();
        }
    }
    let client = |client: &Value| {
        let active = if client["active"] == true { "active" } else { "inactive" };
        let text = |key: &str| client[key].as_str().unwrap().to_owned();
        // The table does not name the channel of one.
        let id = text("id");
        let platform = if id.starts_with("aed6c8e0") { "*".to_owned() } else { text("platform") };
        format!("{platform} {id} {active}")
    };
    words["clients"] = user["clients"].as_array().unwrap().iter().map(client).collect();
    words
}

fn check(program: &Program, (name, users, nobody): &Story, how: &str) {
    let mut ids = Vec::new();
    for (names, expected) in *users {
        let expected: Value = serde_json::from_str(expected).unwrap();
        for by in *names {
            let answer = program.app_user(by);
            assert_eq!(answer.status, 200, "{name}, {how}: {by}");
            let user = &answer.json()["appUser"];
            assert_eq!(user["_id"], names[0], "{name}, {how}: {by}");
            assert_eq!(user["conversationStarted"], true, "{name}, {how}");
            assert_eq!(in_words(user), expected, "{name}, {how}: {by}");
        }
        ids.push(names[0].to_owned());
    }
    for by in *nobody {
        assert_eq!(program.app_user(by).status, 404, "{name}, {how}: {by}");
    }
    ids.sort();
    let listed: Vec<String> =
        program.all_app_users().iter().map(|user| user["_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, ids, "{name}, {how}: nobody else is in the list");
}

fn story(name: &str) -> Vec<String> {
    lines(&fixtures().join(format!("sequences/{name}.jsonl")))
}

/// Plays every story in its own order and checks the end.
fn play(how: &str, order: impl Fn(Vec<String>) -> Vec<String>) {
    for entry in &STORIES {
        let home = Home::new();
        let program = home.start();
        for line in order(story(entry.0)) {
            let answer = program.webhook(&line);
            assert_eq!((answer.status, &*answer.text), (200, "{}"), "{}, {how}", entry.0);
        }
        assert_eq!(home.rows("quarantine"), 0, "{}, {how}", entry.0);
        check(&program, entry, how);
    }
}

#[test]
fn the_table_has_a_line_for_every_sequence() {
    let mut told: Vec<&str> = STORIES.iter().map(|story| story.0).collect();
    told.sort_unstable();
    let files = files(&fixtures().join("sequences"), "jsonl");
    let mut files: Vec<&str> = files.iter().map(|path| path.file_stem().unwrap().to_str().unwrap()).collect();
    files.sort_unstable();
    assert_eq!(told, files);
}

#[test]
fn every_sequence_ends_as_in_the_table() {
    play("forwards", |lines| lines);
}

#[test]
fn every_sequence_sent_backwards_ends_as_in_the_table() {
    play("backwards", |lines| lines.into_iter().rev().collect());
}

#[test]
fn every_sequence_with_each_line_doubled_ends_as_in_the_table() {
    play("doubled", |lines| lines.into_iter().flat_map(|line| [line.clone(), line]).collect());
}

#[test]
fn all_sequences_on_eight_concurrent_connections_show_the_same_as_in_sequence() {
    let all: Vec<String> = STORIES.iter().flat_map(|entry| story(entry.0)).collect();
    let (one, many) = (Home::new(), Home::new());
    let (serial, parallel) = (one.start(), many.start());
    all.iter().for_each(|line| assert_eq!(serial.webhook(line).status, 200));
    std::thread::scope(|scope| {
        for n in 0..8 {
            let (all, parallel) = (&all, &parallel);
            scope.spawn(move || {
                for line in all.iter().skip(n).step_by(8) {
                    assert_eq!(parallel.webhook(line).status, 200);
                }
            });
        }
    });
    assert_eq!(picture(&many, &parallel), picture(&one, &serial));
}

#[test]
fn a_retry_is_one_journal_entry_and_so_is_an_event_in_two_batches() {
    for (name, entries) in [("retry", 1), ("v2-batch", 9)] {
        let home = Home::new();
        let program = home.start();
        let bodies = story(name);
        bodies.iter().for_each(|line| assert_eq!(program.webhook(line).status, 200));
        let sent: i64 = bodies.iter().map(|body| super::events(body)).sum();
        assert!(sent > entries, "{name}: something is sent twice");
        assert_eq!(home.rows("journal"), entries, "{name}");
    }
}

/// The details of the table: further members of clients and users.
#[test]
fn clients_show_when_they_were_last_seen_and_by_which_name() {
    let home = Home::new();
    let program = home.start();
    STORIES.iter().flat_map(|entry| story(entry.0)).for_each(|line| drop(program.webhook(line)));
    let client = |user: &str, id: &str| -> Value {
        let user = program.app_user(user).json();
        let clients = user["appUser"]["clients"].as_array().unwrap().clone();
        clients.into_iter().find(|client| client["id"] == id).unwrap()
    };
    for (user, id, key, value) in [
        (
            "tomasz.wrona@example.com",
            "49e4c2f90782759fb365c0a4c645f440",
            "lastSeen",
            "2016-11-05T19:29:00.000Z",
        ),
        ("member-20417", "58e55d6441aac5f1b1c5610d", "lastSeen", "2017-04-06T09:59:00.000Z"),
        ("elin.storm@example.com", "5cf190975f24f8d2", "lastSeen", "2016-02-04T18:30:01.000Z"),
        ("ines.calvo@example.org", "591079e073982bd2367cc5c3", "lastSeen", "2019-03-19T08:30:01.000Z"),
        ("ines.calvo@example.org", "591079e073982bd2367cc5c3", "displayName", "Inés Calvo"),
    ] {
        assert_eq!(client(user, id)[key], value, "{user}: {id}: {key}");
    }
    let user = program.app_user("ines.calvo@example.org").json();
    assert_eq!(user["appUser"]["signedUpAt"], "2017-05-08T14:00:00.000Z");
}
