//! What an operator may see: nothing of other apps, and without `personal_data` no value of a person.

use serde_json::{Value, json};

use super::{OTHER, all, api_of_other, message, ok, two_apps, webhook_of_other};
use crate::console::{masked, masking, of_app};
use crate::support::{APP, first_message};

#[test]
fn an_operator_of_one_app_sees_nothing_of_another() {
    let home = two_apps("");
    let program = home.start_for(of_app("una", OTHER));
    message(&program, "ann", 0);
    webhook_of_other(&program, &first_message("theirs", 1.0));
    assert_eq!(program.webhook("not json").status, 200);
    webhook_of_other(&program, "not json either");
    api_of_other(&program, "PUT", "/v1/appusers/theirs", &json!({ "surname": "Roe" }));
    message(&program, "ann", 1);
    for order in ["asc", "desc"] {
        let (mut seqs, looked) = all(&program, &format!("/journal?order={order}&limit=1"), "entries");
        seqs.sort_unstable();
        assert_eq!((seqs, looked), (vec![2, 3], 4));
    }
    assert_eq!(all(&program, "/journal?user=theirs", "entries").0, [3, 2], "its only app is meant");
    assert_eq!(all(&program, "/quarantine?limit=1", "bodies").0, [2]);
    assert_eq!(ok(&program, "/quarantine")["reasons"], json!([{ "reason": "not_json", "count": 1 }]));
    for (path, status) in [
        (format!("/journal?app={APP}"), 403),
        ("/journal?app=nothing".to_owned(), 403),
        (format!("/journal?app={APP}&user=ann"), 403),
        ("/journal?user=ann".to_owned(), 404),
        ("/journal/1".to_owned(), 404),
        ("/journal/1/body".to_owned(), 404),
        ("/journal/2".to_owned(), 200),
        ("/journal/2/body".to_owned(), 200),
        (format!("/quarantine?app={APP}"), 403),
        ("/quarantine/1".to_owned(), 404),
        ("/quarantine/1/body".to_owned(), 404),
        ("/quarantine/2".to_owned(), 200),
        ("/quarantine/2/body".to_owned(), 200),
    ] {
        let answer = program.admin(&path);
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        let unseen = [format!("\"app\":\"{APP}\""), "\"ann\"".to_owned()];
        assert!(!unseen.iter().any(|text| answer.text.contains(text)), "{path}: {answer:?}");
    }
}

#[test]
fn an_operator_without_personal_data_sees_no_value_of_a_person() {
    let program = masking::seeded();
    assert_eq!(program.webhook("{\"canary\":").status, 200);
    assert_eq!(
        program.webhook(json!({ "trigger": "conversation:start", "canary": 1 }).to_string()).status,
        200
    );
    let see = |path: &str| -> Value {
        let answer = program.admin(path);
        masking::is_clean(path, &answer);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    };
    let page = see("/journal?limit=200");
    let entries = page["entries"].as_array().unwrap();
    assert!(entries.len() >= 10, "{page}");
    let (mut values, mut paths) = (0, 0);
    for entry in entries {
        let detail = see(&format!("/journal/{}", entry["seq"]));
        for changed in detail["changed"].as_array().unwrap() {
            values += usize::from(changed["masked"] == true);
        }
        paths += usize::from(detail["masked"] == json!(["call.path"]));
        let body = program.admin(&format!("/journal/{}/body", entry["seq"]));
        masking::is_clean("a body", &body);
        assert_eq!((body.status, body.text.contains("personal_data")), (403, true), "{body:?}");
    }
    assert!(values > 10 && paths > 4, "{values} {paths}");
    let held = see("/quarantine");
    assert_eq!(held["bodies"][0]["masked"], json!(["detail"]));
    assert_eq!(see("/quarantine/1")["masked"], json!(["detail", "headers"]));
    assert_eq!(program.admin("/quarantine/1/body").status, 403);
    // A userId finds nothing, whether it is known or not, and an _id does.
    for (name, status) in [("canary-userId-1", 404), ("canary-nobody", 404), (masking::BOB, 200)] {
        let answer = program.admin(&format!("/journal?user={name}"));
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        masking::is_clean(name, &answer);
    }
}

#[test]
fn who_made_a_call_is_told_without_the_user_id() {
    let home = two_apps("");
    let program = home.start_for(masked("vera"));
    let header = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{}"}}"#, crate::support::KEY_ID);
    let claims = r#"{"scope":"appUser","userId":"canary"}"#;
    let token = crate::support::signed_with(&header, claims, crate::support::KEY_SECRET);
    let body = json!({ "device": { "id": "d1", "platform": "ios" }, "userId": "canary" }).to_string();
    let bearer = format!("Bearer {token}");
    let answer = program.request("POST", "/v1/init", &[("authorization", &bearer)], body.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    let by = ok(&program, "/journal")["entries"][0]["by"].clone();
    assert_eq!(by, json!({ "scope": "appUser", "key": crate::support::KEY_ID, "masked": ["userId"] }));
}
