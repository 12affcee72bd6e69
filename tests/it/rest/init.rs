//! A device starts: each row of the table of init, and the valid members of a device.

use serde_json::{Value, json};

use super::{
    APP, Home, Who, app, ask, client, create, deliver, done, id, look_up, refused, start, start_as, token,
    user,
};

#[test]
fn an_unknown_device_without_a_name_is_a_new_anonymous_user_and_stays_it() {
    let program = Home::new().start();
    let first = start(&program, "d1", None);
    assert!(first.get("userId").is_none(), "{first}");
    assert_eq!(client(&first, "d1")["active"], true);
    let device = json!({ "id": "d1", "platform": "ios", "appVersion": "2.0", "info": { "os": "iPhone OS" } });
    let again = done(&program, "POST /v1/init", json!({ "device": device }))["appUser"].clone();
    assert_eq!(again["_id"], first["_id"]);
    let now = client(&again, "d1");
    assert_eq!((&now["appVersion"], &now["info"]), (&json!("2.0"), &json!({ "os": "iPhone OS" })));
    assert!(now["lastSeen"].as_str() >= client(&first, "d1")["lastSeen"].as_str(), "{now}");
    assert_ne!(start(&program, "d2", None)["_id"], first["_id"], "another device is another user");
}

#[test]
fn an_unknown_name_on_an_unknown_device_is_a_new_user() {
    let program = Home::new().start();
    let bob = start(&program, "d1", Some("bob"));
    assert_eq!(bob["userId"], "bob");
    let shown = look_up(&program, "bob");
    assert_eq!(shown, bob, "what init answers is what is looked up");
}

#[test]
fn a_known_name_is_that_user_with_one_more_client() {
    let program = Home::new().start();
    let made = create(&program, "bob");
    done(&program, "PUT /v1/appusers/bob", json!({ "properties": { "plan": "gold" } }));
    let phone = start(&program, "phone", Some("bob"));
    let tablet = start(&program, "tablet", Some("bob"));
    assert_eq!((&phone["_id"], &tablet["_id"]), (&json!(made), &json!(made)));
    assert_eq!(tablet["properties"], json!({ "plan": "gold" }));
    for device in ["phone", "tablet"] {
        assert_eq!(client(&tablet, device)["active"], true, "one user, active on both: {tablet}");
    }
}

#[test]
fn an_anonymous_user_with_a_new_name_stays_the_same_user() {
    let program = Home::new().start();
    let anonymous = start(&program, "d1", None);
    let at = format!("PUT /v1/appusers/{}", anonymous["_id"].as_str().unwrap());
    done(&program, &at, json!({ "properties": { "cart": 3 }, "givenName": "Bob" }));
    let bob = start(&program, "d1", Some("bob"));
    assert_eq!((&bob["_id"], &bob["userId"]), (&anonymous["_id"], &json!("bob")));
    assert_eq!((&bob["properties"], &bob["givenName"]), (&json!({ "cart": 3 }), &json!("Bob")));
}

#[test]
fn an_anonymous_user_with_a_known_name_is_merged_into_that_user() {
    let program = Home::new().start();
    let made = create(&program, "bob");
    done(&program, "PUT /v1/appusers/bob", json!({ "properties": { "plan": "gold", "both": "his" } }));
    let anonymous = start(&program, "d1", None)["_id"].as_str().unwrap().to_owned();
    let set = json!({ "properties": { "cart": 3, "both": "theirs" } });
    done(&program, &format!("PUT /v1/appusers/{anonymous}"), set);
    let bob = start(&program, "d1", Some("bob"));
    assert_eq!(bob["_id"], made, "the _id is another than before, and the caller is told");
    assert_eq!(bob["properties"], json!({ "plan": "gold", "both": "his", "cart": 3 }));
    assert_eq!(client(&bob, "d1")["active"], true);
    assert_eq!(look_up(&program, &anonymous), bob, "the old _id still means them");
    assert_eq!(program.all_app_users().len(), 1);
}

#[test]
fn without_a_name_a_named_user_is_logged_out() {
    let program = Home::new().start();
    for absent in [json!(null), json!(""), Value::Null] {
        let bob = start(&program, "d1", Some("bob"));
        let mut body = json!({ "device": { "id": "d1", "platform": "web" }, "userId": absent });
        if absent.is_null() {
            body.as_object_mut().unwrap().remove("userId");
        }
        let anonymous = ask(&program, &token(), "POST /v1/init", &body).json()["appUser"].clone();
        assert_ne!(anonymous["_id"], bob["_id"], "{body}");
        assert!(anonymous.get("userId").is_none(), "{anonymous}");
        assert_eq!(client(&anonymous, "d1")["active"], true);
        assert_eq!(client(&look_up(&program, "bob"), "d1")["active"], false, "{body}");
        assert!(anonymous.get("properties") == Some(&json!({})), "nothing of bob is shown: {anonymous}");
    }
}

#[test]
fn the_last_login_is_the_only_active_user_of_a_device() {
    let program = Home::new().start();
    let body = |user_id: &str| json!({ "device": { "id": "d1", "platform": "ios", "pushNotificationToken": "push-1" }, "userId": user_id });
    let bob = done(&program, "POST /v1/init", body("bob"));
    let eve = done(&program, "POST /v1/init", body("eve"));
    assert_ne!(id(&eve), id(&bob));
    assert_eq!(client(&eve["appUser"], "d1")["pushNotificationToken"], "push-1");
    let left = look_up(&program, "bob");
    assert_eq!(client(&left, "d1")["active"], false);
    assert!(client(&left, "d1").get("pushNotificationToken").is_none(), "nothing is pushed to bob: {left}");
    let back = start(&program, "d1", Some("bob"));
    assert_eq!((back["_id"].as_str(), &client(&back, "d1")["active"]), (Some(&*id(&bob)), &json!(true)));
    assert_eq!(client(&look_up(&program, "eve"), "d1")["active"], false);
}

#[test]
fn a_device_with_two_ids_belongs_to_the_last_user_by_both() {
    let program = Home::new().start();
    let both = json!({ "_id": "H", "id": "uuid", "platform": "ios", "active": true });
    let one = json!({ "id": "H", "type": "ios", "status": "active" });
    let ann = json!({ "trigger": "conversation:read", "version": "v1.1", "app": { "_id": APP }, "timestamp": 1_444_348_338.0,
        "appUser": { "_id": "ann", "userId": "ann" }, "client": both });
    let bob = json!({ "app": { "id": APP }, "webhook": { "id": "w", "version": "v2" }, "events": [{ "id": "e",
        "type": "client:add", "createdAt": "2016-01-01T12:00:00.000Z", "payload": { "user": { "id": "bob" }, "client": one } }] });
    [ann, bob].iter().for_each(|body| deliver(&program, &body.to_string()));
    let active = |name: &str, id: &str| client(&look_up(&program, name), id)["active"].clone();
    assert_eq!((active("ann", "uuid"), active("bob", "H")), (json!(false), json!(true)), "told");
    assert_eq!(start(&program, "uuid", None)["_id"], "bob", "who has it under its other id, and has no name");
    assert_eq!(look_up(&program, "bob")["clients"].as_array().map(Vec::len), Some(1), "it is one client");
    assert_eq!((active("ann", "uuid"), active("bob", "uuid")), (json!(false), json!(true)), "started");
    start(&program, "uuid", Some("bob"));
    start(&program, "uuid", Some("dan"));
    let all = ["ann", "bob", "dan"].map(|name| active(name, "uuid"));
    assert_eq!(all, [json!(false), json!(false), json!(true)], "logged in");
}

#[test]
fn a_push_token_is_replaced_when_sent_and_stays_when_not() {
    let program = Home::new().start();
    let init = |token: Option<Value>| {
        let mut device = json!({ "id": "d1", "platform": "ios" });
        if let Some(token) = token {
            device["pushNotificationToken"] = token;
        }
        let answer = done(&program, "POST /v1/init", json!({ "device": device, "userId": "bob" }));
        client(&answer["appUser"], "d1")["pushNotificationToken"].clone()
    };
    assert_eq!(init(None), Value::Null);
    assert_eq!(init(Some("one".into())), "one");
    assert_eq!(init(None), "one", "left out, it stays");
    assert_eq!(init(Some(Value::Null)), "one", "null is left out");
    assert_eq!(init(Some("two".into())), "two");
    let taken = done(&program, "PUT /v1/appusers/bob/devices/d1", json!({ "pushNotificationToken": null }));
    assert!(taken["device"].get("pushNotificationToken").is_none(), "{taken}");
    assert_eq!(init(None), Value::Null);
}

#[test]
fn the_app_is_described_as_every_client_expects() {
    let program = Home::new().start();
    let plain = done(&program, "POST /v1/init", json!({ "device": { "id": "d1", "platform": "other" } }));
    let app = json!({
        "_id": super::APP, "appToken": "demo-app-token", "name": plain["app"]["name"],
        "hasIcon": false, "apnEnabled": false, "settings": { "web": { "channels": {} } }, "integrations": [],
    });
    assert_eq!(plain["app"], app);
    assert!(plain["app"]["name"].is_string(), "{plain}");
    for (member, value) in [("properties", json!({})), ("conversationStarted", json!(false))] {
        assert_eq!(plain["appUser"][member], value);
    }
    let home = Home::with(
        r#"
[[apps]]
id = "5698edbf2a43bd081be982f1"
name = "The shop"
has_icon = true
apn_enabled = true
gcm_project = "731399543244"
app_token = "demo-app-token"
webhook_secrets = ["demo-webhook-secret"]
keys = [{ id = "app_demo", secret = "demo-key-secret-change-me" }]
"#,
    );
    let program = home.start();
    let told = done(&program, "POST /v1/init", json!({ "device": { "id": "d1", "platform": "ios" } }))["app"]
        .clone();
    let expected =
        json!({ "name": "The shop", "hasIcon": true, "apnEnabled": true, "gcmProject": "731399543244" });
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(&told[member], value);
    }
}

#[test]
fn a_device_that_is_none_is_400_and_the_member_is_named() {
    let program = Home::new().start();
    let device = |members: Value| json!({ "device": members });
    for (body, named) in [
        (json!({}), "device"),
        (json!({ "device": null }), "device"),
        (device(json!("d1")), "device"),
        (device(json!([])), "device"),
        (device(json!({ "platform": "ios" })), "device.id"),
        (device(json!({ "id": "", "platform": "ios" })), "device.id"),
        (device(json!({ "id": 7, "platform": "ios" })), "device.id"),
        (device(json!({ "id": "x".repeat(1025), "platform": "ios" })), "device.id"),
        (device(json!({ "id": "d1" })), "device.platform"),
        (device(json!({ "id": "d1", "platform": "messenger" })), "device.platform"),
        (device(json!({ "id": "d1", "platform": "iOS" })), "device.platform"),
        (device(json!({ "id": "d1", "platform": ["ios"] })), "device.platform"),
        (device(json!({ "id": "d1", "platform": "ios", "info": "x" })), "device.info"),
        (device(json!({ "id": "d1", "platform": "ios", "info": { "os": {} } })), "device.info.os"),
        (device(json!({ "id": "d1", "platform": "ios", "appVersion": 1 })), "device.appVersion"),
        (
            device(json!({ "id": "d1", "platform": "ios", "pushNotificationToken": 1 })),
            "device.pushNotificationToken",
        ),
        (json!({ "device": { "id": "d1", "platform": "ios" }, "userId": 7 }), "userId"),
        (json!({ "device": { "id": "d1", "platform": "ios" }, "userId": "x".repeat(1025) }), "userId"),
    ] {
        let answer = ask(&program, &token(), "POST /v1/init", &body);
        refused(&answer, 400, "bad_request");
        assert!(
            answer.json()["error"]["description"].as_str().unwrap().contains(named),
            "{body}: {answer:?}"
        );
    }
    assert_eq!(program.all_app_users(), Vec::<Value>::new(), "and nobody is made");
    let flat = json!({ "currentTittle": "Welcome", "wifi": true, "buildNumber": 7, "unknown": "kept" });
    let answer = done(
        &program,
        "POST /v1/init",
        device(json!({ "id": "d1", "platform": "web", "info": flat, "unknown": {} })),
    );
    assert_eq!(client(&answer["appUser"], "d1")["info"], flat);
}

/// True if the app token still reaches an app user.
fn token_reaches(program: &super::Program, name: &str) -> bool {
    let answer = ask(program, &token(), &format!("GET /v1/appusers/{name}"), &Value::Null);
    if answer.status != 200 {
        refused(&answer, 401, "unauthorized");
    }
    answer.status == 200
}

#[test]
fn a_jwt_of_a_user_secures_them_for_good() {
    let home = Home::new();
    let program = home.start();
    start(&program, "d1", Some("bob"));
    assert!(token_reaches(&program, "bob"));
    let secured = start_as(&program, &user("bob"), "d1", Some("bob"));
    assert_eq!(secured.status, 200, "{secured:?}");
    assert_eq!(secured.json()["appUser"]["credentialRequired"], true);
    program.kill();
    let program = home.start();
    assert!(!token_reaches(&program, "bob"), "also after a crash");
    refused(&start_as(&program, &token(), "d2", Some("bob")), 401, "unauthorized");
    for who in [app(), user("bob"), super::key()] {
        assert_eq!(start_as(&program, &who, "d2", Some("bob")).status, 200);
    }
    assert_eq!(start(&program, "d1", None).get("userId"), None, "the token may still log out");
    // So does the creating of one, and any other call by their JWT.
    done(&program, "POST /v1/appusers", json!({ "userId": "eve", "credentialRequired": true }));
    assert!(!token_reaches(&program, "eve"));
    for (name, line, body) in [
        ("u1", "GET /v1/appusers/u1", Value::Null),
        ("u2", "PUT /v1/appusers/u2", json!({ "givenName": "U" })),
        ("u3", "POST /v1/appusers/u3/events", json!({ "name": "seen" })),
        ("u4", "GET /v1/appusers/u4/channels", Value::Null),
    ] {
        create(&program, name);
        assert!(token_reaches(&program, name));
        assert!([200, 201].contains(&ask(&program, &user(name), line, &body).status), "{line}");
        assert!(!token_reaches(&program, name), "{line}");
    }
}

#[test]
fn a_secured_user_stays_secured_through_a_merge() {
    let program = Home::new().start();
    let secured = id(&start_as(&program, &user("bob"), "d1", None).json());
    create(&program, "eve");
    done(
        &program,
        "POST /v1/appusers/merge",
        json!({ "surviving": { "_id": "eve" }, "discarded": { "_id": secured } }),
    );
    assert!(!token_reaches(&program, "eve") && !token_reaches(&program, &secured));
}

#[test]
fn a_user_speaks_for_themselves_alone() {
    let program = Home::new().start();
    let bob: Who = user("bob");
    refused(&start_as(&program, &bob, "d1", Some("eve")), 403, "forbidden");
    assert_eq!(program.all_app_users(), Vec::<Value>::new());
    for absent in [None, Some("")] {
        let answer = start_as(&program, &bob, "d1", absent).json();
        assert_eq!(answer["appUser"]["userId"], "bob", "without a userId it is the JWT's: {answer}");
    }
    // An anonymous user becomes bob by his JWT, and is secured with that.
    let anonymous = start(&program, "d2", None);
    let eve = start_as(&program, &user("eve"), "d2", Some("eve")).json();
    assert_eq!(id(&eve), anonymous["_id"].as_str().unwrap());
    assert!(!token_reaches(&program, "eve"));
    refused(&ask(&program, &super::no_credential(), "POST /v1/init", &json!({})), 401, "unauthorized");
}
