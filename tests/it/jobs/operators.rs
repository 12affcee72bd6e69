//! What the operators of some apps, and those who may not see people, may do with jobs.

use serde_json::json;

use super::{about, count, parts, people, post, run};
use crate::console::{ask, masked, of_app, operator};
use crate::journal_calls::{OTHER, two_apps};
use crate::support::{Home, NamedOperator, Program, request};

fn ask_as(
    program: &Program,
    who: &NamedOperator,
    method: &str,
    path: &str,
    body: &str,
) -> (u16, serde_json::Value) {
    let proof = who.proof();
    let headers = [("authorization", proof.as_str()), ("content-type", "application/json")];
    let answer = request(program.admin, method, path, &headers, body.as_bytes()).unwrap();
    (answer.status, answer.json())
}

#[test]
fn a_job_of_a_foreign_app_does_not_exist() {
    let una = of_app("una", OTHER);
    let home = two_apps(&una.settings());
    let program = home.start_for(operator("maria"));
    people(&program, 4);
    run(&program, "setProperty", "", json!({ "property": "p", "value": 1 }));
    assert_eq!(post(&program, "/quarantine/drop", &json!({ "filter": {}, "expect": 0 })).status, 202);
    for (method, path) in [
        ("GET", "/jobs/1"),
        ("DELETE", "/jobs/1"),
        ("GET", "/jobs/1/failures"),
        ("GET", "/jobs/1/file"),
        // About all apps.
        ("GET", "/jobs/2"),
    ] {
        assert_eq!(ask_as(&program, &una, method, path, "").0, 404, "{method} {path}");
    }
    assert_eq!(ask_as(&program, &una, "GET", "/jobs", "").1, json!({ "jobs": [], "hasMore": false }));
    let foreign = about("remove", "", json!({ "expect": 4 })).to_string();
    assert_eq!(ask_as(&program, &una, "POST", "/jobs", &foreign).0, 403);
    assert_eq!(ask_as(&program, &una, "POST", "/backups", "{}").0, 403);
    let own = json!({ "filter": {}, "expect": 0 }).to_string();
    let (status, job) = ask_as(&program, &una, "POST", "/quarantine/drop", &own);
    assert_eq!((status, &job["app"]), (202, &json!(OTHER)), "{job}");
    assert_eq!(ask_as(&program, &una, "GET", &format!("/jobs/{}", job["id"]), "").0, 200);
    // The others see it too.
    assert_eq!(ask(&program, "GET", "/jobs", "").json()["jobs"].as_array().unwrap().len(), 3);
    assert_eq!(count(&program, ""), 4);
}

#[test]
fn without_personal_data_a_job_has_no_values_and_no_filter_by_them() {
    let vera = masked("vera");
    let home = Home::with(&vera.settings());
    let program = home.start_for(operator("maria"));
    people(&program, 6);
    for (kind, filter, more) in [
        ("remove", "q=u1", json!({})),
        ("remove", "property.plan=gold", json!({})),
        ("remove", "email=x", json!({})),
        ("export", "", json!({})),
        ("setProperty", "", json!({ "property": "p", "value": 1 })),
        ("clearProperty", "", json!({ "property": "p" })),
    ] {
        for more_still in [json!({ "dryRun": true }), json!({ "expect": 6 })] {
            let mut body = about(kind, filter, more.clone());
            body.as_object_mut().unwrap().extend(more_still.as_object().unwrap().clone());
            let (status, answer) = ask_as(&program, &vera, "POST", "/jobs", &body.to_string());
            assert_eq!(status, 403, "{body}: {answer}");
            assert!(answer["error"]["description"].as_str().unwrap().contains("personal_data"), "{answer}");
        }
    }
    let set = run(
        &program,
        "setProperty",
        "property.plan=gold",
        json!({ "property": "canary", "value": "canary" }),
    );
    let (_, shown) = ask_as(&program, &vera, "GET", &format!("/jobs/{}", set["id"]), "");
    assert_eq!((shown.get("with"), &shown["masked"]), (None, &json!(["with"])), "{shown}");
    assert!(!shown.to_string().contains("canary"), "{shown}");
    let dry = about("remove", "identified=false", json!({ "dryRun": true })).to_string();
    let (status, dry) = ask_as(&program, &vera, "POST", "/jobs", &dry);
    assert_eq!((status, &dry["count"]), (200, &json!(6)), "{dry}");
    assert!(!dry.to_string().contains("canary") && dry["sample"][0]["masked"].is_array(), "{dry}");
    let remove = about("remove", "identified=false", json!({ "expect": 6 })).to_string();
    let (status, job) = ask_as(&program, &vera, "POST", "/jobs", &remove);
    assert_eq!(status, 202, "{job}");
    super::until_ended(&program, &job["id"]);
    assert_eq!((parts(&super::job(&program, &job["id"])), count(&program, "")), ([6, 0, 6], 0));
}
