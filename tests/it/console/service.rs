//! The calls about the service as a whole: health, settings, reload and backups.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::{ask, of_app, operator};
use crate::support::{APP, Answer, Home, Program, until};

fn get(program: &Program, path: &str) -> Value {
    let answer = ask(program, "GET", path, "");
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

/// The check, state and remedy of each finding, of those that a running service has too.
fn verdicts(findings: &Value) -> Vec<(String, String, String)> {
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let all = findings.as_array().unwrap().iter();
    let all = all.filter(|finding| !["listen", "admin listen"].contains(&finding["check"].as_str().unwrap()));
    all.map(|finding| (text(finding, "check"), text(finding, "state"), text(finding, "remedy"))).collect()
}

#[test]
fn health_has_the_verdict_of_doctor_on_a_broken_installation() {
    // No apps' events, a backup folder that is a file, and a database that everybody may read.
    let home = Home::with("[backup]\nfolder = \"backups\"\n");
    std::fs::write(home.path().join("backups"), "no folder").unwrap();
    let program = home.start();
    std::fs::set_permissions(home.database(), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(program.webhook("[]").status, 200);
    let doctor = home.command(&["doctor", "--json"]).output().unwrap();
    let said = verdicts(&serde_json::from_slice(&doctor.stdout).unwrap());
    let wrong = |check: &str| said.iter().any(|(name, state, _)| name == check && state == "wrong");
    assert!(wrong("file rights") && wrong("last backup"), "{said:?}");
    assert!(said.iter().any(|(check, state, _)| check == "quarantine" && state == "warning"), "{said:?}");
    let mut health = Value::Null;
    until("health says what doctor does", || {
        health = get(&program, "/health");
        let verdicts = verdicts(&health["checks"]);
        said.iter().all(|verdict| verdicts.contains(verdict))
    });
    assert_eq!((&health["ready"], &health["version"]), (&json!(true), &json!(env!("CARGO_PKG_VERSION"))));
    assert!(health["examinedAt"].is_string() && health["uptime"].is_u64(), "{health}");
    for check in ["serving", "queue", "storing", "database", "app"] {
        assert!(
            health["checks"].as_array().unwrap().iter().any(|one| one["check"] == check),
            "{check}: {health}"
        );
    }
}

/// Settings with a canary in every secret, and on known lines.
fn with_canaries() -> Home {
    let mut home = Home::with(&format!(
        "[server]\ncors_origins = [\"https://a.example\",\n  \"https://b.example\"]\n[limits]\njson_depth = 12\n\
         [[apps]]\nid = \"{APP}\"\nwebhook_secrets = [\"canary-secret-1\", \"canary-secret-2\"]\n\
         app_token = \"canary-token\"\nkeys = [{{ id = \"k\", secret = \"canary-key-secret-long-enough\" }}]\n\
         [[console.operators]]\nname = \"ann\"\nrole = \"viewer\"\nsecrets = [\"canary-operator-secret\"]\n\
         [console.proxy]\npeers = [\"127.0.0.9\"]\nsecret_header = \"x-s\"\nsecret = \"canary-proxy-secret\"\n\
         name_header = \"x-n\"\ngroups_header = \"x-g\"\noperator_groups = [\"o\"]\nviewer_groups = [\"v\"]\n"
    ));
    home.env = vec![
        ("ROLLCALL__ACCOUNT_KEYS__0__ID".to_owned(), "account".to_owned()),
        ("ROLLCALL__ACCOUNT_KEYS__0__SECRET".to_owned(), "canary-account-secret".to_owned()),
        ("ROLLCALL__LIMITS__REST_BODY".to_owned(), "50KB".to_owned()),
    ];
    home
}

#[test]
fn settings_are_shown_with_their_source_and_without_a_secret() {
    let home = with_canaries();
    let program = home.start();
    let answer = ask(&program, "GET", "/settings", "");
    assert!(!answer.text.contains("canary"), "{answer:?}");
    let settings = answer.json();
    assert_eq!(settings["problems"], json!([]));
    let of = |key: &str| {
        let found = settings["settings"].as_array().unwrap().iter().find(|setting| setting["key"] == key);
        found.unwrap_or_else(|| panic!("{key}: {settings}")).clone()
    };
    for (key, set) in [
        ("apps.0.webhook_secrets", 2),
        ("apps.0.app_token", 1),
        ("apps.0.keys.0.secret", 1),
        ("account_keys.0.secret", 1),
        ("console.operators.0.secrets", 1),
        ("console.proxy.secret", 1),
    ] {
        let setting = of(key);
        assert_eq!((&setting["secret"], setting.get("value")), (&json!({ "set": set }), None), "{setting}");
    }
    let depth = of("limits.json_depth");
    assert_eq!(depth["from"], json!({ "layer": "file", "file": "config.toml", "line": 5 }));
    assert_eq!(
        (&depth["value"], &depth["default"], &depth["restart"]),
        (&json!("12"), &json!("64"), &json!(false))
    );
    assert!(depth["means"].as_str().unwrap().starts_with("JSON nested deeper than this"), "{depth}");
    let origins = of("server.cors_origins");
    assert_eq!(origins["value"], json!(["https://a.example", "https://b.example"]));
    assert_eq!(origins["from"]["line"], 2);
    let body = of("limits.rest_body");
    let variable = json!({ "layer": "environment", "variable": "ROLLCALL__LIMITS__REST_BODY" });
    assert_eq!((&body["value"], &body["from"]), (&json!("50KB"), &variable));
    let listen = of("server.admin_listen");
    assert_eq!((&listen["from"]["layer"], &listen["restart"]), (&json!("commandLine"), &json!(true)));
    assert_eq!(of("store.url")["from"], json!({ "layer": "default" }));
}

fn reload(program: &Program) -> Answer {
    ask(program, "POST", "/reload", "{}")
}

#[test]
fn a_reload_says_what_changed_or_every_problem() {
    let home = with_canaries();
    let program = home.start();
    assert_eq!(reload(&program).json(), json!({ "changed": [], "needRestart": [] }));
    let changed = home.settings.replace("canary-secret-2", "canary-secret-3").replace("= 12", "= 13");
    let changed = format!("{changed}[log]\nlevel = \"warn\"\n").replace("[log]\nlevel = \"warn\"\n", "");
    std::fs::write(home.path().join("config.toml"), format!("[reads]\nlong_waiting = 7\n{changed}")).unwrap();
    let answer = reload(&program);
    assert_eq!(answer.status, 200, "{answer:?}");
    let expected =
        json!({ "changed": ["apps", "limits.json_depth", "reads.long_waiting"], "needRestart": ["reads"] });
    assert_eq!(answer.json(), expected);
    assert_eq!(reload(&program).json(), json!({ "changed": [], "needRestart": ["reads"] }));
    let broken = changed.replace("= 13", "= 0").replace("https://a.example", "canary-no-origin");
    std::fs::write(home.path().join("config.toml"), broken).unwrap();
    let refused = reload(&program);
    assert_eq!((refused.status, refused.code().as_str()), (400, "bad_request"), "{refused:?}");
    let problems = refused.json()["problems"].clone();
    let keys: Vec<&Value> = problems.as_array().unwrap().iter().map(|problem| &problem["key"]).collect();
    assert_eq!(keys, ["server.cors_origins.0", "limits.json_depth"], "{problems}");
    assert_eq!(problems[1]["from"], json!({ "layer": "file", "file": "config.toml", "line": 5 }));
    assert_eq!(get(&program, "/settings")["problems"], problems);
    assert!(!refused.text.contains("canary"), "{refused:?}");
}

#[test]
fn backups_are_made_listed_and_verified() {
    let home = Home::with("[backup]\nfolder = \"backups\"\n");
    let program = home.start();
    until("the first of the schedule", || {
        get(&program, "/backups")["backups"].as_array().unwrap().len() == 1
    });
    let made = program.end_of_job(&ask(&program, "POST", "/backups", "{}"));
    assert_eq!((&made["state"], &made["done"]), (&json!("done"), &json!(1)), "{made}");
    let made = made["result"].clone();
    let name = made["name"].as_str().unwrap();
    let listed = get(&program, "/backups");
    let newest = &listed["backups"][0];
    assert_eq!((&newest["name"], &newest["bytes"]), (&made["name"], &made["bytes"]));
    assert_eq!(newest["checksum"], made["checksum"]);
    assert!(listed["next"].is_string() && newest["verified"].is_string(), "{listed}");
    let verify = || program.end_of_job(&ask(&program, "POST", &format!("/backups/{name}/verify"), "{}"));
    let verified = verify()["result"].clone();
    assert_eq!((&verified["verdict"], &verified["backup"]["checksum"]), (&json!("whole"), &made["checksum"]));
    // Only what is listed is opened.
    std::fs::copy(home.path().join("backups").join(name), home.path().join("backups/other.db")).unwrap();
    for hostile in
        ["other.db", "..%2Frollcall.db", "%2Fetc%2Fpasswd", "..%2F..%2Fetc%2Fpasswd", "rollcall.db", "."]
    {
        let answer = ask(&program, "POST", &format!("/backups/{hostile}/verify"), "{}");
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{hostile}: {answer:?}");
    }
    // Damage in the middle of the file.
    let path = home.path().join("backups").join(name);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let job = verify();
    assert_eq!((&job["state"], &job["failed"]), (&json!("failed"), &json!(1)), "{job}");
    let damaged = job["result"].clone();
    assert_eq!(damaged["verdict"], "damaged", "{damaged}");
    assert!(damaged["said"].is_string(), "{damaged}");
}

#[test]
fn without_a_folder_there_are_no_backups() {
    let program = Home::new().start();
    assert_eq!(get(&program, "/backups"), json!({ "backups": [] }));
    for path in ["/backups", "/backups/rollcall-2026-01-01T00-00-00.000000Z.db/verify"] {
        let answer = ask(&program, "POST", path, "{}");
        assert_eq!((answer.status, answer.code().as_str()), (409, "conflict"), "{path}: {answer:?}");
    }
}

#[test]
fn an_operator_of_some_apps_sees_nothing_of_the_whole_service() {
    let program = Home::new().start_for(of_app("bo", APP));
    for (method, path) in [
        ("GET", "/health"),
        ("GET", "/settings"),
        ("POST", "/reload"),
        ("GET", "/backups"),
        ("POST", "/backups"),
        ("POST", "/backups/x/verify"),
    ] {
        let answer = ask(&program, method, path, "{}");
        assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"), "{path}: {answer:?}");
    }
    let program = Home::new().start_for(operator("maria"));
    assert_eq!(ask(&program, "GET", "/backups", "").status, 200);
}
