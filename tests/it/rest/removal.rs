//! A removed app user stays removed, and so do personal data.

use serde_json::{Value, json};

use super::{Home, app, ask, create, deliver, done, id, look_up, message, refused, start};

#[test]
fn no_late_webhook_restores_a_removed_user() {
    let home = Home::new();
    let program = home.start();
    let smooch = "c7f6e6d6c3a637261bd9656f";
    let ours = create(&program, "bob");
    deliver(&program, &message(smooch, 1.0, json!({ "userId": "bob", "clients": [] })));
    let alone = "aaaaaaaaaaaaaaaaaaaaaaaa";
    deliver(&program, &message(alone, 1.0, json!({ "clients": [] })));
    for name in ["bob", alone] {
        let line = format!("DELETE /v1/appusers/{name}");
        assert_eq!(done(&program, &line, Value::Null), json!({}));
        refused(&ask(&program, &app(), &line, &Value::Null), 404, "not_found");
    }
    let gone = |program: &super::Program, when: &str| {
        for name in ["bob", smooch, &ours, alone] {
            let answer = ask(program, &app(), &format!("GET /v1/appusers/{name}"), &Value::Null);
            assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{name} {when}");
        }
        assert_eq!(program.all_app_users(), Vec::<Value>::new(), "{when}");
    };
    gone(&program, "once removed");
    for received in [0.5, 1.0, 1_700_000_000.0] {
        deliver(&program, &message(smooch, received, json!({ "userId": "bob", "clients": [] })));
        deliver(&program, &message(alone, received, json!({ "clients": [] })));
    }
    gone(&program, "after late webhooks");
    program.kill();
    gone(&home.start(), "after a crash");
}

#[test]
fn a_name_that_was_removed_is_free_again() {
    let program = Home::new().start();
    let first = create(&program, "bob");
    start(&program, "d1", Some("bob"));
    done(&program, "PUT /v1/appusers/bob", json!({ "properties": { "secret": 1 } }));
    done(&program, "DELETE /v1/appusers/bob", Value::Null);
    let anonymous = start(&program, "d1", None);
    assert_eq!(anonymous["properties"], json!({}), "the device starts anew");
    let second = create(&program, "bob");
    assert_ne!(second, first);
    let bob = look_up(&program, "bob");
    assert_eq!((bob["_id"].as_str(), &bob["properties"]), (Some(&*second), &json!({})));
    refused(&ask(&program, &app(), &format!("GET /v1/appusers/{first}"), &Value::Null), 404, "not_found");
}

#[test]
fn removing_a_profile_clears_the_person_and_keeps_the_user() {
    let program = Home::new().start();
    let smooch = "c7f6e6d6c3a637261bd9656f";
    let sent = json!({
        "userId": "bob", "givenName": "Bob", "surname": "Doe", "email": "b@example.com", "properties": { "a": 1 },
        "signedUpAt": "2015-10-06T03:38:02.346Z",
        "clients": [{ "id": "c1", "platform": "twilio", "active": true, "displayName": "+1514", "avatarUrl": "x",
                      "info": { "city": "M" }, "raw": { "From": "+1514" } }],
    });
    deliver(&program, &message(smooch, 1.0, sent.clone()));
    let device = json!({ "id": "d1", "platform": "ios", "appVersion": "1", "info": { "os": "iPhone OS" } });
    done(&program, "POST /v1/init", json!({ "device": device, "userId": "bob" }));
    done(&program, "PUT /v1/appusers/bob", json!({ "properties": { "b": 2 } }));
    let scrubbed = done(&program, "DELETE /v1/appusers/bob/profile", Value::Null);
    let seen = super::client(&scrubbed["appUser"], "d1")["lastSeen"].clone();
    let expected = json!({
        "_id": smooch, "userId": "bob", "signedUpAt": "2015-10-06T03:38:02.346Z",
        "conversationStarted": true, "properties": {},
        "clients": [{ "id": "c1", "platform": "twilio", "active": true },
                    { "id": "d1", "platform": "ios", "active": true, "appVersion": "1", "lastSeen": seen }],
    });
    assert_eq!(scrubbed["appUser"], expected);
    // A repeated webhook of Smooch restores nothing.
    deliver(&program, &message(smooch, 1.0, sent));
    assert_eq!(look_up(&program, "bob"), expected);
    let again = done(&program, "DELETE /v1/appusers/bob/profile", Value::Null);
    assert_eq!((&again["appUser"], id(&again).as_str()), (&expected, smooch));
}
