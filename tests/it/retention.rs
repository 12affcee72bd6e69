//! Retention deletes old rows in small steps, and the directory stays the same.

use rollcall::directory::open_reader;
use rollcall::store::readers::LaneReader as _;
use serde_json::json;

use crate::feed::api;
use crate::feed::follower::Copy;
use crate::rebuild::Rebuilt;
use crate::support::{Home, Program, first_message, until};

fn write(program: &Program, from: usize, to: usize) {
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for n in (from..to).filter(|n| n % 8 == thread) {
                    let body = first_message(&format!("user-{}", n % 40), 1_600_000_000.0 + n as f64);
                    assert_eq!(program.webhook(body).status, 200);
                }
            });
        }
    });
}

/// The compacted records and the rest of the journal are the directory.
fn is_rebuilt(home: &Home) {
    let mut reader = open_reader(&home.database()).unwrap();
    // The journal may be trimmed meanwhile.
    reader.in_one_snapshot(|reader| assert!(Rebuilt::afresh(reader).compare_all(reader) >= 40));
    let verified = home.command(&["rebuild", "--verify"]).output().unwrap();
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&[verified.stdout, verified.stderr].concat())
    );
}

/// A histogram of durations: the count, and the bounds in ms below which half and all of them are.
fn times(program: &Program, name: &str) -> (f64, [f64; 2]) {
    let text = program.admin("/metrics").text;
    let bucket = format!("rollcall_{name}_bucket{{le=\"");
    let buckets = text.lines().filter_map(|line| line.strip_prefix(&bucket)?.split_once("\"} "));
    let buckets: Vec<(f64, f64)> = buckets
        .map(|(le, count)| {
            (le.parse().unwrap_or(f64::INFINITY), count.split(' ').next().unwrap().parse().unwrap())
        })
        .collect();
    let all = buckets.last().unwrap().1;
    let below = |share: f64| buckets.iter().find(|(_, count)| *count >= all * share).unwrap().0 * 1e3;
    (all, [below(0.5), below(1.0)])
}

#[test]
fn the_journal_the_bodies_and_the_feed_are_trimmed_under_load_and_the_directory_stays() {
    let home = Home::with("[retention]\nhistory_entries = 100\nbodies_bytes = \"4KB\"\nfeed_changes = 30\n");
    let program = home.start();
    write(&program, 0, 800);
    let merge = |a: usize, b: usize| {
        let ids = json!({ "surviving": { "_id": format!("user-{a}") }, "discarded": { "_id": format!("user-{b}") } });
        assert_eq!(api(&program, "POST", "/v1/appusers/merge", &ids).status, 200);
    };
    merge(1, 2);
    merge(3, 4);
    let undo = json!({ "discarded": { "_id": "user-4" } });
    assert_eq!(api(&program, "POST", "/v1/appusers/user-3/unmerge", &undo).status, 200);
    assert_eq!(api(&program, "DELETE", "/v1/appusers/user-5", &json!({})).status, 200);
    write(&program, 800, 1600);
    until("the journal is trimmed", || home.rows("journal") <= 100);
    until("the feed is trimmed", || home.rows("changes") <= 30);
    until("the bodies are trimmed", || home.find::<i64>("SELECT sum(length(bodies)) FROM bodies") <= 4000);
    is_rebuilt(&home);
    let (commits, commit) = times(&program, "store_commit_duration_seconds");
    let (steps, step) = times(&program, "store_upkeep_duration_seconds");
    println!(
        "half and all of {commits} commits within {commit:.1?} ms, of {steps} steps within {step:.1?} ms"
    );
    assert!(steps >= 1500.0 / 8.0, "no step takes more than 8 entries: {steps}");

    let gone = program.get("/v1/changes?since=0");
    assert_eq!(gone.status, 410, "{gone:?}");
    let mut copy = Copy { seq: gone.json()["oldest"].as_u64().unwrap() - 1, ..Copy::default() };
    copy.poll(&program, 10);
    let mut copy = Copy::default();
    copy.begin(&program, 10, || {});
    copy.is_the_directory(&program);

    let before = program.get("/v1/appusers/user-1?asOf=1");
    assert_eq!(before.status, 410, "{before:?}");
    let oldest = before.json()["oldest"].as_u64().unwrap();
    let then = program.get(&format!("/v1/appusers/user-1?asOf={oldest}"));
    assert_eq!((then.status, &then.json()["appUser"]["_id"]), (200, &json!("user-1")));
    let now = program.get("/v1/appusers/user-1?include=provenance").json();
    assert_eq!(now["appUser"], program.app_user("user-1").json()["appUser"]);
    let history = program.get("/v1/appusers/user-1/history?include=body&limit=1000").json();
    assert!(history["oldest"].as_u64().unwrap() > 1500 && history["hasMore"] == false, "{history}");
    assert_eq!(history["oldestBody"], json!(oldest + 1));

    let last: i64 = home.find("SELECT max(seq) FROM journal");
    program.stop();
    let program = home.start();
    write(&program, 1600, 1610);
    assert_eq!(home.find::<i64>("SELECT max(seq) FROM journal"), last + 10, "no number is given twice");
    is_rebuilt(&home);
}

#[test]
fn expired_data_is_deleted_without_new_events() {
    let settings = "[retention]\nhistory_age = \"1s\"\nfeed_age = \"1s\"\nquarantine_age = \"1s\"\n[ingest]\nquarantine_rows = 5\n";
    let home = Home::with(settings);
    let program = home.start();
    write(&program, 0, 100);
    assert_eq!(program.webhook("nothing that can be read").status, 200);
    let seen: Vec<_> = (0..40).map(|n| program.app_user(&format!("user-{n}")).text).collect();
    for table in ["journal", "bodies", "changes", "quarantine"] {
        until(table, || home.rows(table) == 0);
    }
    let after =
        |program: &Program| (0..40).map(|n| program.app_user(&format!("user-{n}")).text).collect::<Vec<_>>();
    assert_eq!(after(&program), seen);
    is_rebuilt(&home);
    program.stop();
    let program = home.start();
    assert_eq!(after(&program), seen);
    write(&program, 0, 1);
    let reader = open_reader(&home.database()).unwrap();
    assert!(reader.compaction_point().unwrap().oldest > 100, "no number is given twice");
}
