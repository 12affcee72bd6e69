//! Clients that change their app user, by any of their ids, with or without an `active` flag.

use serde_json::{Value, json};

use super::{each_in_every_order, received, shown, v1, v2, wrote, wrote_v2};
use crate::support::Program;

/// A complete v1 picture of a user with this client.
fn lists(day: u32, user: &str, client: Value) -> Value {
    wrote(day, json!({ "_id": user, "properties": {}, "clients": [client] }))
}

/// A v1.1 event of a user, through this client.
fn through(day: u32, trigger: &str, user: &str, client: Value) -> Value {
    let rest = json!({ "version": "v1.1", "timestamp": received(day), "appUser": { "_id": user }, "client": client });
    v1(trigger, rest)
}

fn added_v2(day: u32, kind: &str, user: &str, client: Value) -> Value {
    v2(day, kind, json!({ "user": { "id": user }, "client": client }))
}

/// The ids of a user's active clients, and of the inactive ones.
fn hands(program: &Program, user: &str) -> [Vec<String>; 2] {
    let user = shown(program, user);
    [true, false].map(|active| {
        let clients = user["clients"].as_array().unwrap().iter();
        let clients = clients.filter(|client| client["active"] == active);
        clients.map(|client| client["id"].as_str().unwrap().to_owned()).collect()
    })
}

/// The events, and which of `a$`, `b$` and `c$` have an active client afterwards.
type Case<'c> = (&'c str, Vec<Value>, &'c [(&'c str, &'c str, bool)]);

fn table(rows: &[Case<'_>]) {
    each_in_every_order(rows, |program, sign, case, expected| {
        for (user, client, active) in *expected {
            let is = hands(program, &sign(user));
            let [yes, no] = [*active, !*active].map(|on| if on { vec![sign(client)] } else { Vec::new() });
            assert_eq!(is, [yes, no], "{case}: {user}");
        }
        for (user, _, _) in *expected {
            let then = program.get(&format!("/v1/appusers/{}?asOf=9999999999999", sign(user)));
            let then = then.json();
            assert_eq!(then["appUser"], shown(program, &sign(user)), "{case}: {user}, folded again");
        }
    });
}

#[test]
fn one_device_by_two_ids_is_active_for_its_last_user() {
    let both = || json!({ "_id": "H$", "id": "uuid$", "platform": "ios", "active": true });
    let v1 = || json!({ "id": "uuid$", "platform": "ios", "active": true });
    let v2 = || json!({ "client": { "id": "H$", "type": "ios", "status": "active" } });
    let device = || json!({ "device": { "guid": "uuid$", "id": "H$", "type": "ios", "status": "active" } });
    let read = "conversation:read";
    table(&[
        (
            "v1.1, then v2 of another",
            vec![through(1, read, "a$", both()), wrote_v2(2, "b$", v2())],
            &[("a$", "uuid$", false), ("b$", "H$", true)],
        ),
        (
            "v2, then v1.1 of another",
            vec![wrote_v2(1, "b$", v2()), through(2, read, "a$", both())],
            &[("a$", "uuid$", true), ("b$", "H$", false)],
        ),
        (
            "back to the first, by v1",
            vec![through(1, read, "a$", both()), wrote_v2(2, "b$", v2()), lists(3, "a$", v1())],
            &[("a$", "uuid$", true), ("b$", "H$", false)],
        ),
        (
            "back to the first, by v2",
            vec![through(1, read, "a$", both()), through(2, read, "b$", both()), wrote_v2(3, "a$", v2())],
            &[("a$", "uuid$", true), ("b$", "uuid$", false)],
        ),
        (
            "a device of v2, then v2 of another",
            vec![wrote_v2(1, "a$", device()), added_v2(2, "client:add", "b$", v2()["client"].clone())],
            &[("a$", "uuid$", false), ("b$", "H$", true)],
        ),
        (
            "v2, then a complete list of another",
            vec![wrote_v2(1, "b$", v2()), lists(2, "a$", both())],
            &[("a$", "uuid$", true), ("b$", "H$", false)],
        ),
        (
            "what is called inactive takes nothing",
            vec![
                wrote_v2(1, "b$", v2()),
                through(2, read, "a$", json!({ "_id": "H$", "id": "uuid$", "active": false })),
            ],
            &[("a$", "uuid$", false), ("b$", "H$", true)],
        ),
        (
            "a third",
            vec![through(1, read, "a$", both()), wrote_v2(2, "b$", v2()), through(3, read, "c$", both())],
            &[("a$", "uuid$", false), ("b$", "H$", false), ("c$", "uuid$", true)],
        ),
        (
            "two who have it by one id each: what connects these is known of the first alone (decision 23)",
            vec![through(1, read, "a$", both()), wrote_v2(2, "b$", v2()), lists(3, "c$", v1())],
            &[("a$", "uuid$", false), ("b$", "H$", true), ("c$", "uuid$", true)],
        ),
    ]);
}

#[test]
fn one_account_on_a_channel_is_active_for_its_last_user() {
    let named = |id: &str| json!({ "id": id, "type": "line", "integrationId": "I$", "externalId": "77$", "status": "active" });
    let v1 =
        json!({ "_id": "H$", "id": "uuid$", "platform": "line", "integrationId": "I$", "externalId": "77$" });
    let nameless = || json!({ "client": { "type": "line", "integrationId": "I$", "externalId": "77$" } });
    let is_b = &[("a$", "uuid$", false), ("b$", "I$:77$", true)][..];
    let read = "conversation:read";
    table(&[
        ("then without an id", vec![through(1, read, "a$", v1.clone()), wrote_v2(2, "b$", nameless())], is_b),
        (
            "without an id, and back",
            vec![
                through(1, read, "a$", v1.clone()),
                wrote_v2(2, "b$", nameless()),
                through(3, read, "a$", v1.clone()),
            ],
            &[("a$", "uuid$", true), ("b$", "I$:77$", false)],
        ),
        (
            "linked anew under another id",
            vec![
                added_v2(1, "client:add", "a$", named("one$")),
                added_v2(2, "client:add", "b$", named("two$")),
            ],
            &[("a$", "one$", false), ("b$", "two$", true)],
        ),
        (
            "another account of the integration",
            vec![
                through(1, read, "a$", v1),
                wrote_v2(2, "b$", json!({ "client": { "integrationId": "I$", "externalId": "78$" } })),
            ],
            &[("a$", "uuid$", true), ("b$", "I$:78$", true)],
        ),
    ]);
}

#[test]
fn a_client_goes_back_to_its_first_user_also_without_active() {
    let active = || json!({ "id": "k$", "platform": "ios", "active": true });
    let silent = || json!({ "id": "k$", "platform": "ios" });
    let inactive = || json!({ "id": "k$", "platform": "ios", "active": false });
    let v2 = || json!({ "id": "k$", "type": "ios" });
    let read = "conversation:read";
    let back = |last: Value| vec![lists(1, "a$", active()), lists(2, "b$", active()), last];
    let is_a = &[("a$", "k$", true), ("b$", "k$", false)][..];
    let is_b = &[("a$", "k$", false), ("b$", "k$", true)][..];
    table(&[
        ("by a message", back(through(3, "message:appUser", "a$", silent())), is_a),
        ("by an event", back(through(3, read, "a$", silent())), is_a),
        ("by an addition", back(through(3, "client:add", "a$", silent())), is_a),
        ("by an update", back(through(3, "client:update", "a$", silent())), is_a),
        ("by a list", back(lists(3, "a$", silent())), is_a),
        ("by a null", back(through(3, read, "a$", json!({ "id": "k$", "active": null }))), is_a),
        ("by v2", back(wrote_v2(3, "a$", json!({ "client": v2() }))), is_a),
        ("by a device of v2", back(wrote_v2(3, "a$", json!({ "device": { "guid": "k$" } }))), is_a),
        ("by an addition of v2", back(added_v2(3, "client:add", "a$", v2())), is_a),
        ("by an update of v2", back(added_v2(3, "client:update", "a$", v2())), is_a),
        ("not by an older event", back(through(0, read, "a$", silent())), is_b),
        ("not if it is inactive there", back(through(3, read, "a$", inactive())), is_b),
        (
            "and to the other again",
            {
                let mut bodies = back(through(3, read, "a$", silent()));
                bodies.push(through(4, read, "b$", silent()));
                bodies
            },
            is_b,
        ),
    ]);
}

#[test]
fn an_inactive_or_former_claim_takes_a_client_from_no_user() {
    let active = || json!({ "id": "k$", "platform": "ios", "active": true });
    let silent = || json!({ "id": "k$", "platform": "ios" });
    let inactive = || json!({ "id": "k$", "platform": "ios", "active": false });
    let read = "conversation:read";
    let back = |last: Value| vec![lists(1, "a$", active()), lists(2, "b$", active()), last];
    let is_a = &[("a$", "k$", true), ("b$", "k$", false)][..];
    let is_b = &[("a$", "k$", false), ("b$", "k$", true)][..];
    table(&[
        (
            "not if it was called inactive there before",
            {
                let mut bodies = back(lists(3, "a$", inactive()));
                bodies.push(through(4, read, "a$", silent()));
                bodies
            },
            is_b,
        ),
        (
            "not if it was called inactive there under another of its ids",
            vec![
                through(1, read, "b$", json!({ "id": "H$" })),
                through(3, read, "a$", json!({ "id": "H$" })),
                through(4, read, "a$", json!({ "_id": "H$", "id": "uuid$" })),
                through(5, read, "a$", json!({ "id": "uuid$", "active": false })),
            ],
            &[("a$", "uuid$", false), ("b$", "H$", true)],
        ),
        (
            "until it is called active there again",
            vec![
                lists(1, "a$", inactive()),
                lists(2, "b$", active()),
                through(3, read, "a$", silent()),
                through(4, read, "a$", active()),
            ],
            is_a,
        ),
        (
            "and not any more once it is not listed there",
            {
                let mut bodies = back(through(3, read, "a$", silent()));
                bodies.push(wrote(4, json!({ "_id": "a$", "clients": [] })));
                bodies
            },
            &[("b$", "k$", true)],
        ),
        (
            "nor once it is removed there",
            {
                let mut bodies = back(through(3, read, "a$", silent()));
                bodies.push(through(4, "client:remove", "a$", silent()));
                bodies
            },
            &[("b$", "k$", true)],
        ),
        (
            "nobody ever said that it is active",
            vec![through(1, read, "a$", silent()), through(2, read, "b$", silent())],
            is_b,
        ),
        (
            "it was said of the other alone",
            vec![lists(1, "b$", active()), through(2, read, "a$", silent())],
            is_a,
        ),
    ]);
}

#[test]
fn a_member_connects_no_ids_for_the_root() {
    let both = || json!({ "_id": "H$", "id": "uuid$", "platform": "ios", "active": true });
    let v1 = || json!({ "id": "uuid$", "platform": "ios", "active": true });
    let v2_client = || json!({ "client": { "id": "H$", "type": "ios", "status": "active" } });
    let merge = || {
        let users = json!({ "surviving": { "id": "a$" }, "discarded": { "id": "m$" } });
        v2(1, "user:merge", json!({ "mergedUsers": users }))
    };
    let read = "conversation:read";
    table(&[
        (
            "nobody else has it by either id",
            vec![through(1, read, "m$", both()), merge(), through(3, read, "a$", v1())],
            &[("a$", "uuid$", true)],
        ),
        (
            "somebody else had it before, by the other id",
            vec![
                through(1, read, "m$", both()),
                merge(),
                wrote_v2(2, "b$", v2_client()),
                through(3, read, "a$", v1()),
            ],
            &[("a$", "uuid$", false), ("b$", "H$", true)],
        ),
        (
            "until the root is spoken of with both",
            vec![
                through(1, read, "m$", both()),
                merge(),
                wrote_v2(2, "b$", v2_client()),
                through(3, read, "a$", both()),
            ],
            &[("a$", "uuid$", true), ("b$", "H$", false)],
        ),
    ]);
}
