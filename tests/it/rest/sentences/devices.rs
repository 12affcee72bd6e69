//! The reference of init: its device and its answer.

use serde_json::{Value, json};

use super::super::{ask, client, deliver, done, look_up, message, refused, start, user};
use super::Sentence;
use super::init::{boot, with_device};
use crate::support::Program;

pub(super) const SENTENCES: [Sentence; 20] = [
    (
        "Smooch uses the term `client` to refer generally to means by which a user can send and receive messages. This \
         includes 3rd party accounts such as a connected Facebook Messenger account, however the init API \
         specifically deals with registration and identification of iOS, Android and Web devices, which become \
         persisted as one or many clients connected to a single user.",
        devices_are_clients,
    ),
    (
        "If a `userId` is used when calling `/v1/init`, then clients and app users may have a many-to-many \
         relationship. A single `userId` may use Smooch from multiple clients and multiple different `userId`s may log \
         in to the same device.",
        many_to_many,
    ),
    ("Note: Only one `userId` can be active on a given client at a time.", one_is_active),
    (
        "On a push notification capable client that's shared between multiple `userId`s, only the most recent `userId` \
         to have called `/v1/init` will receive push notifications from the integrated application on that client.",
        push_goes_to_the_last,
    ),
    ("id, required: An identifier for the device. Must be globally unique.", an_id_is_needed),
    ("platform, required: `ios`, `android`, `web`, or `other`", a_platform_is_needed),
    (
        "pushNotificationToken, optional: The GCM or APN token to be used for sending push notifications to the device.",
        a_push_token,
    ),
    (
        "appVersion, optional: A reserved string field for reporting the app version running on the device. For example: \
         `8.0`",
        an_app_version,
    ),
    ("info, optional: A flat JSON structure detailing device properties. See below.", flat_info),
    ("The `device` object may also accept a flat `info` object.", flat_info),
    (
        "Device information reported here will be rendered alongside app user information inside any app maker channels \
         configured with Smooch.",
        info_is_shown,
    ),
    (
        "The `platform` and `appVersion` fields are special in that they can be used as audience targeting criteria for \
         whispers.",
        targeting,
    ),
    ("appName, deviceModel, os, osVersion: ios, android", mobile_info),
    ("radioAccessTechnology, carrier, devicePlatform, wifi: ios, android", mobile_info),
    ("currentUrl, userAgent, referrer, browserLanguage, currentTittle: web", web_info),
    (
        "The API will respond with the `_id` of the app user in question, which can then be used to make API calls to \
         the conversation API.",
        the_conversation_api,
    ),
    (
        "The response will also include any profile information that was previously set for the app user, including \
         custom properties.",
        profile_is_included,
    ),
    ("In some scenarios, the `appUser._id` returned in an app boot call may change.", the_id_may_change),
    (
        "This is possible for example when the `userId` is being used to log a user in on multiple clients, which may \
         cause two distinct app users to merge together.",
        the_id_may_change,
    ),
    (
        "The caller should always check if the returned `appUser._id` has changed, and re-fetch conversation history \
         whenever appropriate.",
        the_old_id_leads_on,
    ),
];

fn devices_are_clients(program: &Program) {
    let messenger = json!({ "id": "m", "platform": "messenger", "active": true });
    deliver(
        program,
        &message("c7f6e6d6c3a637261bd9656f", 1.5e9, json!({ "userId": "bob", "clients": [messenger] })),
    );
    for (device, platform) in [("phone", "ios"), ("tablet", "android"), ("site", "web")] {
        let body = json!({ "device": { "id": device, "platform": platform }, "userId": "bob" });
        assert_eq!(boot(program, body).status, 200);
    }
    let bob = look_up(program, "bob");
    let platforms: Vec<&Value> =
        bob["clients"].as_array().unwrap().iter().map(|client| &client["platform"]).collect();
    for platform in ["messenger", "ios", "android", "web"] {
        assert!(platforms.contains(&&json!(platform)), "{platform}: {bob}");
    }
    let channels = done(program, "GET /v1/appusers/bob/channels", Value::Null);
    assert_eq!(channels["channels"].as_array().map(Vec::len), Some(1), "3rd party accounts only: {channels}");
}

fn many_to_many(program: &Program) {
    for (device, user_id) in [("a", "bob"), ("b", "bob"), ("a", "eve"), ("b", "eve"), ("a", "ann")] {
        start(program, device, Some(user_id));
    }
    let clients = |name: &str| look_up(program, name)["clients"].as_array().unwrap().len();
    assert_eq!([clients("bob"), clients("eve"), clients("ann")], [2, 2, 1]);
}

/// The holders of a device, among these app users.
fn active(program: &Program, device: &str, names: &[&'static str]) -> Vec<&'static str> {
    let is_active = |name: &&&str| client(&look_up(program, name), device)["active"] == true;
    names.iter().filter(is_active).copied().collect()
}

fn one_is_active(program: &Program) {
    for (n, last) in ["bob", "eve", "ann", "bob", "eve"].iter().enumerate() {
        start(program, "shared", Some(last));
        let known: &[&str] = &["bob", "eve", "ann"][..(n + 1).min(3)];
        assert_eq!(active(program, "shared", known), [*last]);
    }
}

fn push_goes_to_the_last(program: &Program) {
    for name in ["bob", "eve"] {
        let device = json!({ "id": "shared", "platform": "ios", "pushNotificationToken": "apn-token" });
        assert_eq!(boot(program, json!({ "device": device, "userId": name })).status, 200);
    }
    let (bob, eve) = (look_up(program, "bob"), look_up(program, "eve"));
    assert_eq!(client(&eve, "shared")["pushNotificationToken"], "apn-token");
    assert_eq!(
        (&client(&eve, "shared")["active"], &client(&bob, "shared")["active"]),
        (&json!(true), &json!(false))
    );
}

fn an_id_is_needed(program: &Program) {
    for device in [
        json!({ "platform": "ios" }),
        json!({ "id": "", "platform": "ios" }),
        json!({ "id": 7, "platform": "ios" }),
    ] {
        let answer = boot(program, with_device(device));
        refused(&answer, 400, "bad_request");
        assert!(answer.text.contains("device.id"), "{answer:?}");
    }
    let (one, other) = (start(program, "d1", None), start(program, "d2", None));
    assert_ne!(one["_id"], other["_id"], "another id is another device");
}

fn a_platform_is_needed(program: &Program) {
    for platform in ["ios", "android", "web", "other"] {
        let answer = boot(program, with_device(json!({ "id": platform, "platform": platform })));
        assert_eq!(client(&answer.json()["appUser"], platform)["platform"], platform);
    }
    for device in [
        json!({ "id": "d" }),
        json!({ "id": "d", "platform": "windows" }),
        json!({ "id": "d", "platform": "iOS" }),
    ] {
        let answer = boot(program, with_device(device));
        refused(&answer, 400, "bad_request");
        assert!(answer.text.contains("platform"), "{answer:?}");
    }
}

fn a_push_token(program: &Program) {
    let device = |more: Value| {
        let mut device = json!({ "id": "d", "platform": "ios" });
        device.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client(&boot(program, with_device(device)).json()["appUser"], "d")["pushNotificationToken"].clone()
    };
    assert_eq!(device(json!({})), Value::Null, "it is optional");
    assert_eq!(device(json!({ "pushNotificationToken": "t1" })), "t1");
    assert_eq!(device(json!({})), "t1", "what is left out stays");
    assert_eq!(device(json!({ "pushNotificationToken": "t2" })), "t2");
}

fn an_app_version(program: &Program) {
    let answer = boot(program, with_device(json!({ "id": "d", "platform": "ios", "appVersion": "8.0" })));
    assert_eq!(client(&answer.json()["appUser"], "d")["appVersion"], "8.0");
    let number = boot(program, with_device(json!({ "id": "d", "platform": "ios", "appVersion": 8.0 })));
    refused(&number, 400, "bad_request");
}

fn info_of(program: &Program, platform: &str, info: &Value) -> Value {
    let answer = boot(program, with_device(json!({ "id": "d", "platform": platform, "info": info })));
    assert_eq!(answer.status, 200, "{answer:?}");
    client(&answer.json()["appUser"], "d")["info"].clone()
}

fn flat_info(program: &Program) {
    let flat = json!({ "os": "iPhone OS", "ram": 4, "jailbroken": false });
    assert_eq!(info_of(program, "ios", &flat), flat);
    for info in [json!({ "os": { "name": "iPhone OS" } }), json!({ "os": ["iPhone OS"] }), json!("iPhone OS")]
    {
        let answer = boot(program, with_device(json!({ "id": "e", "platform": "ios", "info": info })));
        refused(&answer, 400, "bad_request");
    }
}

fn info_is_shown(program: &Program) {
    let info = json!({ "os": "iPhone OS", "carrier": "Acme" });
    let device = json!({ "id": "d", "platform": "ios", "info": info });
    boot(program, json!({ "device": device, "userId": "bob" }));
    let listed = program.get("/v1/appusers").json();
    for shown in [look_up(program, "bob"), listed["appUsers"][0].clone()] {
        assert_eq!(client(&shown, "d")["info"], info);
    }
}

fn targeting(program: &Program) {
    for (device, platform, version) in [("a", "ios", "1.9"), ("b", "ios", "1.10"), ("c", "android", "1.10")] {
        let told = json!({ "id": device, "platform": platform, "appVersion": version });
        boot(program, json!({ "device": told, "userId": device }));
    }
    for (query, whom) in [
        ("platform=ios", &["a", "b"][..]),
        ("appVersion=1.10", &["b", "c"]),
        ("platform=ios&appVersion=1.10", &["b"]),
        ("appVersionSince=1.10", &["b", "c"]),
        ("platform=ios&appVersionBefore=1.10", &["a"]),
    ] {
        let page = program.get(&format!("/v1/appusers?count=exact&{query}")).json();
        let mut found: Vec<&str> = page["appUsers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["userId"].as_str().unwrap())
            .collect();
        found.sort_unstable();
        assert_eq!((found.as_slice(), &page["count"]), (whom, &json!(whom.len())), "{query}");
    }
}

fn mobile_info(program: &Program) {
    let info = json!({
        "appName": "foo", "deviceModel": "iPhone 5s", "os": "iPhone OS", "osVersion": "8.1.2",
        "radioAccessTechnology": "HSDPA", "carrier": "Acme", "devicePlatform": "iPhone6,1", "wifi": "YES",
    });
    for platform in ["ios", "android"] {
        assert_eq!(info_of(program, platform, &info), info, "{platform}");
    }
}

fn web_info(program: &Program) {
    let info = json!({
        "currentUrl": "http://mywebsite.com", "userAgent": "Mozilla/5.0...", "referrer": "http://google.com",
        "browserLanguage": "en-US", "currentTittle": "Welcome",
    });
    assert_eq!(info_of(program, "web", &info), info);
}

fn the_conversation_api(program: &Program) {
    let name = start(program, "d", Some("bob"))["_id"].as_str().unwrap().to_owned();
    // Smooch keeps that API, and requests for it here are answered accordingly.
    for (line, called) in [("GET", "Get messages"), ("POST", "Post message")] {
        let answer = ask(program, &user("bob"), &format!("{line} /v1/appusers/{name}/messages"), &json!({}));
        refused(&answer, 404, "not_found");
        assert!(answer.text.contains(called), "{answer:?}");
    }
    assert_eq!(look_up(program, &name)["userId"], "bob");
}

fn profile_is_included(program: &Program) {
    let given = json!({ "userId": "bob", "givenName": "Bob", "surname": "Doe", "email": "bob@example.com",
                        "signedUpAt": "2014-01-01T00:00:00.000Z", "properties": { "plan": "gold", "vip": true, "n": 1.5 } });
    done(program, "POST /v1/appusers", given.clone());
    let booted = start(program, "d", Some("bob"));
    for (member, value) in given.as_object().unwrap() {
        assert_eq!(&booted[member], value, "{member}");
    }
}

fn the_id_may_change(program: &Program) {
    let known = start(program, "phone", Some("bob"));
    let anonymous = start(program, "site", None);
    let login = start(program, "site", Some("bob"));
    assert_ne!(login["_id"], anonymous["_id"], "the device's app user was another before");
    assert_eq!(login["_id"], known["_id"]);
    assert_eq!(program.all_app_users().len(), 1, "the two have merged");
}

fn the_old_id_leads_on(program: &Program) {
    let known = start(program, "phone", Some("bob"));
    let anonymous = start(program, "site", None)["_id"].as_str().unwrap().to_owned();
    start(program, "site", Some("bob"));
    assert_eq!(look_up(program, &anonymous)["_id"], known["_id"], "a caller that did not check is led on");
    let history = program.get(&format!("/v1/appusers/{anonymous}/history")).json();
    assert_eq!(history["history"].as_array().map(Vec::len), Some(3), "{history}");
}
