//! Exports as jobs, and their files.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{job, parts, people, post, run, start};
use crate::console::ask;
use crate::storage_faults::Mounted;
use crate::support::{APP, Answer, Home, KEY_ID, KEY_SECRET, Program, basic, request, require, until};

fn file(program: &Program, job: &Value) -> Answer {
    ask(program, "GET", &format!("/jobs/{}/file", job["id"]), "")
}

fn folder(home: &Home) -> PathBuf {
    home.path().join("rollcall.db-exports")
}

/// The stream of a list, without its chunks.
fn stream(program: &Program, accept: &str, filter: &str) -> String {
    let path = format!("/v1/apps/{APP}/appusers?{filter}");
    let answer = request(program.admin, "GET", &path, &[("accept", accept)], b"").unwrap();
    let (mut text, mut rest) = (String::new(), answer.text.as_str());
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        text.push_str(&after[..length]);
        rest = &after[length + 2..];
    }
    text
}

#[test]
fn the_file_is_what_the_stream_of_the_list_is() {
    let home = Home::new();
    let program = home.start();
    people(&program, 1200);
    for (format, accept) in [("ndjson", "application/x-ndjson"), ("csv", "text/csv")] {
        let exported = run(&program, "export", "property.plan=gold", json!({ "format": format }));
        assert_eq!((&exported["state"], parts(&exported)), (&json!("done"), [600, 0, 600]), "{exported}");
        assert!(exported["fileUntil"].is_string(), "{exported}");
        let answer = file(&program, &exported);
        assert_eq!(answer.status, 200);
        assert!(answer.text == stream(&program, accept, "property.plan=gold&sort=_id"), "{format}");
        let name = format!("attachment; filename=\"appusers-{APP}.{format}\"");
        assert_eq!(answer.header("content-disposition"), Some(&*name));
        assert_eq!(answer.header("content-security-policy"), Some("sandbox"));
        let path = folder(&home).join(exported["id"].to_string());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(folder(&home).metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let told = ask(&program, "GET", "/audit?action=export&limit=9", "").json()["entries"].clone();
    let details: Vec<&str> =
        told.as_array().unwrap().iter().map(|entry| entry["detail"].as_str().unwrap()).collect();
    assert!(details.contains(&"job 2: export") && details.contains(&"file of job 2"), "{details:?}");
    let sent = told.as_array().unwrap().iter().find(|entry| entry["detail"] == "file of job 2").unwrap();
    assert_eq!((&sent["outcome"], &sent["count"]), (&json!("done"), &json!(600)), "{sent}");
    let nobody = run(&program, "export", "userId=nobody", json!({}));
    assert_eq!((parts(&nobody), file(&program, &nobody).text.as_str()), ([0, 0, 0], ""));
}

#[test]
fn an_export_goes_on_after_a_kill_and_has_everybody_once() {
    let home = Home::new();
    let mut program = home.start();
    people(&program, 3000);
    let id = start(&program, "export", "", json!({})).json()["id"].clone();
    for wanted in [500, 1500] {
        until("some progress", || job(&program, &id)["done"].as_u64().unwrap() >= wanted);
        program.kill();
        // What was written behind the last step is overwritten.
        let path = folder(&home).join(id.to_string());
        let mut text = std::fs::read(&path).unwrap();
        text.extend(b"half a lin");
        std::fs::write(&path, text).unwrap();
        program = home.start();
    }
    until("the end of the job", || job(&program, &id)["state"] != "running");
    let exported = job(&program, &id);
    assert_eq!(parts(&exported), [3000, 0, 3000], "{exported}");
    assert!(file(&program, &exported).text == stream(&program, "application/x-ndjson", "sort=_id"));
}

#[test]
fn an_erasure_deletes_the_files_and_a_cancelled_job_leaves_none() {
    let home = Home::new();
    let program = home.start();
    people(&program, 20);
    let exported = run(&program, "export", "", json!({}));
    assert_eq!(file(&program, &exported).status, 200);
    let erase = |id: &str| {
        let key = basic(KEY_ID, KEY_SECRET);
        let erased = program.request(
            "DELETE",
            &format!("/v1/appusers/{id}?erase=true"),
            &[("authorization", &key)],
            b"",
        );
        assert_eq!(erased.status, 200, "{erased:?}");
    };
    erase("u00003");
    assert_eq!(file(&program, &exported).status, 410);
    assert!(!folder(&home).exists(), "the receipt says that it is complete");
    assert!(job(&program, &exported["id"]).get("fileUntil").is_none());
    let again = run(&program, "export", "", json!({}));
    assert_eq!(parts(&again), [19, 0, 19]);
    assert!(!file(&program, &again).text.contains("u00003"));
    people(&program, 3000);
    let long = start(&program, "export", "", json!({})).json();
    until("a file", || folder(&home).join(long["id"].to_string()).exists());
    let cancelled = ask(&program, "DELETE", &format!("/jobs/{}", long["id"]), "").json();
    if cancelled["state"] == "cancelled" {
        assert_eq!(file(&program, &long).status, 410);
        until("its file is deleted", || !folder(&home).join(long["id"].to_string()).exists());
    }
    assert_eq!(post(&program, "/quarantine/drop", &json!({ "filter": {}, "expect": 0 })).status, 202);
    let other = ask(&program, "GET", "/jobs?limit=1", "").json()["jobs"][0].clone();
    assert_eq!(file(&program, &other).status, 404, "a job of another kind has no file");
}

/// An export that runs while somebody is erased begins again.
#[test]
fn nobody_erased_is_in_the_file_of_a_running_export() {
    let home = Home::new();
    let program = home.start();
    people(&program, 4000);
    let id = start(&program, "export", "", json!({})).json()["id"].clone();
    until("some progress", || job(&program, &id)["done"].as_u64().unwrap() >= 500);
    let key = basic(KEY_ID, KEY_SECRET);
    let erased = program.request("DELETE", "/v1/appusers/u00001?erase=true", &[("authorization", &key)], b"");
    assert_eq!(erased.status, 200, "{erased:?}");
    until("the end of the job", || job(&program, &id)["state"] != "running");
    let answer = file(&program, &job(&program, &id));
    // If the job had ended before, the file is gone.
    assert!(answer.status == 410 || answer.text.lines().count() == 3999, "{}", answer.status);
    assert!(!answer.text.contains("\"u00001\""));
}

/// What is not a file of this program is neither written through nor deleted, and does not hold up the next job.
#[test]
fn a_folder_that_is_not_ours_ends_the_export_with_the_reason() {
    let home = Home::new();
    let program = home.start();
    people(&program, 3);
    std::fs::write(folder(&home), "no folder").unwrap();
    let failed = run(&program, "export", "", json!({}));
    assert_eq!(failed["state"], "failed", "{failed}");
    let why = failed["result"]["error"]["description"].as_str().unwrap();
    assert!(why.contains("is no folder"), "{why}");
    std::fs::remove_file(folder(&home)).unwrap();
    std::fs::create_dir(folder(&home)).unwrap();
    std::fs::write(folder(&home).join("notes.txt"), "mine").unwrap();
    let precious = home.path().join("precious");
    std::fs::write(&precious, "precious").unwrap();
    std::os::unix::fs::symlink(&precious, folder(&home).join("2")).unwrap();
    assert_eq!(run(&program, "export", "", json!({}))["state"], "failed");
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
    let done = run(&program, "export", "", json!({}));
    assert_eq!(folder(&home).metadata().unwrap().permissions().mode() & 0o777, 0o700);
    std::fs::write(folder(&home).join(done["id"].to_string()), "cut").unwrap();
    assert_eq!(file(&program, &done).status, 410);
    assert!(folder(&home).join("notes.txt").exists());
}

/// The export waits for room on its disk; cancelled meanwhile, it ends, and the next job runs.
#[test]
fn an_export_that_waits_for_room_can_be_cancelled() {
    let home = Home::new();
    let _disk =
        require!(Mounted::at(&home, "rollcall.db-exports", &["-t", "tmpfs", "-o", "size=64k", "tmpfs"]));
    let program = home.start();
    people(&program, 2000);
    let id = start(&program, "export", "", json!({})).json()["id"].clone();
    program.wait_for_log("the file of an export cannot be written");
    assert_eq!(job(&program, &id)["state"], "running");
    let cancelled = ask(&program, "DELETE", &format!("/jobs/{id}"), "").json();
    assert_eq!(cancelled["state"], "cancelled", "{cancelled}");
    let next = run(&program, "setProperty", "property.plan=gold", json!({ "property": "p", "value": 1 }));
    assert_eq!(parts(&next), [1000, 0, 1000], "{next}");
}
