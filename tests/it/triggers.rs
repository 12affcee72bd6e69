//! The facts that each trigger is parsed into, as a table.

use rollcall::domain::{Event, Fact, Mention, Part};
use rollcall::smooch::{ParseLimits, parse_webhook};
use serde_json::{Value, json};

const BOUNDS: ParseLimits = ParseLimits { depth: 64, events: 100, latest: 4 << 50, name_bytes: 1024 };

fn events(body: &Value) -> Vec<Result<Event, String>> {
    let delivery = parse_webhook(body.to_string().as_bytes(), &BOUNDS).unwrap();
    delivery.events.into_iter().map(|event| event.map_err(|unusable| unusable.reason.to_owned())).collect()
}

fn active(client: &Mention) -> &'static str {
    client.active.map_or("?", |active| if active { "+" } else { "-" })
}

/// A fact in a few words, so that a row of the table can be read.
fn words(fact: &Fact) -> String {
    match fact {
        Fact::Seen(seen) => {
            let fields = seen.fields.iter();
            let mut said: Vec<String> = fields
                .map(|(field, value)| format!("{field}={}", value.as_deref().unwrap_or("null")))
                .collect();
            let clients = seen.clients.iter();
            said.extend(clients.map(|(id, client)| format!("{}{id}{}", active(client), client.rest)));
            said.extend(seen.complete.iter().map(|part| match part {
                Part::Properties => "all properties".to_owned(),
                Part::Clients => "all clients".to_owned(),
            }));
            said.extend(seen.started.then(|| "started".to_owned()));
            format!("{}: {}", seen.user, said.join(", "))
        }
        Fact::Merged { surviving, discarded, .. } => format!("{discarded} into {surviving}"),
        Fact::ClientChanged { user, client, value: Some(value) } => {
            format!("{user} {}{client}{}", active(value), value.rest)
        }
        Fact::ClientChanged { user, client, value: None } => format!("{user} lost {client}"),
        Fact::ClientBound { user, client, .. } => format!("{user} bound {client}"),
        Fact::Removed { user } => format!("{user} removed"),
        Fact::Erased { user } => format!("{user} erased"),
        other => format!("{other:?}"),
    }
}

fn check(case: &str, body: &Value, expected: &[&str]) {
    let events = events(body);
    let [event] = events.as_slice() else { panic!("{case}: {} events", events.len()) };
    match event {
        Ok(event) => assert_eq!(event.facts.iter().map(words).collect::<Vec<_>>(), expected, "{case}"),
        Err(reason) => assert_eq!(expected, [format!("unusable: {reason}")], "{case}"),
    }
}

fn v1(trigger: &str, rest: Value) -> Value {
    let mut body = json!({ "trigger": trigger, "app": { "_id": "a" } });
    body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    body
}

fn v2(kind: &str, payload: Value) -> Value {
    let event =
        json!({ "id": "e1", "type": kind, "createdAt": "2020-02-25T18:06:37.547Z", "payload": payload });
    json!({ "app": { "id": "a" }, "webhook": { "id": "w", "version": "v2" }, "events": [event] })
}

#[test]
fn every_trigger_of_v1_becomes_its_facts() {
    let by_user = json!([{ "role": "appUser", "authorId": "u", "received": 5.0 }]);
    let by_maker = json!([{ "role": "appMaker", "authorId": "maker", "received": 5.0 }]);
    let full = json!({ "_id": "u", "userId": "bob", "givenName": "Bob", "email": null, "properties": { "k": true },
                       "clients": [{ "id": "c", "platform": "ios", "active": true }] });
    let seen = "u: email=null, givenName=\"Bob\", userId=\"bob\", properties.k=true, +c{\"platform\":\"ios\"}, \
                all properties, all clients";
    check(
        "a message, full",
        &v1("message:appUser", json!({ "messages": by_user, "appUser": full })),
        &[&format!("{seen}, started")],
    );
    check(
        "the old trigger, by the user",
        &v1("message", json!({ "messages": by_user, "appUser": full })),
        &[&format!("{seen}, started")],
    );
    check(
        "the old trigger, by the maker",
        &v1("message", json!({ "messages": by_maker, "appUser": full })),
        &[seen],
    );
    check(
        "an app maker's message is about its recipient",
        &v1("message:appMaker", json!({ "messages": by_maker, "appUser": full })),
        &[seen],
    );
    check(
        "an app maker is no app user",
        &v1("message:appMaker", json!({ "messages": by_maker })),
        &["unusable: no_app_user"],
    );
    check(
        "an author in the role of one is",
        &v1("message:appUser", json!({ "messages": by_user })),
        &["u: started"],
    );
    check(
        "the payload says it started",
        &v1("postback", json!({ "appUser": { "_id": "u", "conversationStarted": true } })),
        &["u: started"],
    );
    check(
        "a start starts",
        &v1("conversation:start", json!({ "appUser": { "_id": "u", "conversationStarted": false } })),
        &["u: started"],
    );
}

#[test]
fn every_user_mentioned_in_v1_becomes_an_observation() {
    for trigger in [
        "conversation:read",
        "conversation:referral",
        "delivery:success",
        "delivery:failure",
        "payment:success",
        "link:success",
        "link:match",
        "link:failure",
        "message:delivery:channel",
        "message:delivery:user",
        "message:delivery:failure",
        "notification:delivery:channel",
        "notification:delivery:failure",
        "typing:appUser",
        "postback",
    ] {
        check(trigger, &v1(trigger, json!({ "appUser": { "_id": "u" } })), &["u: "]);
    }
    let unknown = |rest: Value| v1("user:sneezed", rest);
    check(
        "an unknown trigger has seen whom it carries",
        &unknown(json!({ "appUser": { "_id": "u", "givenName": "Bob" } })),
        &["u: givenName=\"Bob\""],
    );
    check("deleted", &v1("appUser:delete", json!({ "appUser": { "_id": "u" } })), &["u removed"]);
    let client = json!({ "_id": "5", "id": "c", "platform": "web", "active": true });
    let with = json!({ "version": "v1.1", "appUser": { "_id": "u" }, "client": client });
    check(
        "v1.1 with its client",
        &v1("typing:appUser", with.clone()),
        &["u: ", "u +c{\"_id\":\"5\",\"platform\":\"web\"}"],
    );
    check(
        "a client added",
        &v1("client:add", with.clone()),
        &["u: ", "u +c{\"_id\":\"5\",\"platform\":\"web\"}", "u bound c"],
    );
    check("a client removed", &v1("client:remove", with), &["u: ", "u lost c", "u lost 5"]);
}

#[test]
fn old_forms_are_understood() {
    let user = |rest: Value| v1("postback", json!({ "appUser": rest }));
    check(
        "devices for clients",
        &user(json!({ "_id": "u", "devices": [{ "id": "d", "active": false }] })),
        &["u: -d{}, all clients"],
    );
    check(
        "clients before devices",
        &user(json!({ "_id": "u", "devices": [{ "id": "d" }], "clients": [] })),
        &["u: all clients"],
    );
    check("numbers as ids", &user(json!({ "_id": 7, "userId": 118 })), &["7: userId=\"118\""]);
    check("metadata as a list", &user(json!({ "_id": "u", "metadata": [] })), &["u: "]);
    check(
        "metadata as an object",
        &user(json!({ "_id": "u", "metadata": { "k": 1 } })),
        &["u: properties.k=1, all properties"],
    );
    check(
        "null parts and identifiers say nothing",
        &user(json!({ "_id": "u", "userId": null, "properties": null, "clients": null })),
        &["u: "],
    );
    check("an empty userId is none", &user(json!({ "_id": "u", "userId": "" })), &["u: "]);
    check("a blank one is one", &user(json!({ "_id": "u", "userId": " " })), &["u: userId=\" \""]);
    check(
        "a client without an id cannot be kept",
        &user(json!({ "_id": "u", "clients": [{ "platform": "x" }] })),
        &["u: all clients"],
    );
    let event_key = json!({ "event": "postback", "appUser": { "_id": "u" } });
    check("event for trigger, no app", &event_key, &["u: "]);
    assert_eq!(parse_webhook(event_key.to_string().as_bytes(), &BOUNDS).unwrap().app, None);
}

#[test]
fn a_merge_takes_one_discarded_or_several() {
    let a = json!({ "_id": "A", "userId": "bob", "conversationStarted": true });
    let list = v1("merge:appUser", json!({ "surviving": a, "discarded": [{ "_id": "B" }, { "_id": "C" }] }));
    check("a list", &list, &["A: userId=\"bob\", started", "B: ", "B into A", "C: ", "C into A"]);
    check(
        "an object",
        &v1("merge:appUser", json!({ "surviving": a, "discarded": { "_id": "B" } })),
        &["A: userId=\"bob\", started", "B: ", "B into A"],
    );
    check(
        "nobody",
        &v1("merge:appUser", json!({ "surviving": a, "discarded": [] })),
        &["unusable: no_app_user"],
    );
    check(
        "no survivor",
        &v1("merge:appUser", json!({ "discarded": [{ "_id": "B" }] })),
        &["unusable: no_app_user"],
    );
    let users = json!({ "surviving": { "id": "A" }, "discarded": { "id": "B" } });
    let clients = json!({ "surviving": { "id": "c1", "type": "line", "status": "active" }, "discarded": { "id": "c2" } });
    let both = v2("user:merge", json!({ "mergedUsers": users, "mergedClients": clients }));
    check(
        "v2, with clients",
        &both,
        &[
            "A: ",
            "B: ",
            "B into A",
            "A +c1{\"platform\":\"line\",\"status\":\"active\"}",
            "A lost c2",
            "B lost c2",
        ],
    );
}

#[test]
fn every_type_of_v2_becomes_its_facts() {
    let user = json!({ "id": "u", "externalId": "bob", "profile": { "givenName": "Bob", "locale": "de" }, "metadata": { "k": 1 },
                       "authenticated": true });
    let seen = "u: v2.authenticated=true, userId=\"bob\", properties.k=1, givenName=\"Bob\", profile.locale=\"de\", all properties";
    let author = |author: Value| json!({ "message": { "author": author } });
    check(
        "a message",
        &v2("conversation:message", author(json!({ "type": "user", "user": user }))),
        &[&format!("{seen}, started")],
    );
    check(
        "by id alone",
        &v2("conversation:message", author(json!({ "type": "user", "userId": "u" }))),
        &["u: started"],
    );
    check(
        "of the business",
        &v2("conversation:message", author(json!({ "type": "business", "userId": "u" }))),
        &[],
    );
    check(
        "of nobody known",
        &v2("conversation:message", author(json!({ "type": "user" }))),
        &["unusable: no_app_user"],
    );
    for kind in ["conversation:read", "conversation:typing"] {
        check(
            kind,
            &v2(kind, json!({ "activity": { "author": { "type": "user", "userId": "u" } } })),
            &["u: "],
        );
    }
    for kind in [
        "conversation:postback",
        "conversation:referral",
        "conversation:create",
        "conversation:join",
        "conversation:leave",
        "conversation:message:delivery:channel",
        "conversation:message:delivery:failure",
        "conversation:message:delivery:user",
        "user:update",
    ] {
        check(kind, &v2(kind, json!({ "user": { "id": "u" } })), &["u: "]);
    }
    check("a conversation of no one person", &v2("conversation:create", json!({})), &[]);
    for kind in ["conversation:remove", "passthrough:messaging", "switchboard:passControl", "made:up"] {
        check(kind, &v2(kind, json!({ "user": user })), &[seen]);
    }
    let client =
        json!({ "user": { "id": "u" }, "client": { "id": "c", "type": "line", "status": "active" } });
    let added = "u +c{\"platform\":\"line\",\"status\":\"active\"}";
    check("added", &v2("client:add", client.clone()), &["u: ", added, "u bound c"]);
    check("updated", &v2("client:update", client.clone()), &["u: ", added]);
    for kind in ["client:remove", "client:removed"] {
        check(kind, &v2(kind, client.clone()), &["u: ", "u lost c"]);
    }
    for kind in ["user:remove", "user:delete"] {
        check(kind, &v2(kind, json!({ "user": { "id": "u" } })), &["u removed"]);
    }
    let source = json!({ "client": { "id": "c", "status": "blocked" }, "device": { "id": "9", "guid": "d", "type": "ios", "status": "active" } });
    let through = json!({ "message": { "author": { "type": "user", "userId": "u" }, "source": source } });
    check(
        "through a client and a device",
        &v2("conversation:message", through),
        &[
            "u: started",
            "u -c{\"status\":\"blocked\"}",
            "u +d{\"deviceId\":\"9\",\"platform\":\"ios\",\"status\":\"active\"}",
        ],
    );
}

#[test]
fn no_member_of_a_v2_client_comes_twice() {
    let twice = json!({ "id": "c", "_id": "1", "type": "line", "platform": "web", "active": false, "status": "active" });
    check(
        "of a client",
        &v2("client:update", json!({ "user": { "id": "u" }, "client": twice })),
        &["u: ", "u +c{\"_id\":\"1\",\"platform\":\"line\",\"status\":\"active\"}"],
    );
    let device =
        json!({ "id": "9", "_id": "1", "guid": "d", "type": "ios", "platform": "web", "active": true });
    let source = json!({ "client": { "id": "c", "platform": "web" }, "device": device });
    check(
        "of a device, and what is written in words of v1 already",
        &v2("conversation:postback", json!({ "user": { "id": "u" }, "source": source })),
        &["u: ", "u ?c{\"platform\":\"web\"}", "u ?d{\"_id\":\"1\",\"deviceId\":\"9\",\"platform\":\"ios\"}"],
    );
}

#[test]
fn the_time_of_an_event_is_its_own() {
    let user = json!({ "_id": "u", "signedUpAt": "2019-01-01T00:00:00Z",
                       "clients": [{ "id": "c", "lastSeen": "2016-01-01T00:00:00.001Z" }, { "id": "d", "linkedAt": "2017-01-01T00:00:00Z" }] });
    let old = json!([{ "message": { "received": 1.0 }, "action": {} }]);
    for (case, body, expected) in [
        (
            "the latest message's",
            v1(
                "message:appUser",
                json!({ "appUser": user, "timestamp": 9, "messages": [{ "received": 1.5 }, { "received": 2.5 }] }),
            ),
            Some(2_500_000),
        ),
        (
            "the timestamp",
            v1("conversation:read", json!({ "appUser": user, "timestamp": 1480349392.103 })),
            Some(1_480_349_392_103_000),
        ),
        (
            "a delivery's timestamp, not its message's time",
            v1(
                "message:delivery:user",
                json!({ "appUser": user, "timestamp": 9.5, "messages": [{ "received": 1.5 }] }),
            ),
            Some(9_500_000),
        ),
        (
            "a message without a time of its own: the timestamp",
            v1("message", json!({ "appUser": user, "timestamp": 9.5, "messages": [{ "_id": "m" }] })),
            Some(9_500_000),
        ),
        (
            "a postback's is its clients', not its message's",
            v1("postback", json!({ "appUser": user, "postbacks": old })),
            Some(1_483_228_800_000_000),
        ),
        (
            "a postback without clients has none",
            v1("postback", json!({ "appUser": { "_id": "u" }, "postbacks": old })),
            None,
        ),
        (
            "a merge has none",
            v1("merge:appUser", json!({ "surviving": { "_id": "a" }, "discarded": [{ "_id": "b" }] })),
            None,
        ),
        ("v2's createdAt", v2("user:update", json!({ "user": { "id": "u" } })), Some(1_582_653_997_547_000)),
    ] {
        let stamp = events(&body).remove(0).unwrap().stamp.clone();
        assert_eq!(stamp.known_time(), expected, "{case}");
    }
}

#[test]
fn the_digest_is_of_the_content_not_of_its_spelling() {
    let digest =
        |body: &str| parse_webhook(body.as_bytes(), &BOUNDS).unwrap().events.remove(0).unwrap().stamp.digest;
    let one = r#"{"trigger":"postback","appUser":{"_id":"u","properties":{"a":1,"b":"é"}}}"#;
    let spelled = r#" { "appUser" : {"properties":{"b":"\u00e9","a":1},"_id":"u"}, "trigger":"postback"} "#;
    assert_eq!(digest(one), digest(spelled), "order, white space and escapes do not matter");
    assert_ne!(digest(one), digest(&one.replace(":1,", ":1.0,")), "numbers count as they are written");
}
