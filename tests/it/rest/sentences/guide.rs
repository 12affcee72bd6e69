//! *Creating users*.

use serde_json::{Value, json};

use super::super::{
    app, ask, client, create, deliver, done, encoded, id, look_up, message, refused, send, user,
};
use super::Sentence;
use crate::support::Program;

const SMOOCHS: &str = "c7f6e6d6c3a637261bd9656f";

pub(super) const SENTENCES: [Sentence; 13] = [
    ("User's are created in two different ways.", two_ways),
    ("Automatically whenever a user sends their first message to a Smooch app.", by_a_first_message),
    ("Via the REST API.", by_the_api),
    (
        "When a user is automatically created because they send their first message, all of their information is \
         available in the webhook payload their message triggers (and in all subsequent webhook payloads triggered \
         by that user).",
        all_of_their_information,
    ),
    (
        "the canonical Smooch ID used to identify that user is available as the `_id` property of the `appUser` JSON \
         property of the webhook payload.",
        the_canonical_id,
    ),
    ("It's possible to create a user before they send a message.", before_a_message),
    (
        "you have access to the User's mobile number and want to initiate a conversation with them",
        a_mobile_number,
    ),
    (
        "you want to pre-initialize a user of your Website or Mobile app so that you can set some properties on them \
         or send them messages that are waiting for them when they first login",
        pre_initialized,
    ),
    ("finally, you might want to integrate your own over the top messaging channel", a_channel_of_ones_own),
    (
        "Note, that it isn't possible to pre-contact users over channels like Facebook Messenger, because social \
         platforms only allow their users to initiate conversations with businesses, and not the other way around.",
        no_pre_contact,
    ),
    ("When you create a user, you need to specify a `userId` property.", a_user_id_is_needed),
    (
        "The `userId` is a canonical ID used to reference the user, and is interchangeable with the `_id` property \
         that Smooch creates for each user.",
        interchangeable,
    ),
    (
        "Here's the minimum required call to create a user (see the API reference for more options):",
        the_minimum,
    ),
];

/// In s since 1970.
fn now() -> f64 {
    jiff::Timestamp::now().as_millisecond() as f64 / 1e3
}

fn two_ways(program: &Program) {
    deliver(program, &message(SMOOCHS, 1.5e9, json!({})));
    create(program, "some-user-id");
    let started: Vec<Value> =
        program.all_app_users().iter().map(|user| user["conversationStarted"].clone()).collect();
    assert!(
        started.len() == 2 && started.contains(&json!(true)) && started.contains(&json!(false)),
        "{started:?}"
    );
}

fn by_a_first_message(program: &Program) {
    assert_eq!(program.app_user(SMOOCHS).status, 404);
    for _ in 0..2 {
        deliver(program, &message(SMOOCHS, 1.5e9, json!({})));
    }
    assert_eq!(program.all_app_users().len(), 1, "their first message, however often it is sent");
    deliver(program, &message(SMOOCHS, 1.6e9, json!({})));
    assert_eq!(program.all_app_users().len(), 1, "the second makes nobody");
}

fn by_the_api(program: &Program) {
    let made = ask(program, &app(), "POST /v1/appusers", &json!({ "userId": "some-user-id" }));
    assert_eq!(
        (made.status, id(&made.json())),
        (201, id(&json!({ "appUser": look_up(program, "some-user-id") })))
    );
}

/// The user information in a payload.
fn information(plan: &str) -> Value {
    json!({
        "userId": "bob@example.com", "givenName": "Bob", "surname": "Doe", "email": "bob@example.com",
        "signedUpAt": "2015-10-06T03:38:02.346Z", "properties": { "plan": plan },
        "clients": [{ "id": "c1", "platform": "ios", "active": true, "appVersion": "1.0",
                      "lastSeen": "2016-03-09T19:09:01.431Z", "pushNotificationToken": "t", "info": { "os": "iPhone OS" } }],
    })
}

fn all_of_their_information(program: &Program) {
    for (n, plan) in ["free", "gold"].iter().enumerate() {
        let sent = information(plan);
        deliver(program, &message(SMOOCHS, 1.5e9 + n as f64, sent.clone()));
        let shown = look_up(program, SMOOCHS);
        for (member, value) in sent.as_object().unwrap() {
            assert_eq!(&shown[member], value, "{member} of payload {n}");
        }
    }
}

fn the_canonical_id(program: &Program) {
    deliver(program, &message(SMOOCHS, 1.5e9, json!({ "userId": "bob" })));
    assert_eq!(
        (&look_up(program, SMOOCHS)["_id"], &look_up(program, "bob")["_id"]),
        (&json!(SMOOCHS), &json!(SMOOCHS))
    );
}

fn before_a_message(program: &Program) {
    create(program, "bob");
    assert_eq!(look_up(program, "bob")["conversationStarted"], false);
    deliver(program, &message(SMOOCHS, now(), json!({ "userId": "bob" })));
    let one = look_up(program, "bob");
    assert_eq!(
        (&one["_id"], &one["conversationStarted"]),
        (&json!(SMOOCHS), &json!(true)),
        "one person: {one}"
    );
    assert_eq!(program.all_app_users().len(), 1);
}

fn a_mobile_number(program: &Program) {
    done(
        program,
        "POST /v1/appusers",
        json!({ "userId": "bob", "properties": { "mobile": "+15145555555" } }),
    );
    let found = program.get("/v1/appusers?property.mobile=%2B15145555555").json();
    assert_eq!(found["appUsers"][0]["userId"], "bob", "{found}");
    // They answer by text message, and Smooch reports them under the userId they were made with.
    let phone =
        json!({ "id": "sms", "platform": "twilio", "active": true, "displayName": "+1 514-555-5555" });
    deliver(program, &message(SMOOCHS, now(), json!({ "userId": "bob", "clients": [phone] })));
    let bob = look_up(program, "bob");
    assert_eq!((&bob["properties"]["mobile"], &bob["_id"]), (&json!("+15145555555"), &json!(SMOOCHS)));
    assert_eq!(client(&bob, "sms")["displayName"], "+1 514-555-5555");
}

fn pre_initialized(program: &Program) {
    let given = json!({ "userId": "bob", "givenName": "Bob", "properties": { "plan": "gold", "visits": 3 } });
    let made = done(program, "POST /v1/appusers", given)["appUser"].clone();
    for (device, platform) in [("site", "web"), ("phone", "ios")] {
        let body = json!({ "device": { "id": device, "platform": platform }, "userId": "bob" });
        let login = done(program, "POST /v1/init", body);
        for member in ["_id", "givenName", "properties", "signedUpAt"] {
            assert_eq!(login["appUser"][member], made[member], "{platform}: {member}");
        }
    }
}

fn a_channel_of_ones_own(program: &Program) {
    create(program, "bob");
    done(program, "PUT /v1/appusers/bob", json!({ "properties": { "ourChannel": "thread-7" } }));
    done(program, "POST /v1/appusers/bob/events", json!({ "name": "wrote-to-us" }));
    let device = json!({ "device": { "id": "our-channel-7", "platform": "other" }, "userId": "bob" });
    assert_eq!(
        client(&done(program, "POST /v1/init", device)["appUser"], "our-channel-7")["platform"],
        "other"
    );
    let history = program.get("/v1/appusers/bob/history?include=body").json();
    assert!(history.to_string().contains("wrote-to-us"), "{history}");
}

fn no_pre_contact(program: &Program) {
    create(program, "bob");
    let link = ask(program, &app(), "POST /v1/appusers/bob/channels", &json!({ "type": "messenger" }));
    refused(&link, 404, "not_found");
    assert!(link.text.contains("Link app user to channel"), "no call pretends to reach them: {link:?}");
    assert_eq!(done(program, "GET /v1/appusers/bob/channels", Value::Null), json!({ "channels": [] }));
    let own = json!({ "id": "m", "platform": "messenger", "active": true, "externalId": "1234" });
    deliver(program, &message(SMOOCHS, now(), json!({ "userId": "bob", "clients": [own] })));
    let channels = done(program, "GET /v1/appusers/bob/channels", Value::Null);
    assert_eq!(channels["channels"][0]["type"], "messenger", "once they wrote: {channels}");
}

fn a_user_id_is_needed(program: &Program) {
    for body in [
        json!({}),
        json!({ "givenName": "Bob" }),
        json!({ "userId": null }),
        json!({ "userId": "" }),
        json!({ "userId": 7 }),
    ] {
        let answer = ask(program, &app(), "POST /v1/appusers", &body);
        refused(&answer, 400, "bad_request");
        assert!(answer.text.contains("userId"), "{body}: {answer:?}");
    }
    assert!(program.all_app_users().is_empty());
}

fn interchangeable(program: &Program) {
    let made = create(program, "bob@example.com");
    let device = json!({ "device": { "id": "d", "platform": "ios" }, "userId": "bob@example.com" });
    done(program, "POST /v1/init", device);
    for name in [encoded("bob@example.com"), "bob@example.com".to_owned(), made.clone()] {
        let at = format!("/v1/appusers/{name}");
        assert_eq!(id(&done(program, &format!("GET {at}"), Value::Null)), made, "{name}");
        assert_eq!(
            done(program, &format!("PUT {at}"), json!({ "surname": name }))["appUser"]["surname"],
            name
        );
        done(program, &format!("POST {at}/events"), json!({ "name": "seen" }));
        done(program, &format!("PUT {at}/devices/d"), json!({ "appVersion": "2.0" }));
        done(program, &format!("GET {at}/channels"), Value::Null);
        done(program, &format!("GET {at}/history"), Value::Null);
        assert_eq!(id(&done(program, &format!("DELETE {at}/profile"), Value::Null)), made, "{name}");
    }
    let own = ask(program, &user("bob@example.com"), &format!("GET /v1/appusers/{made}"), &Value::Null);
    assert_eq!(id(&own.json()), made);
    assert_eq!(done(program, "DELETE /v1/appusers/bob@example.com", Value::Null), json!({}));
    assert_eq!(program.app_user(&made).status, 404);
}

fn the_minimum(program: &Program) {
    let answer = send(program, &app(), "POST /v1/appusers", br#"{"userId":"some-user-id"}"#);
    assert_eq!(
        (answer.status, &answer.json()["appUser"]["userId"]),
        (201, &json!("some-user-id")),
        "{answer:?}"
    );
    let more = json!({
        "userId": "another", "givenName": "Steve", "surname": "Doe", "email": "steve@example.com",
        "signedUpAt": "2014-01-01T00:00:00Z", "properties": { "a": "b" }, "credentialRequired": true,
    });
    let made = done(program, "POST /v1/appusers", more.clone())["appUser"].clone();
    for member in ["givenName", "surname", "email", "properties", "credentialRequired"] {
        assert_eq!(made[member], more[member], "{member}: {made}");
    }
}
