//! Through Smooch's guide on creating users and its reference of init, as their reader would go.

use serde_json::{Value, json};

use super::{Home, Program, app, ask, client, deliver, done, id, look_up, message, user};

/// The body of the request in the reference of init, to the letter.
const INIT: &str = r#"{"device": {"id": "03f70682b7f5b21536a3674f38b3e220", "platform": "ios", "appVersion": "1.0"}, "userId": "bob@example.com"}"#;
const DEVICE: &str = "03f70682b7f5b21536a3674f38b3e220";

fn is_moment(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.len() == 24 && text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok()
}

fn is_id(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.len() == 24 && text.bytes().all(|byte| b"0123456789abcdef".contains(&byte))
}

#[test]
fn a_first_message_creates_its_sender_and_the_id_of_the_payload_is_good_in_calls() {
    let program = Home::new().start();
    let first = "c7f6e6d6c3a637261bd9656f";
    assert_eq!(ask(&program, &app(), &format!("GET /v1/appusers/{first}"), &Value::Null).status, 404);
    let sent = json!({
        "userId": "bob@example.com", "givenName": "Bob", "email": "bob@example.com",
        "properties": { "plan": "gold" }, "signedUpAt": "2015-10-06T03:38:02.346Z",
        "clients": [{ "id": "c1", "platform": "messenger", "active": true, "lastSeen": "2016-03-09T19:09:01.431Z" }],
    });
    deliver(&program, &message(first, 1_444_348_338.704, sent.clone()));
    let shown = look_up(&program, first);
    for (member, value) in sent.as_object().unwrap() {
        assert_eq!(&shown[member], value, "all that the payload told is here: {shown}");
    }
    assert_eq!((&shown["_id"], &shown["conversationStarted"]), (&json!(first), &json!(true)));
}

#[test]
fn the_minimum_call_of_the_guide_creates_a_user() {
    let program = Home::new().start();
    let answer = super::send(&program, &app(), "POST /v1/appusers", br#"{"userId":"some-user-id"}"#);
    assert_eq!(answer.status, 201, "{answer:?}");
    let made = answer.json()["appUser"].clone();
    assert!(is_id(&made["_id"]) && is_moment(&made["signedUpAt"]), "{made}");
    let rest = json!({
        "_id": made["_id"], "signedUpAt": made["signedUpAt"],
        "userId": "some-user-id", "properties": {}, "conversationStarted": false, "clients": [],
    });
    assert_eq!(made, rest);
    let again = ask(&program, &app(), "POST /v1/appusers", &json!({ "userId": "some-user-id" }));
    super::refused(&again, 409, "conflict");
    assert_eq!(again.json()["appUser"]["_id"], made["_id"], "it is told who has the userId");
}

#[test]
fn the_properties_set_beforehand_are_there_at_the_first_login() {
    let program = Home::new().start();
    let given = json!({
        "userId": "bob@example.com", "givenName": "Bob", "surname": "Doe", "email": "bob@example.com",
        "signedUpAt": "2015-10-06T05:38:02+02:00", "properties": { "vip": true, "visits": 3, "plan": "gold" },
    });
    let made = done(&program, "POST /v1/appusers", given)["appUser"].clone();
    assert_eq!(made["signedUpAt"], "2015-10-06T03:38:02.000Z");
    let started = done(&program, "POST /v1/init", serde_json::from_str(INIT).unwrap());
    for member in ["_id", "userId", "givenName", "surname", "email", "signedUpAt", "properties"] {
        assert_eq!(started["appUser"][member], made[member], "{member}");
    }
}

#[test]
fn the_request_of_the_reference_is_answered_as_it_shows() {
    let program = Home::new().start();
    let answer = super::send(&program, &user("bob@example.com"), "POST /v1/init", INIT.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    let (app, bob) = (&answer["app"], &answer["appUser"]);
    assert!(app["hasIcon"].is_boolean() && app["apnEnabled"].is_boolean(), "{app}");
    assert!(is_id(&bob["_id"]) && is_moment(&bob["signedUpAt"]), "{bob}");
    assert_eq!((&bob["userId"], &bob["properties"]), (&json!("bob@example.com"), &json!({})));
    let device = client(bob, DEVICE);
    assert!(is_moment(&device["lastSeen"]), "{device}");
    let shown = json!({
        "id": DEVICE, "platform": "ios", "active": true, "appVersion": "1.0", "lastSeen": device["lastSeen"],
    });
    assert_eq!(*device, shown, "the client has the id of the device");
    // "If not, the existing appUser be returned."
    let again = super::send(&program, &user("bob@example.com"), "POST /v1/init", INIT.as_bytes());
    assert_eq!((again.status, id(&again.json())), (200, id(&answer)));
}

/// One call of each kind on an app user, by a name of theirs.
fn every_call(program: &Program, name: &str, other: &str) {
    let name = super::encoded(name);
    for base in ["/v1", "/v1.1", &format!("/v1/apps/{}", super::APP), &format!("/v1.1/apps/{}", super::APP)] {
        let at = format!("{base}/appusers/{name}");
        let shown = done(program, &format!("GET {at}"), Value::Null);
        assert_eq!(id(&shown), *other, "{at}");
        let changed = done(program, &format!("PUT {at}"), json!({ "givenName": at }));
        assert_eq!((&changed["appUser"]["givenName"], id(&changed)), (&json!(at), other.to_owned()));
        let device = done(program, &format!("PUT {at}/devices/{DEVICE}"), json!({ "appVersion": at }));
        assert_eq!((&device["device"]["id"], &device["device"]["appVersion"]), (&json!(DEVICE), &json!(at)));
        done(program, &format!("POST {at}/events"), json!({ "name": "seen" }));
        assert_eq!(done(program, &format!("GET {at}/channels"), Value::Null), json!({ "channels": [] }));
        let scrubbed = done(program, &format!("DELETE {at}/profile"), Value::Null);
        assert_eq!((&scrubbed["appUser"]["givenName"], id(&scrubbed)), (&Value::Null, other.to_owned()));
    }
}

#[test]
fn user_id_and_id_are_interchangeable_in_every_path() {
    let program = Home::new().start();
    let bob = id(&done(&program, "POST /v1/init", serde_json::from_str(INIT).unwrap()));
    every_call(&program, "bob@example.com", &bob);
    every_call(&program, &bob, &bob);
    for name in ["bob@example.com", &bob] {
        let other = super::create(&program, "other");
        let merge = json!({ "surviving": { "_id": name }, "discarded": { "_id": other } });
        done(&program, "POST /v1/appusers/merge", merge);
        assert_eq!(look_up(&program, &other)["_id"], *bob);
        let unmerged = done(
            &program,
            &format!("POST /v1/appusers/{}/unmerge", super::encoded(name)),
            json!({ "discarded": { "_id": other } }),
        );
        assert_eq!((id(&unmerged), &unmerged["discarded"]["_id"]), (bob.clone(), &json!(other)));
        assert_eq!(done(&program, "DELETE /v1/appusers/other", Value::Null), json!({}));
    }
    assert_eq!(done(&program, "DELETE /v1/appusers/bob%40example.com", Value::Null), json!({}));
    assert_eq!(ask(&program, &app(), &format!("GET /v1/appusers/{bob}"), &Value::Null).status, 404);
}
