//! A device, which v2 reports as two things: the device, and its client.

use serde_json::{Value, json};

use super::{each_in_every_order, received, shown, v1, v2, wrote_v2};
use crate::support::{APP, Program};

/// The phone in v1.1.
fn v1_1(day: u32) -> Value {
    let message = json!({ "_id": "m", "role": "appUser", "authorId": "x$", "received": received(day) });
    let client = json!({ "_id": "b$", "id": "g$", "platform": "ios", "active": true });
    v1(
        "message:appUser",
        json!({ "version": "v1.1", "messages": [message], "appUser": { "_id": "x$" }, "client": client }),
    )
}

fn client(status: &str) -> Value {
    json!({ "id": "b$", "type": "sdk", "status": status })
}

fn device(status: &str) -> Value {
    json!({ "id": "D$", "guid": "g$", "clientId": "b$", "type": "ios", "status": status })
}

/// A device with these members replaced; null members are removed.
fn with(mut of: Value, members: Value) -> Value {
    of.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    of.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    of
}

fn source(client: Value, device: Value) -> Value {
    json!({ "type": "ios", "integrationId": "I", "device": device, "client": client })
}

fn both() -> Value {
    source(client("active"), device("active"))
}

fn client_event(day: u32, kind: &str, client: Value) -> Value {
    v2(day, kind, json!({ "user": { "id": "x$" }, "client": client, "reason": "api" }))
}

/// The shown clients of `x$`: v1's clients, and the ids and statuses of v2's clients and devices.
fn has(program: &Program, sign: &dyn Fn(&str) -> String) -> [Value; 3] {
    let user = sign("x$");
    let of_v2 = |what: &str| -> Value {
        let answer = program.get(&format!("/v2/apps/{APP}/users/{user}/{what}")).json();
        let list = answer[what].as_array().unwrap().iter();
        list.map(|one| json!([one["id"], one["status"]])).collect()
    };
    [shown(program, &user)["clients"].clone(), of_v2("clients"), of_v2("devices")]
}

type Case<'c> = (&'c str, Vec<Value>, [Value; 3]);

fn table(rows: &[Case<'_>]) {
    each_in_every_order(rows, |program, sign, case, expected| {
        let expected = expected.each_ref().map(|value| sign(&value.to_string()));
        let expected: [Value; 3] = expected.map(|text| serde_json::from_str(&text).unwrap());
        assert_eq!(has(program, &sign), expected, "{case}");
    });
}

/// The phone alone, with these members, and with this status as a client and as a device of v2.
fn phone(more: Value, [of_client, of_device]: [&str; 2]) -> [Value; 3] {
    let plain = json!({ "id": "g$", "_id": "b$", "deviceId": "D$", "platform": "ios", "active": true, "status": "active" });
    [json!([with(plain, more)]), json!([["b$", of_client]]), json!([["D$", of_device]])]
}

fn active() -> [Value; 3] {
    phone(json!({}), ["active", "active"])
}

#[test]
fn a_device_and_its_client_are_one() {
    let gone = || [json!([]), json!([]), json!([])];
    table(&[
        ("v1.1, then v2", vec![v1_1(1), wrote_v2(2, "x$", both())], active()),
        (
            "and removed",
            vec![v1_1(1), wrote_v2(2, "x$", both()), client_event(3, "client:remove", client("active"))],
            gone(),
        ),
        ("v2 only", vec![wrote_v2(1, "x$", both())], active()),
        (
            "v2 only, and removed",
            vec![wrote_v2(1, "x$", both()), client_event(2, "client:removed", client("x"))],
            gone(),
        ),
        (
            "a client added",
            vec![client_event(1, "client:add", client("active")), wrote_v2(2, "x$", both())],
            active(),
        ),
        (
            "a client added, and a device alone",
            vec![
                client_event(1, "client:add", client("active")),
                wrote_v2(2, "x$", json!({ "device": device("active") })),
            ],
            active(),
        ),
    ]);
}

#[test]
fn statements_about_a_device_or_its_client_are_about_both() {
    let off = |status: &str| json!({ "active": false, "status": status });
    table(&[
        (
            "a device alone, and its client blocked",
            vec![
                wrote_v2(1, "x$", json!({ "device": device("active") })),
                client_event(2, "client:update", client("blocked")),
            ],
            phone(off("blocked"), ["blocked", "inactive"]),
        ),
        (
            "a blocked client in use",
            vec![wrote_v2(1, "x$", source(client("blocked"), device("active")))],
            phone(off("blocked"), ["blocked", "inactive"]),
        ),
        (
            "an inactive device in use",
            vec![wrote_v2(1, "x$", source(client("active"), device("inactive")))],
            phone(off("inactive"), ["inactive", "inactive"]),
        ),
        (
            "removed, and there again",
            vec![
                wrote_v2(1, "x$", both()),
                client_event(2, "client:remove", client("active")),
                wrote_v2(3, "x$", json!({ "device": device("active") })),
            ],
            active(),
        ),
    ]);
}

#[test]
fn a_device_with_less_stays_the_device_of_its_client() {
    let less = |members: Value| json!({ "device": with(device("active"), members) });
    table(&[
        (
            "a device with less",
            vec![v1_1(1), wrote_v2(2, "x$", both()), wrote_v2(3, "x$", less(json!({ "clientId": null })))],
            active(),
        ),
        (
            "a device whose client is null",
            vec![wrote_v2(1, "x$", both()), {
                let mut device = device("active");
                device["clientId"] = Value::Null;
                wrote_v2(2, "x$", json!({ "device": device }))
            }],
            active(),
        ),
        (
            "a device without a guid",
            vec![v1_1(1), wrote_v2(2, "x$", less(json!({ "guid": null })))],
            active(),
        ),
        (
            "what each of them tells",
            vec![wrote_v2(
                1,
                "x$",
                source(
                    with(
                        client("active"),
                        json!({ "info": { "city": "Lund" }, "lastSeen": "l", "integrationId": "I" }),
                    ),
                    with(device("active"), json!({ "info": { "os": "iOS" }, "lastSeen": "k" })),
                ),
            )],
            phone(
                json!({ "info": { "city": "Lund", "os": "iOS" }, "lastSeen": "k", "integrationId": "I" }),
                ["active", "active"],
            ),
        ),
    ]);
}

#[test]
fn a_device_takes_its_client_along() {
    table(&[
        (
            "moved to somebody else",
            vec![
                wrote_v2(1, "x$", both()),
                wrote_v2(
                    2,
                    "y$",
                    source(
                        with(client("active"), json!({ "id": "c$" })),
                        with(device("active"), json!({ "clientId": "c$" })),
                    ),
                ),
            ],
            phone(json!({ "active": false }), ["inactive", "inactive"]),
        ),
        (
            "moved to somebody else, and back",
            vec![
                wrote_v2(1, "x$", both()),
                wrote_v2(2, "y$", json!({ "device": with(device("active"), json!({ "clientId": "c$" })) })),
                wrote_v2(3, "x$", json!({ "device": device("active") })),
            ],
            active(),
        ),
    ]);
}

#[test]
fn several_devices_of_one_client_are_several_in_v1() {
    let second = || with(device("active"), json!({ "id": "E$", "guid": "h$", "type": "web" }));
    let known = |id: &str, device: &str, platform: &str| json!({ "id": id, "_id": "b$", "deviceId": device, "platform": platform, "active": true, "status": "active" });
    table(&[(
        "two devices",
        vec![wrote_v2(1, "x$", both()), wrote_v2(2, "x$", source(client("active"), second()))],
        [
            json!([known("g$", "D$", "ios"), known("h$", "E$", "web")]),
            json!([["b$", "active"]]),
            json!([["D$", "active"], ["E$", "active"]]),
        ],
    )]);
}
