//! Changes through the API: fields, properties, devices, events, channels, merges.

use std::thread;

use serde_json::{Value, json};

use super::{
    Home, app, ask, client, create, deliver, done, id, look_up, message, refused, send, start, token,
};
use crate::support::Connection;

#[test]
fn given_fields_change_null_clears_and_the_rest_stays() {
    let program = Home::new().start();
    let bob = create(&program, "bob");
    let put = |body: Value| done(&program, "PUT /v1/appusers/bob", body)["appUser"].clone();
    put(
        json!({ "givenName": "Bob", "surname": "Doe", "email": "b@example.com", "properties": { "a": 1, "b": "x", "c": true } }),
    );
    let now = put(json!({ "surname": "Roe", "properties": { "a": 2.5, "d": "" } }));
    assert_eq!(
        (&now["givenName"], &now["surname"], &now["email"]),
        (&json!("Bob"), &json!("Roe"), &json!("b@example.com"))
    );
    assert_eq!(now["properties"], json!({ "a": 2.5, "b": "x", "c": true, "d": "" }));
    let now = put(json!({ "surname": null, "properties": { "b": null } }));
    assert!(now.get("surname").is_none(), "{now}");
    assert_eq!(now["properties"], json!({ "a": 2.5, "c": true, "d": "" }));
    let same = put(json!({ "properties": null }));
    assert_eq!(same, now, "no properties at all say nothing");
    let moved = put(json!({ "signedUpAt": "2016-01-02T03:04:05+01:00" }));
    assert_eq!(moved["signedUpAt"], "2016-01-02T02:04:05.000Z");
    // Members that the caller may not set are ignored.
    let sent = json!({
        "_id": "x", "userId": "eve", "conversationStarted": true, "credentialRequired": true, "unknown": 1,
        "clients": [{ "id": "d1", "platform": "ios" }], "app": "other", "__proto__": { "x": 1 },
    });
    assert_eq!(put(sent), moved);
    assert_eq!(look_up(&program, &bob), moved);
}

#[test]
fn a_value_of_the_wrong_shape_is_400_and_changes_nothing() {
    let program = Home::new().start();
    create(&program, "bob");
    let before = look_up(&program, "bob");
    for (body, named) in [
        (json!({ "givenName": 7, "surname": "Roe" }), "givenName"),
        (json!({ "surname": ["Roe"] }), "surname"),
        (json!({ "email": "x".repeat(129) }), "email"),
        (json!({ "signedUpAt": "yesterday" }), "signedUpAt"),
        (json!({ "signedUpAt": 1_444_348_338 }), "signedUpAt"),
        (json!({ "properties": [] }), "properties"),
        (json!({ "properties": { "deep": { "x": 1 } } }), "properties.deep"),
        (json!({ "properties": { "list": [1] } }), "properties.list"),
        (json!({ "properties": { "big": "x".repeat(4094) } }), "properties"),
        (json!([]), "object"),
        (json!("bob"), "object"),
    ] {
        let answer = ask(&program, &app(), "PUT /v1/appusers/bob", &body);
        refused(&answer, 400, "bad_request");
        assert!(
            answer.json()["error"]["description"].as_str().unwrap().contains(named),
            "{named}: {answer:?}"
        );
    }
    refused(&send(&program, &app(), "PUT /v1/appusers/bob", b"{\"givenName\":"), 400, "bad_request");
    assert_eq!(look_up(&program, "bob"), before);
    for body in [json!({}), json!({ "userId": "" }), json!({ "userId": 7 }), json!({ "userId": null })] {
        refused(&ask(&program, &app(), "POST /v1/appusers", &body), 400, "bad_request");
    }
}

#[test]
fn properties_fill_four_kilobytes_and_no_more() {
    let program = Home::new().start();
    create(&program, "bob");
    let full = json!({ "properties": { "big": "x".repeat(4093) } });
    assert_eq!(ask(&program, &app(), "PUT /v1/appusers/bob", &full).status, 200);
    let more = json!({ "properties": { "b": 1 } });
    refused(&ask(&program, &app(), "PUT /v1/appusers/bob", &more), 400, "bad_request");
    let instead = json!({ "properties": { "b": 1, "big": null } });
    assert_eq!(ask(&program, &app(), "PUT /v1/appusers/bob", &instead).status, 200);
    let born = json!({ "userId": "eve", "properties": { "big": "x".repeat(4094) } });
    refused(&ask(&program, &app(), "POST /v1/appusers", &born), 400, "bad_request");
}

#[test]
fn an_unknown_user_is_404_and_a_change_creates_none() {
    let program = Home::new().start();
    let from = start(&program, "d1", None);
    let known = from["_id"].as_str().unwrap();
    for (line, body) in [
        ("GET /v1/appusers/bob", Value::Null),
        ("PUT /v1/appusers/bob", json!({ "givenName": "Bob" })),
        ("DELETE /v1/appusers/bob", Value::Null),
        ("DELETE /v1/appusers/bob/profile", Value::Null),
        ("GET /v1/appusers/bob/channels", Value::Null),
        ("PUT /v1/appusers/bob/devices/d1", json!({})),
        ("POST /v1/appusers/bob/events", json!({ "name": "seen" })),
        ("POST /v1/appusers/bob/unmerge", json!({ "discarded": { "_id": known } })),
        ("POST /v1/appusers/merge", json!({ "surviving": { "_id": "bob" }, "discarded": { "_id": known } })),
        ("POST /v1/appusers/merge", json!({ "surviving": { "_id": known }, "discarded": { "_id": "bob" } })),
        (&format!("PUT /v1/appusers/{known}/devices/d2"), json!({ "appVersion": "1" })),
        (&format!("POST /v1/appusers/{known}/unmerge"), json!({ "discarded": { "_id": "bob" } })),
    ] {
        refused(&ask(&program, &app(), line, &body), 404, "not_found");
    }
    assert_eq!(program.all_app_users(), [from]);
}

#[test]
fn changes_at_once_are_all_made() {
    let program = Home::new().start();
    create(&program, "bob");
    let (authorization, connections, each) = (app().remove(0).1, 16, 8);
    thread::scope(|scope| {
        for connection in 0..connections {
            let (authorization, program) = (&authorization, &program);
            scope.spawn(move || {
                let mut open = Connection::open(program.listen);
                for n in 0..each {
                    let body = json!({ "properties": { format!("k{connection}-{n}"): n } }).to_string();
                    let headers = [("authorization", authorization.as_str())];
                    let answer = open.ask("PUT", "/v1/appusers/bob", &headers, body.as_bytes());
                    assert_eq!(answer.status, 200, "{answer:?}");
                    assert_eq!(answer.json()["appUser"]["properties"][format!("k{connection}-{n}")], n);
                }
            });
        }
    });
    let bob = look_up(&program, "bob");
    assert_eq!(bob["properties"].as_object().unwrap().len(), connections * each, "{bob}");
}

#[test]
fn a_device_is_changed_member_by_member() {
    let program = Home::new().start();
    let device = json!({ "id": "d 1/é", "platform": "android", "appVersion": "1", "info": { "os": "A", "carrier": "C" } });
    let bob =
        done(&program, "POST /v1/init", json!({ "device": device, "userId": "bob" }))["appUser"].clone();
    let line = format!("PUT /v1/appusers/bob/devices/{}", super::encoded("d 1/é"));
    let body =
        json!({ "pushNotificationToken": "push", "info": { "os": "B", "wifi": "YES", "carrier": null } });
    let answer = ask(&program, &token(), &line, &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    let expected = json!({
        "id": "d 1/é", "platform": "android", "appVersion": "1", "active": true, "pushNotificationToken": "push",
        "lastSeen": client(&bob, "d 1/é")["lastSeen"], "info": { "os": "B", "wifi": "YES" },
    });
    assert_eq!(answer.json(), json!({ "device": expected }));
    assert_eq!(*client(&look_up(&program, "bob"), "d 1/é"), expected);
    assert_eq!(
        done(&program, &line, json!({})),
        json!({ "device": expected }),
        "nothing said, nothing changed"
    );
    for body in [json!({ "info": [] }), json!({ "appVersion": 1 }), json!({ "info": { "os": [] } })] {
        refused(&ask(&program, &token(), &line, &body), 400, "bad_request");
    }
}

#[test]
fn an_event_is_journalled_and_sets_its_fields() {
    let home = Home::new();
    let program = home.start();
    create(&program, "bob");
    let rows = home.rows("journal");
    let body = json!({ "name": "completed-sign-up", "appUser": { "givenName": "Bob", "properties": { "step": 3 } } });
    let answer = ask(&program, &token(), "POST /v1/appusers/bob/events", &body);
    assert_eq!((answer.status, answer.json()), (201, json!({ "conversationUpdated": false })));
    assert_eq!(home.rows("journal"), rows + 1);
    let bob = look_up(&program, "bob");
    assert_eq!((&bob["givenName"], &bob["properties"]), (&json!("Bob"), &json!({ "step": 3 })));
    for body in [json!({}), json!({ "name": "" }), json!({ "name": 7 }), json!({ "name": null }), Value::Null]
    {
        let answer = ask(&program, &token(), "POST /v1/appusers/bob/events", &body);
        refused(&answer, 400, "bad_request");
        assert!(answer.text.contains("name"), "{answer:?}");
    }
    assert_eq!(home.rows("journal"), rows + 1);
}

#[test]
fn channels_are_the_clients_of_others() {
    let program = Home::new().start();
    let bob = "c7f6e6d6c3a637261bd9656f";
    deliver(
        &program,
        &message(
            bob,
            1.0,
            json!({ "userId": "bob", "clients": [
            { "id": "c1", "platform": "twilio", "active": true, "raw": { "phoneNumber": "+15145555555" } },
            { "id": "c2", "platform": "messenger", "active": true, "integrationId": "i1", "externalId": "psid-7" },
            { "id": "c4", "platform": "telegram", "active": true, "externalId": "5550105", "raw": { "username": "bob" } },
            { "id": "c3", "platform": "ios", "active": true } ] }),
        ),
    );
    start(&program, "d1", Some("bob"));
    let channels = done(&program, "GET /v1/appusers/bob/channels", Value::Null);
    let expected = json!([
        { "type": "twilio", "phoneNumber": "+15145555555" },
        { "type": "messenger", "integrationId": "i1", "userId": "psid-7" },
        { "type": "telegram", "chatId": "5550105", "username": "bob" },
    ]);
    assert_eq!(channels, json!({ "channels": expected }));
    // v2 has its own names for clients; a channel is the same.
    let client = json!({ "id": "c5", "type": "whatsapp", "status": "active", "externalId": "15145555555" });
    let event = json!({ "id": "e", "type": "client:add", "createdAt": "2024-03-01T10:00:00.000Z",
        "payload": { "user": { "id": bob }, "client": client } });
    let body =
        json!({ "app": { "id": super::APP }, "webhook": { "id": "w", "version": "v2" }, "events": [event] });
    assert_eq!(program.webhook(body.to_string()).status, 200);
    for base in ["/v1", "/v1.1"] {
        let channels = done(&program, &format!("GET {base}/appusers/bob/channels"), Value::Null);
        assert_eq!(channels["channels"][3], json!({ "type": "whatsapp", "phoneNumber": "15145555555" }));
    }
}

#[test]
fn two_users_are_merged_and_are_two_again() {
    let program = Home::new().start();
    let [bob, eve] = ["bob", "eve"].map(|name| create(&program, name));
    done(&program, "PUT /v1/appusers/bob", json!({ "properties": { "both": "bob", "bobs": 1 } }));
    done(
        &program,
        "PUT /v1/appusers/eve",
        json!({ "properties": { "both": "eve", "eves": 1 }, "email": "e@example.com" }),
    );
    let merge = |surviving: &str, discarded: &str| {
        let body = json!({ "surviving": { "_id": surviving }, "discarded": { "_id": discarded } });
        ask(&program, &app(), "POST /v1.1/appusers/merge", &body)
    };
    refused(&merge(&bob, &bob), 400, "bad_request");
    refused(&merge("bob", &bob), 400, "bad_request");
    let answer = merge(&bob, &eve);
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    let one = look_up(&program, &eve);
    assert_eq!((one["_id"].as_str(), &one["userId"]), (Some(&*bob), &json!("bob")));
    assert_eq!(one["properties"], json!({ "both": "bob", "bobs": 1, "eves": 1 }));
    assert_eq!(one["email"], "e@example.com");
    refused(&merge(&bob, &eve), 400, "bad_request");
    assert_eq!(program.all_app_users().len(), 1);
    let two = done(&program, "POST /v1/appusers/bob/unmerge", json!({ "discarded": { "_id": eve } }));
    assert_eq!(two["appUser"]["properties"], json!({ "both": "bob", "bobs": 1 }));
    assert_eq!(two["discarded"]["properties"], json!({ "both": "eve", "eves": 1 }));
    assert_eq!([id(&two), two["discarded"]["_id"].as_str().unwrap().to_owned()], [bob.clone(), eve.clone()]);
    refused(
        &ask(&program, &app(), "POST /v1/appusers/bob/unmerge", &json!({ "discarded": { "_id": eve } })),
        404,
        "not_found",
    );
    for body in
        [json!({}), json!({ "surviving": { "_id": bob } }), json!({ "surviving": bob, "discarded": eve })]
    {
        refused(&ask(&program, &app(), "POST /v1/appusers/merge", &body), 400, "bad_request");
    }
}
