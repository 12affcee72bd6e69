//! v2 where its own clients notice a difference: devices as clients, the form of a profile, the text of a refusal.

use serde_json::{Value, json};

use super::{APP, Home, Program, app, ask, deliver, message, start};

const BOB: &str = "c7f6e6d6c3a637261bd9656f";

fn v2(program: &Program, line: &str) -> Value {
    let (method, path) = line.split_once(' ').unwrap();
    let answer = ask(program, &app(), &format!("{method} /v2/apps/{APP}{path}"), &Value::Null);
    assert_eq!(answer.status, 200, "{line}: {answer:?}");
    answer.json()
}

/// Smooch reports bob in a v2 event.
fn event(program: &Program, kind: &str, minute: u32, payload: &Value) {
    let event = json!({ "id": format!("e{minute}"), "type": kind, "createdAt": format!("2024-03-01T10:{minute:02}:00.000Z"),
        "payload": payload });
    let body = json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": [event] });
    assert_eq!(program.webhook(body.to_string()).status, 200);
}

#[test]
fn personal_fields_are_cleared_and_the_language_stays() {
    for call in ["/v2/apps/APP/users/bob/personalinformation", "/v1/appusers/bob/profile"] {
        let program = Home::new().start();
        let picture = "https://x.example/a.png";
        let user = json!({ "id": BOB, "externalId": "bob", "brandId": "811", "metadata": { "plan": "gold" },
            "profile": { "givenName": "Bob", "surname": "Doe", "email": "b@x.example", "avatarUrl": picture, "locale": "de" } });
        event(&program, "user:update", 0, &json!({ "user": user }));
        let client = json!({ "id": "c1", "type": "twilio", "status": "active", "externalId": "+1514",
            "displayName": "+1514", "avatarUrl": picture, "info": { "city": "M" }, "raw": { "From": "+1514" } });
        event(&program, "client:add", 1, &json!({ "user": { "id": BOB }, "client": client }));
        let answer = ask(&program, &app(), &format!("DELETE {}", call.replace("APP", APP)), &Value::Null);
        assert_eq!(answer.status, 200, "{answer:?}");
        let bob = v2(&program, "GET /users/bob")["user"].clone();
        let expected = json!({ "id": BOB, "externalId": "bob", "brandId": "811", "profile": { "locale": "de" }, "metadata": {} });
        assert_eq!(bob, expected, "{call}");
        let clients = v2(&program, "GET /users/bob/clients")["clients"].clone();
        let left = json!([{ "id": "c1", "type": "twilio", "status": "active", "externalId": "+1514" }]);
        assert_eq!(clients, left, "{call}");
        // Values set by our own API are cleared too.
        let given = json!({ "profile": { "avatarUrl": picture, "locale": "fr" } });
        let line = format!("PATCH /v2/apps/{APP}/users/bob");
        assert_eq!(ask(&program, &app(), &line, &given).status, 200);
        ask(&program, &app(), &format!("DELETE {}", call.replace("APP", APP)), &Value::Null);
        assert_eq!(v2(&program, "GET /users/bob")["user"]["profile"], json!({ "locale": "fr" }), "{call}");
    }
}

/// The devices and the clients of bob; each device names a client that is listed.
fn both(program: &Program) -> [Vec<Value>; 2] {
    let list = |name: &str| v2(program, &format!("GET /users/bob/{name}"))[name].as_array().unwrap().clone();
    let [devices, clients] = ["devices", "clients"].map(list);
    for device in &devices {
        let its: Vec<_> = clients.iter().filter(|client| client["id"] == device["clientId"]).collect();
        assert_eq!(its.len(), 1, "{device} in {clients:?}");
        assert_eq!((&its[0]["type"], &its[0]["status"]), (&json!("sdk"), &device["status"]), "{device}");
    }
    [devices, clients]
}

#[test]
fn a_device_is_also_a_client_from_any_source() {
    let program = Home::new().start();
    start(&program, "by-init", Some("bob"));
    let [devices, clients] = both(&program);
    assert_eq!((devices.len(), clients.len()), (1, 1));
    assert_eq!((&clients[0]["status"], &clients[0]["id"]), (&json!("active"), &json!("by-init")));
    // By a v1 webhook, in a list.
    let client = |id: &str, platform: &str| json!({ "id": id, "platform": platform, "active": true });
    let list = json!([client("by-v1", "android"), client("sms", "twilio"), client("odd", "other")]);
    deliver(&program, &message(BOB, 1.0, json!({ "userId": "bob", "clients": list })));
    let [devices, clients] = both(&program);
    assert_eq!((devices.len(), clients.len()), (2, 3), "{devices:?} {clients:?}");
    // One that v1 calls by two ids.
    let body = json!({ "trigger": "client:add", "version": "v1.1", "app": { "_id": APP }, "timestamp": 2.0,
        "appUser": { "_id": BOB }, "client": { "_id": "5e0", "id": "by-v11", "platform": "web", "active": true } });
    deliver(&program, &body.to_string());
    let [devices, clients] = both(&program);
    assert_eq!((devices.len(), clients.len()), (3, 4), "{devices:?} {clients:?}");
    // v2 reports both, the device and its client.
    let source = json!({ "type": "web",
        "client": { "id": "C1", "type": "sdk", "status": "active", "integrationId": "i" },
        "device": { "id": "D1", "type": "web", "guid": "G1", "clientId": "C1", "status": "active", "lastSeen": "2024-03-01T09:00:00.000Z" } });
    let author = json!({ "type": "user", "userId": BOB, "user": { "id": BOB, "externalId": "bob" } });
    let said = json!({ "message": { "id": "m", "author": author, "source": source } });
    event(&program, "conversation:message", 3, &said);
    let [devices, clients] = both(&program);
    assert_eq!((devices.len(), clients.len()), (4, 5), "{devices:?} {clients:?}");
    let own = clients.iter().find(|client| client["id"] == "C1").unwrap();
    assert_eq!(own["integrationId"], "i", "Smooch's own word of the client goes first");
    // The next app user of the device takes it over.
    start(&program, "by-init", Some("eve"));
    let clients = both(&program)[1].clone();
    let left = clients.iter().find(|client| client["id"] == "by-init").unwrap();
    assert_eq!(left["status"], "inactive");
}

#[test]
fn every_invalid_credential_has_one_code_in_v2() {
    let program = Home::new().start();
    let basic = |key: &str, secret: &str| crate::support::basic(key, secret);
    let expired = super::jwt(json!({ "scope": "app", "exp": 1 })).remove(0).1;
    let wrong =
        super::jwt_of("app_demo", "another secret, long enough", &json!({ "scope": "app" })).remove(0).1;
    let nobody = super::jwt_of("nobody", "demo-key-secret-change-me", &json!({ "scope": "app" })).remove(0).1;
    for authorization in [
        basic("nobody", "x"),
        basic("app_demo", "wrong"),
        "Basic !".to_owned(),
        "Bearer x".to_owned(),
        "Digest x".to_owned(),
        expired,
        wrong,
        nobody,
    ] {
        let headers = [("authorization", authorization.as_str())];
        for path in ["/users", "/users/bob", "/users/bob/clients"] {
            let answer = program.request("GET", &format!("/v2/apps/{APP}{path}"), &headers, b"");
            let code = answer.json()["errors"][0]["code"].clone();
            assert_eq!((answer.status, code), (401, json!("unauthorized")), "{authorization}: {answer:?}");
        }
        let v1 = program.request("GET", "/v1/appusers", &headers, b"");
        assert_eq!((v1.status, v1.code().as_str()), (401, "invalid_auth"), "{authorization}: {v1:?}");
    }
    for headers in [vec![], vec![("app-token", "unknown")]] {
        let answer = program.request("GET", &format!("/v2/apps/{APP}/users"), &headers, b"");
        assert_eq!((answer.status, &answer.json()["errors"][0]["code"]), (401, &json!("unauthorized")));
    }
}
