//! The requests that real clients send, and the answers that they cannot handle, line by line.

use serde_json::{Value, json};

use super::{APP, Home, app, ask, client, create, done, id, look_up, send, start, start_as, token};
use crate::support::{Connection, encoded};

#[test]
fn app_users_are_found_with_the_path_in_any_case() {
    let program = Home::new().start();
    let bob = create(&program, "bob");
    start(&program, "d1", Some("bob"));
    for base in ["/v1", "/v1.1", &format!("/v1/apps/{APP}")] {
        for word in ["appusers", "appUsers", "APPUSERS"] {
            for (method, tail, body) in [
                ("GET", "", Value::Null),
                ("PUT", "", json!({})),
                ("GET", "/channels", Value::Null),
                ("POST", "/events", json!({ "name": "seen" })),
                ("PUT", "/devices/d1", json!({})),
                ("DELETE", "/profile", Value::Null),
            ] {
                done(&program, &format!("{method} {base}/{word}/bob{tail}"), body);
            }
        }
        assert_eq!(id(&done(&program, &format!("GET {base}/appUsers/bob"), Value::Null)), bob);
    }
    let made = ask(&program, &app(), "POST /v1/appUsers", &json!({ "userId": "eve" }));
    assert_eq!(made.status, 201);
}

#[test]
fn ids_are_found_encoded_and_as_they_are() {
    let program = Home::new().start();
    for user_id in ["bob@example.com", "a+b", "a:b", "a%20b", "a=b&c", "it's", "~a", "a,b;c"] {
        let made = create(&program, user_id);
        assert_eq!(look_up(&program, user_id)["_id"], made, "{user_id}");
        if !user_id.contains('%') {
            let raw = done(&program, &format!("GET /v1/appusers/{user_id}"), Value::Null);
            assert_eq!(id(&raw), made, "{user_id} as it is");
        }
    }
    for user_id in ["a b", "é", "a?b", "a#b", "a%2Fb", "100%", "\u{1F600}"] {
        assert_eq!(create(&program, user_id), look_up(&program, user_id)["_id"], "{user_id}");
    }
}

#[test]
fn an_id_with_slashes_is_found_whether_they_are_encoded_or_not() {
    let program = Home::new().start();
    for user_id in
        ["a/b", "a/b/c", "a//b", "/a", "http://example.com/u?1", "a/channels/b", "devices/a", "merge/a"]
    {
        let made = start(&program, "d", Some(user_id))["_id"].as_str().unwrap().to_owned();
        assert_eq!(look_up(&program, user_id)["_id"], made, "{user_id} encoded");
        for base in ["/v1/appusers", "/v1.1/appUsers", &format!("/v1/apps/{APP}/appusers")] {
            let raw = format!("{base}/{}", user_id.replace('?', "%3F"));
            assert_eq!(id(&done(&program, &format!("GET {raw}"), Value::Null)), made, "{raw}");
            let put = done(&program, &format!("PUT {raw}"), json!({ "givenName": raw }));
            assert_eq!((id(&put), &put["appUser"]["givenName"]), (made.clone(), &json!(raw)));
            let device = done(&program, &format!("PUT {raw}/devices/d"), json!({ "appVersion": raw }));
            assert_eq!(device["device"]["appVersion"], raw);
            done(&program, &format!("GET {raw}/channels"), Value::Null);
            done(&program, &format!("GET {raw}/history"), Value::Null);
            done(&program, &format!("POST {raw}/events"), json!({ "name": "seen" }));
            assert_eq!(id(&done(&program, &format!("DELETE {raw}/profile"), Value::Null)), made);
            let other = create(&program, "other");
            let both = json!({ "surviving": { "_id": user_id }, "discarded": { "_id": other } });
            done(&program, "POST /v1/appusers/merge", both);
            done(&program, &format!("POST {raw}/unmerge"), json!({ "discarded": { "_id": other } }));
            done(&program, "DELETE /v1/appusers/other", Value::Null);
        }
        assert_eq!(
            done(&program, &format!("DELETE /v1/appusers/{}", user_id.replace('?', "%3F")), Value::Null),
            json!({})
        );
        let gone = ask(&program, &app(), &format!("GET /v1/appusers/{}", encoded(user_id)), &Value::Null);
        assert_eq!(gone.status, 404, "{user_id}");
    }
    let unknown = ask(&program, &app(), "GET /v1/appusers/a/b", &Value::Null);
    super::refused(&unknown, 404, "not_found");
    for line in ["POST /v1/appusers/a/messages", "GET /v1/appusers/", "GET /v1/nothing/a/b", "GET /v1"] {
        let nothing = ask(&program, &app(), line, &json!({}));
        super::refused(&nothing, 404, "not_found");
        assert!(nothing.text.contains("nothing at this address"), "{line}: {nothing:?}");
    }
    let counted = "rollcall_http_requests_total{route=\"/v1/appusers/{id}\",status=\"200\"}";
    assert!(program.metric(counted) > 0.0, "counted by the route, never by the id");
    assert!(!program.admin("/metrics").text.contains("a%2Fb"));
}

#[test]
fn no_body_is_an_empty_one_and_a_body_where_none_belongs_is_passed_over() {
    let program = Home::new().start();
    create(&program, "bob");
    let before = look_up(&program, "bob");
    for body in ["", " \r\n", "{}"] {
        let answer = send(&program, &app(), "PUT /v1/appusers/bob", body.as_bytes());
        assert_eq!((answer.status, &answer.json()["appUser"]), (200, &before), "{body:?}");
    }
    super::refused(&send(&program, &app(), "POST /v1/appusers", b""), 400, "bad_request");
    for body in ["{}", "nonsense", "{\"userId\":"] {
        assert_eq!(send(&program, &app(), "GET /v1/appusers/bob", body.as_bytes()).status, 200, "{body}");
        let scrubbed = send(&program, &app(), "DELETE /v1/appusers/bob/profile", body.as_bytes());
        assert_eq!(scrubbed.status, 200, "{body}");
    }
    assert_eq!(send(&program, &app(), "DELETE /v1/appusers/bob", b"{}").status, 200);
}

#[test]
fn every_answer_is_a_json_object_without_a_null() {
    let program = Home::new().start();
    let bob = create(&program, "bob");
    create(&program, "eve");
    let both = json!({ "surviving": { "_id": "bob" }, "discarded": { "_id": "eve" } });
    for (line, body) in [
        (
            "POST /v1/init",
            json!({ "device": { "id": "d1", "platform": "web", "info": null }, "userId": "bob" }),
        ),
        ("PUT /v1/appusers/bob", json!({ "givenName": null, "properties": { "a": null } })),
        ("PUT /v1/appusers/bob/devices/d1", json!({ "appVersion": null, "info": { "os": null } })),
        ("POST /v1/appusers/bob/events", json!({ "name": "seen" })),
        ("GET /v1/appusers/bob", Value::Null),
        ("GET /v1/appusers/bob/channels", Value::Null),
        ("GET /v1/appusers", Value::Null),
        ("POST /v1/appusers/merge", both),
        ("DELETE /v1/appusers/bob/profile", Value::Null),
        ("DELETE /v1/appusers/bob", Value::Null),
        ("GET /v1/appusers/bob", Value::Null),
        ("POST /v1/appusers", json!({ "userId": "new", "email": null, "properties": null })),
    ] {
        let answer = ask(&program, &app(), line, &body);
        assert_ne!(answer.status, 204, "{line}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{line}");
        assert!(answer.json().is_object() && !answer.text.contains("null"), "{line}: {answer:?}");
    }
    assert_eq!(ask(&program, &app(), &format!("GET /v1/appusers/{bob}"), &Value::Null).status, 404);
}

#[test]
fn a_token_without_times_is_taken_and_a_connection_is_closed_when_asked() {
    let program = Home::new().start();
    let bare = super::jwt(json!({ "scope": "app" }));
    assert_eq!(ask(&program, &bare, "GET /v1/appusers", &Value::Null).status, 200);
    let mut open = Connection::open(program.listen);
    let headers = [("app-token", "demo-app-token"), ("connection", "close")];
    let answer = open.ask("GET", "/v1/appusers/bob", &headers, b"");
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(open.closes());
    let mut open = Connection::open(program.listen);
    for _ in 0..3 {
        assert_eq!(open.ask("GET", "/v1/appusers/bob", &headers[..1], b"").status, 404);
    }
}

#[test]
fn an_empty_user_id_is_none_and_unknown_members_are_ignored() {
    let program = Home::new().start();
    let anonymous = start_as(&program, &token(), "d1", Some("")).json()["appUser"].clone();
    assert!(anonymous.get("userId").is_none(), "{anonymous}");
    let body = json!({
        "device": { "id": "d1", "platform": "web", "vendor": "smooch", "deviceUuid": [1] },
        "includeMessages": true, "conversation": { "x": [null] },
    });
    let again = done(&program, "POST /v1/init", body);
    assert_eq!(id(&again), anonymous["_id"].as_str().unwrap());
    assert_eq!(client(&again["appUser"], "d1").as_object().unwrap().len(), 4, "{again}");
    done(&program, "POST /v1/appusers", json!({ "userId": "bob", "colour": { "deep": [] } }));
    assert_eq!(done(&program, "PUT /v1/appusers/bob", json!({ "colour": 7 }))["appUser"].get("colour"), None);
}
