//! Bodies of every shape, each with the exact text of its refusal, and the shapes of channels, clients and devices.

use serde_json::{Value, json};

use super::{APP, Home, Program, app, create, deliver, done, look_up, message, send, token};
use crate::support::Answer;

const INIT_PLATFORM: &str = "device.platform must be ios, android, web or other";
const INIT_ID: &str = "device.id must be a string of 1 to 1024 characters";
const USER_ID: &str = "userId must be a string of 1 to 1024 characters";
const MOMENT: &str = "signedUpAt must be an ISO 8601 date and time in UTC or with an offset";
const SURVIVING: &str = "surviving._id must be a string that is not empty";
const DISCARDED: &str = "discarded._id must be a string that is not empty";
const NAME: &str = "name must be a string that is not empty";

/// A call, its bodies, and the refusal of each.
type Refused<'t> = (&'t str, &'t [(&'t str, &'t str)]);

const V1: [Refused<'static>; 7] = [
    (
        "POST /v1/init",
        &[
            ("{}", "should have required property 'device'"),
            (r#"{"device":null}"#, "should have required property 'device'"),
            (r#"{"device":"d"}"#, "device must be an object"),
            (r#"{"device":{"platform":"ios"}}"#, INIT_ID),
            (r#"{"device":{"id":"","platform":"ios"}}"#, INIT_ID),
            (r#"{"device":{"id":7,"platform":"ios"}}"#, INIT_ID),
            (r#"{"device":{"id":"d"}}"#, INIT_PLATFORM),
            (r#"{"device":{"id":"d","platform":"IOS"}}"#, INIT_PLATFORM),
            (r#"{"device":{"id":"d","platform":7}}"#, INIT_PLATFORM),
            (
                r#"{"device":{"id":"d","platform":"ios","appVersion":1}}"#,
                "device.appVersion must be a string",
            ),
            (r#"{"device":{"id":"d","platform":"ios","info":[]}}"#, "device.info must be an object"),
            (
                r#"{"device":{"id":"d","platform":"ios","info":{"k":{}}}}"#,
                "device.info.k must be a string, a number or a boolean",
            ),
            (r#"{"device":{"id":"d","platform":"ios"},"userId":7}"#, USER_ID),
        ],
    ),
    (
        "POST /v1/appusers",
        &[
            ("{}", "should have required property 'userId'"),
            (r#"{"userId":null}"#, "should have required property 'userId'"),
            (r#"{"userId":""}"#, USER_ID),
            (r#"{"userId":7}"#, USER_ID),
            (r#"{"userId":"u","credentialRequired":"yes"}"#, "credentialRequired must be true or false"),
        ],
    ),
    (
        "PUT /v1/appusers/bob",
        &[
            (r#"{"signedUpAt":"2015-10-06"}"#, MOMENT),
            (r#"{"signedUpAt":1444102682}"#, MOMENT),
            (r#"{"surname":7}"#, "surname must be a string of at most 128 characters"),
            (r#"{"properties":[]}"#, "properties must be an object"),
            (r#"{"properties":{"k":{"a":1}}}"#, "properties.k must be a string, a number or a boolean"),
            (r#"{"properties":{"k":[]}}"#, "properties.k must be a string, a number or a boolean"),
        ],
    ),
    (
        "POST /v1/appusers/bob/events",
        &[
            ("{}", "should have required property 'name'"),
            (r#"{"name":""}"#, NAME),
            (r#"{"name":1}"#, NAME),
            (r#"{"name":"won","appUser":[]}"#, "appUser must be an object"),
            (
                r#"{"name":"won","appUser":{"email":1}}"#,
                "appUser.email must be a string of at most 128 characters",
            ),
        ],
    ),
    (
        "PUT /v1/appusers/bob/devices/d",
        &[
            (r#"{"info":"x"}"#, "info must be an object"),
            (r#"{"info":{"a":[]}}"#, "info.a must be a string, a number or a boolean"),
            (r#"{"pushNotificationToken":1}"#, "pushNotificationToken must be a string"),
        ],
    ),
    (
        "POST /v1/appusers/merge",
        &[
            (
                r#"{"surviving":{"_id":"a","brandId":""},"discarded":{"_id":"b"}}"#,
                "surviving.brandId must be a string that is not empty",
            ),
            (r#"{"surviving":{"_id":"a"},"discarded":[{"_id":"b"},{"_id":"c"}]}"#, DISCARDED),
            (r#"{"surviving":{"_id":"a"},"discarded":[]}"#, DISCARDED),
            (r#"{"surviving":{"_id":"a"}}"#, DISCARDED),
            (r#"{"surviving":"a","discarded":{"_id":"b"}}"#, SURVIVING),
            (r#"{"surviving":{"_id":""},"discarded":{"_id":"b"}}"#, SURVIVING),
            ("{}", SURVIVING),
        ],
    ),
    ("POST /v1/appusers/bob/unmerge", &[("{}", DISCARDED)]),
];

const EXTERNAL_ID: &str = "externalId must be a string of 1 to 1024 characters";

const V2: [Refused<'static>; 2] = [
    (
        "POST /users",
        &[
            ("{}", "should have required property 'externalId'"),
            (r#"{"externalId":""}"#, EXTERNAL_ID),
            (r#"{"externalId":7}"#, EXTERNAL_ID),
        ],
    ),
    (
        "PATCH /users/bob",
        &[
            (r#"{"profile":[]}"#, "profile must be an object"),
            (r#"{"profile":{"email":""}}"#, "profile.email must be a string of 1 to 128 characters"),
            (r#"{"profile":{"locale":1}}"#, "profile.locale must be a string of 1 to 64 characters"),
            (r#"{"metadata":{"k":[]}}"#, "metadata.k must be a string, a number or a boolean"),
            (r#"{"toBeRetained":1}"#, "toBeRetained must be true or false"),
            (r#"{"brandId":1}"#, "brandId must be a string that is not empty"),
        ],
    ),
];

fn as_app(program: &Program, line: &str, body: &str) -> Answer {
    send(program, &app(), line, body.as_bytes())
}

/// The line of a call of v2.
fn v2(line: &str) -> String {
    line.replacen(' ', &format!(" /v2/apps/{APP}"), 1)
}

#[test]
fn every_refusal_of_a_body_says_what_is_wrong_with_it() {
    let program = Home::new().start();
    create(&program, "bob");
    let before = look_up(&program, "bob");
    for (line, bodies) in V1 {
        for (body, says) in bodies {
            let answer = as_app(&program, line, body);
            super::refused(&answer, 400, "bad_request");
            assert_eq!(answer.json()["error"]["description"], *says, "{line} {body}");
        }
        for body in ["[]", "7", "null", "\"bob\""] {
            let answer = as_app(&program, line, body);
            assert_eq!(
                answer.json()["error"]["description"],
                "The body must be a JSON object",
                "{line} {body}"
            );
        }
    }
    for (line, bodies) in V2 {
        for (body, says) in bodies {
            let answer = as_app(&program, &v2(line), body);
            let error = answer.json()["errors"][0].clone();
            assert_eq!((answer.status, &error["title"]), (400, &json!(says)), "{line} {body}: {answer:?}");
        }
    }
    assert_eq!(program.all_app_users(), [before]);
}

#[test]
fn values_are_stored_as_they_are_given() {
    let program = Home::new().start();
    create(&program, "bob");
    let put = |body: &str| {
        let answer = as_app(&program, "PUT /v1/appusers/bob", body);
        assert_eq!(answer.status, 200, "{body}: {answer:?}");
        answer
    };
    let shown = put(r#"{"givenName":"","properties":{"":0,"b":true,"n":1.0e2,"s":"\u0000","z":null}}"#);
    let properties = "\"properties\":{\"\":0,\"b\":true,\"n\":1.0e2,\"s\":\"\u{fffd}\"}";
    assert!(shown.text.contains(properties) && shown.text.contains("\"givenName\":\"\""), "{shown:?}");
    for (given, stored) in [
        (r#""2015-10-06T03:38:02Z""#, json!("2015-10-06T03:38:02.000Z")),
        (r#""2015-10-06T03:38:02.3469Z""#, json!("2015-10-06T03:38:02.346Z")),
        (r#""2015-10-06T05:38:02.5+02:00""#, json!("2015-10-06T03:38:02.500Z")),
        ("null", Value::Null),
    ] {
        let shown = put(&format!(r#"{{"signedUpAt":{given}}}"#));
        assert_eq!(shown.json()["appUser"]["signedUpAt"], stored, "{given}");
    }
    // Characters are counted, not bytes.
    put(&format!(r#"{{"email":"{}"}}"#, "é".repeat(128)));
    let body = format!(r#"{{"email":"{}"}}"#, "é".repeat(129));
    assert_eq!(as_app(&program, "PUT /v1/appusers/bob", &body).status, 400);
    for (length, status) in [(2048, 200), (2049, 400)] {
        let body = format!(r#"{{"profile":{{"avatarUrl":"{}"}}}}"#, "x".repeat(length));
        assert_eq!(as_app(&program, &v2("PATCH /users/bob"), &body).status, status, "{length}");
    }
    let made = as_app(&program, "POST /v1/appusers", r#"{"userId":" ","credentialRequired":true}"#);
    assert_eq!((made.status, &made.json()["appUser"]["credentialRequired"]), (201, &json!(true)), "{made:?}");
    let started = send(
        &program,
        &token(),
        "POST /v1/init",
        br#"{"userId":"b\"@x","device":{"id":"d","platform":"web","new":{},"info":{"os":"x","n":1.50,"b":true,"k":null}}}"#,
    );
    assert!(started.text.contains(r#""info":{"b":true,"n":1.50,"os":"x"}"#), "{started:?}");
    assert_eq!(started.json()["appUser"]["userId"], "b\"@x");
    let device = format!("PUT /v1/appusers/{}/devices/d", crate::support::encoded("b\"@x"));
    let changed = as_app(&program, &device, r#"{"id":"e","platform":7,"appVersion":"","info":null}"#);
    let device = changed.json()["device"].clone();
    assert_eq!((&device["id"], &device["platform"]), (&json!("d"), &json!("web")), "{changed:?}");
    assert_eq!((&device["appVersion"], device.get("info")), (&json!(""), None), "{changed:?}");
}

#[test]
fn each_channel_has_its_own_name_for_its_entity() {
    let program = Home::new().start();
    for (platform, word) in [
        ("twilio", "phoneNumber"),
        ("messagebird", "phoneNumber"),
        ("whatsapp", "phoneNumber"),
        ("googlercs", "phoneNumber"),
        ("mailgun", "address"),
        ("frontendEmail", "address"),
        ("telegram", "chatId"),
        ("messenger", "userId"),
        ("line", "userId"),
        ("viber", "userId"),
        ("wechat", "userId"),
        ("twitter", "userId"),
        ("instagram", "userId"),
        ("apple", "userId"),
        ("a new one", "userId"),
    ] {
        // `externalId` takes precedence over the member in `raw`; without it, that one is shown.
        let beside = |id: &str, external: Value| json!({ "id": id, "active": true, "platform": platform, "externalId": external, "raw": { word: "r" } });
        let clients = json!([
            { "id": "a", "active": true, "externalId": "e1", "integrationId": "i", "platform": platform },
            beside("b", json!(7)), beside("c", json!("e")), beside("d", Value::Null), beside("e", json!("")),
        ]);
        deliver(&program, &message(platform, 1.0, json!({ "clients": clients })));
        let path = format!("GET /v1/appusers/{}/channels", crate::support::encoded(platform));
        let channel = |value: Value| json!({ "type": platform, word: value });
        let mut first = channel(json!("e1"));
        first["integrationId"] = json!("i");
        let others = [json!(7), json!("e"), json!("r"), json!("r")].map(channel);
        let expected: Vec<Value> = std::iter::once(first).chain(others).collect();
        assert_eq!(done(&program, &path, Value::Null), json!({ "channels": expected }), "{platform}");
    }
    let clients = json!([
        { "id": "a", "platform": "ios", "phoneNumber": "+1" },
        { "id": "b", "platform": "twilio", "info": { "phoneNumber": "+15145555555" } },
        { "id": "c", "platform": "telegram", "integrationId": "i", "raw": { "chatId": 7, "userId": null, "username": "u" } },
        { "id": "d", "platform": "frontendEmail" },
        { "id": "e" },
        { "id": "f", "platform": null },
    ]);
    deliver(&program, &message("odd", 1.0, json!({ "clients": clients })));
    let channels = as_app(&program, "GET /v1/appusers/odd/channels", "");
    let expected = r#"{"channels":[{"type":"twilio","phoneNumber":"+15145555555"},{"type":"telegram","username":"u","chatId":7,"integrationId":"i"},{"type":"frontendEmail"}]}"#;
    assert_eq!(channels.text, expected);
}

#[test]
fn users_clients_and_devices_are_shown_as_v2s_clients_accept_them() {
    let program = Home::new().start();
    let user = r#"{"id":"a","externalId":"u","signedUpAt":"2020","authenticated":true,"identities":[],"zendeskId":"z",
        "toBeRetained":"yes","metadata":{"":""},
        "profile":{"givenName":"","surname":7,"email":"e@x","locale":"de","localeOrigin":"x","avatarUrl":""}}"#;
    let body = format!(
        r#"{{"app":{{"id":"{APP}"}},"events":[{{"id":"e","type":"user:update","createdAt":"2020-02-25T18:06:37.547Z","payload":{{"user":{user}}}}}]}}"#
    );
    deliver(&program, &body);
    let get = |path: &str| as_app(&program, &v2(&format!("GET {path}")), "").text;
    assert_eq!(
        get("/users/a"),
        r#"{"user":{"id":"a","externalId":"u","signedUpAt":"2020","authenticated":true,"identities":[],"zendeskId":"z","profile":{"email":"e@x","locale":"de","localeOrigin":"x"},"metadata":{"":""}}}"#
    );
    deliver(&program, &message("bare", 1.0, json!({})));
    assert_eq!(get("/users/bare"), r#"{"user":{"id":"bare","profile":{},"metadata":{}}}"#);

    let clients = json!([
        { "id": "a", "active": true, "platform": "ios", "status": "active" },
        { "id": "b", "active": false, "displayName": null, "info": {}, "lastSeen": "l", "platform": "twilio", "raw": "x", "status": "active" },
        { "id": "c", "active": false, "avatarUrl": "", "platform": "whatsapp", "status": "blocked" },
        { "id": "d", "active": true, "platform": "sdk", "status": "odd" },
        { "id": "e", "active": true, "platform": "frontendEmail" },
        { "id": "f", "active": true },
        { "id": "g", "active": true, "_id": "D", "clientId": "C", "platform": "android" },
        { "id": "h", "active": false, "_id": "I", "platform": "web" },
        { "id": "i", "active": true, "clientId": "d", "info": { "os": "x" }, "platform": "web" },
        { "id": "j", "active": true, "platform": "other" },
    ]);
    deliver(&program, &message("clients", 1.0, json!({ "clients": clients })));
    let expected = r#"{"clients":[{"id":"C","type":"sdk","status":"active"},{"id":"I","type":"sdk","status":"inactive"},{"id":"a","type":"sdk","status":"active"},{"id":"b","type":"twilio","status":"inactive","lastSeen":"l","info":{}},{"id":"c","type":"whatsapp","status":"blocked","avatarUrl":""},{"id":"d","type":"sdk","status":"active"}],"#;
    let shown = get("/users/clients/clients");
    assert!(shown.starts_with(expected), "{shown}");

    let devices = json!([
        { "id": "g1", "active": true, "platform": "ios" },
        { "id": "g2", "active": false, "_id": "d2", "appVersion": "1", "clientId": "c2", "info": { "os": "x" },
          "integrationId": "i", "lastSeen": "l", "platform": "web", "pushNotificationToken": "t", "status": "pending" },
        { "id": "g3", "active": true, "platform": "other" },
        { "id": "g4", "active": true, "platform": "twilio" },
    ]);
    deliver(&program, &message("devices", 1_582_653_997.547, json!({ "clients": devices })));
    let expected = r#"{"devices":[{"id":"g1","type":"ios","guid":"g1","clientId":"g1","status":"active","lastSeen":"2020-02-25T18:06:37.547Z"},{"id":"d2","type":"web","guid":"g2","clientId":"c2","status":"inactive","lastSeen":"l","integrationId":"i","pushNotificationToken":"t","appVersion":"1","info":{"os":"x"}}]}"#;
    assert_eq!(get("/users/devices/devices"), expected);
}
