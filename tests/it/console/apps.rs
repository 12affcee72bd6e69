//! GET `/apps`.

use serde_json::{Value, json};

use super::{ask, of_app, operator};
use crate::support::{Home, Program, first_message, until};

const SETTINGS: &str = "[[apps]]\nid = \"a\"\nname = \"Shop\"\nwebhook_secrets = [\"a-secret-of-a\"]\nsilent_after = \"2h\"\n\
                        [[apps]]\nid = \"b\"\nwebhook_secrets = [\"a-secret-of-b\"]\n";

fn send(program: &Program, app: &str, body: &str) {
    let key = format!("a-secret-of-{app}");
    let answer =
        program.request("POST", &format!("/webhooks/{app}"), &[("x-api-key", &key)], body.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
}

fn apps(program: &Program) -> Vec<Value> {
    ask(program, "GET", "/apps", "").json()["apps"].as_array().unwrap().clone()
}

#[test]
fn each_app_has_its_own_numbers_with_the_time_of_the_count() {
    let program = Home::with(SETTINGS).start_for(operator("maria"));
    for (app, id) in [("a", "ann"), ("a", "amy"), ("b", "bob")] {
        let message = first_message(id, 1_444_348_338.0).replace(crate::support::APP, app);
        send(&program, app, &message);
    }
    send(&program, "b", "[]");
    // A count is followed by a pause, so the first may be of before.
    until("all are counted", || {
        let numbers =
            |app: &Value| (app["users"].as_u64(), app["quarantined"].as_u64(), app["feed"]["last"].as_u64());
        let apps = apps(&program);
        apps.iter().map(numbers).collect::<Vec<_>>()
            == [(Some(2), Some(0), Some(2)), (Some(1), Some(1), Some(1))]
    });
    let [a, b] = <[Value; 2]>::try_from(apps(&program)).unwrap();
    assert_eq!((&a["id"], &a["name"], &a["silentAfter"]), (&json!("a"), &json!("Shop"), &json!(7200)));
    assert_eq!((&b["silent"], b.get("silentAfter")), (&json!(false), None));
    for app in [&a, &b] {
        assert_eq!(app["feed"]["oldest"], 1, "{app}");
        let times = [&app["usersCountedAt"], &app["lastEvent"]];
        assert!(times.iter().all(|time| time.as_str().unwrap().ends_with('Z')), "{app}");
    }
}

#[test]
fn an_operator_sees_their_apps_alone() {
    let program = Home::with(SETTINGS).start_for(of_app("bo", "b"));
    let seen = apps(&program);
    assert_eq!(seen.iter().map(|app| &app["id"]).collect::<Vec<_>>(), ["b"]);
}
