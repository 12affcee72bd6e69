//! What operators ask.

use serde_json::{Value, json};

use super::{Members, api};
use crate::console::{self, masking};
use crate::support::{APP, Home, KEY_ID, KEY_SECRET, first_message, request, signed_with, until};

/// Calls of operators: one that sees no values of people, and the change of one in the history.
pub(super) fn ask_as_operators(members: &mut Members) {
    let program = masking::seeded();
    let bob = format!("/v1/apps/{APP}/appusers/{}", masking::BOB);
    members.answered("deleteProfile", &console::ask(&program, "DELETE", &format!("{bob}/profile"), ""));
    members.answered("listHistory", &console::ask(&program, "GET", &format!("{bob}/history"), ""));
    members.answered("getJournalEntry", &console::ask(&program, "GET", "/journal/5", ""));
    let header = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{KEY_ID}"}}"#);
    let token = signed_with(&header, r#"{"scope":"appUser","userId":"eve"}"#, KEY_SECRET);
    let own = [("authorization", &*format!("Bearer {token}"))];
    let device = br#"{"userId":"eve","device":{"id":"d1","platform":"ios"}}"#;
    assert_eq!(program.request("POST", "/v1/init", &own, device).status, 200);
    members.answered("listJournal", &console::ask(&program, "GET", "/journal", ""));
    assert_eq!(program.webhook("not JSON").status, 200);
    members.answered("getQuarantined", &console::ask(&program, "GET", "/quarantine/1", ""));
    members.answered("redrive", &console::ask(&program, "POST", "/quarantine/1/redrive", "{}"));
    let ann = format!("/v1/apps/{APP}/appusers/{}", masking::ANN);
    members.answered("getAppUser", &console::ask(&program, "GET", &ann, ""));
    members.answered("listChannels", &console::ask(&program, "GET", &format!("{ann}/channels"), ""));
    let erase = format!("/v1/appusers/{}?erase=true&only=true", masking::CAT);
    members.answered("deleteAppUser", &api(&program, "DELETE", &erase, &Value::Null));
    members.answered("getAppUser", &console::ask(&program, "GET", &format!("{ann}?include=group"), ""));
    members.answered("listAudit", &console::ask(&program, "GET", "/audit", ""));
    let program =
        Home::with("[[apps]]\nid = \"a\"\nsilent_after = \"1h\"\nwebhook_secrets = [\"a-secret-of-a\"]\n")
            .start();
    members.answered("listApps", &console::ask(&program, "GET", "/apps", ""));
}

/// What an operator asks about the service, where something is wrong.
pub(super) fn ask_about_the_service(members: &mut Members) {
    let mut home = Home::with("[backup]\nfolder = \"backups\"\n");
    home.env = vec![("ROLLCALL__LIMITS__JSON_DEPTH".to_owned(), "12".to_owned())];
    let program = home.start();
    let backup = home.path().join("backups/rollcall-2026-01-02T00-00-00.000000Z.db");
    until("the first backup", || program.metric("rollcall_backups_total{outcome=\"made\"}") > 0.0);
    std::fs::write(&backup, "no database").unwrap();
    program.end_of_job(&console::ask(&program, "POST", "/backups", "{}"));
    let config = home.path().join("config.toml");
    std::fs::write(config, "[backup]\nfolder = \"backups\"\nkeep = \"x\"\n").unwrap();
    members.answered("reload", &console::ask(&program, "POST", "/reload", "{}"));
    let user = format!("/v1/apps/{APP}/appusers");
    members.answered("createAppUser", &console::ask(&program, "POST", &user, "{\"userId\":\"u\"}"));
    members.answered("listAudit", &console::ask(&program, "GET", "/audit", ""));
    let known =
        first_message("u1", 1.0).replace("\"properties\":{}", "\"givenName\":\"A\",\"properties\":{}");
    assert_eq!(program.webhook(known).status, 200);
    let one = format!("{user}/u1");
    members.answered("updateAppUser", &console::ask(&program, "PUT", &one, "{\"givenName\":\"B\"}"));
    let origins = console::ask(&program, "GET", &format!("{one}?include=provenance"), "");
    members.answered("getAppUser", &origins);
    let erased = console::ask(&program, "DELETE", &format!("{one}?erase=true"), "");
    members.answered("deleteAppUser", &erased);
    let tombstone = format!("/v1/apps/{APP}/tombstones/u1");
    members.answered("getTombstone", &console::ask(&program, "GET", &tombstone, ""));
    let calls = [("getHealth", "/health"), ("getSettings", "/settings"), ("listBackups", "/backups")];
    for (call, path) in calls {
        members.answered(call, &console::ask(&program, "GET", path, ""));
    }
}

/// Jobs of every kind of answer, and segments.
pub(super) fn ask_about_jobs(members: &mut Members) {
    let masked = console::masked("vera");
    let home = Home::with(&format!("[backup]\nfolder = \"backups\"\n{}", masked.settings()));
    let program = home.start();
    until("the first backup", || program.metric("rollcall_backups_total{outcome=\"made\"}") > 0.0);
    for body in [first_message("annette", 1.0), "no JSON".to_owned(), "none either".to_owned()] {
        assert_eq!(program.webhook(body).status, 200);
    }
    let mut run = |path: &str, body: Value| {
        let job = program.end_of_job(&console::ask(&program, "POST", path, &body.to_string()));
        let path = format!("/jobs/{}", job["id"]);
        members.answered("getJob", &console::ask(&program, "GET", &path, ""));
    };
    run("/quarantine/redrive", json!({ "filter": {}, "expect": 2 }));
    run("/journal/replay", json!({ "filter": { "seqs": [1] }, "expect": 1 }));
    run("/jobs", json!({ "kind": "export", "app": APP, "filter": "", "expect": 1 }));
    run(
        "/jobs",
        json!({ "kind": "setProperty", "app": APP, "filter": "q=annette", "property": "a", "value": 1, "expect": 0 }),
    );
    let whole = console::ask(&program, "GET", "/backups", "").json()["backups"][0]["name"].clone();
    run(&format!("/backups/{}/verify", whole.as_str().unwrap()), json!({}));
    let damaged = "rollcall-2026-01-02T00-00-00.000000Z.db";
    std::fs::write(home.path().join("backups").join(damaged), "no database").unwrap();
    run(&format!("/backups/{damaged}/verify"), json!({}));
    assert_eq!(api(&program, "DELETE", "/v1/appusers/annette?erase=true", &Value::Null).status, 200);
    let segment = json!({ "app": APP, "name": "x", "query": "q=x" });
    let created = console::ask(&program, "POST", "/segments", &segment.to_string());
    let of_segment = format!("/segments/{}", created.json()["id"].as_str().unwrap());
    members.answered("createSegment", &created);
    home.sql().execute("UPDATE segments SET query = 'of=a-later-version'", []).unwrap();
    // One that the service does not know of, and so does not end.
    let running = "INSERT INTO jobs SELECT 99, app, 'backup', spec, who, role, how, request, 'running', began, NULL, 1, 0, 0,
                   '', counts, NULL, NULL, epoch FROM jobs WHERE id = 1";
    home.sql().execute(running, []).unwrap();
    members.answered("makeBackup", &console::ask(&program, "POST", "/backups", "{}"));
    let masked = masked.proof();
    for (call, path) in [
        ("getJob", "/jobs/4"),
        ("listJobs", "/jobs"),
        ("listSegments", "/segments"),
        ("getSegment", &of_segment),
        ("listJobFailures", "/jobs/1/failures?limit=1"),
    ] {
        members.answered(call, &console::ask(&program, "GET", path, ""));
        members.answered(
            call,
            &request(program.admin, "GET", path, &[("authorization", &masked)], b"").unwrap(),
        );
    }
}
