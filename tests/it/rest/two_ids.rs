//! Two ids for one person: ours, from before Smooch knew them, and Smooch's.

use serde_json::{Value, json};

use super::{Home, Program, client, create, deliver, done, look_up, message, start};

const SMOOCH: &str = "c7f6e6d6c3a637261bd9656f";
const BEFORE: f64 = 1_444_348_338.0;

/// Both ids and the `userId` resolve to one app user, shown under Smooch's `_id`.
fn is_one(program: &Program, ours: &str, when: &str) -> Value {
    let bob = look_up(program, "bob");
    assert_eq!((&bob["_id"], &bob["userId"]), (&json!(SMOOCH), &json!("bob")), "{when}");
    for name in [SMOOCH, ours] {
        assert_eq!(look_up(program, name), bob, "{name} {when}");
    }
    assert_eq!(program.all_app_users(), std::slice::from_ref(&bob), "{when}");
    bob
}

fn webhook() -> String {
    let clients = json!([{ "id": "c1", "platform": "messenger", "active": true }]);
    let told =
        json!({ "userId": "bob", "surname": "Doe", "properties": { "smooch": 1 }, "clients": clients });
    message(SMOOCH, BEFORE, told)
}

#[test]
fn made_here_and_then_reported() {
    let home = Home::new();
    let program = home.start();
    let ours = create(&program, "bob");
    done(
        &program,
        "PUT /v1/appusers/bob",
        json!({ "givenName": "Bob", "properties": { "plan": "gold", "smooch": 0 } }),
    );
    deliver(&program, &webhook());
    let bob = is_one(&program, &ours, "once reported");
    assert_eq!((&bob["givenName"], &bob["surname"]), (&json!("Bob"), &json!("Doe")));
    assert_eq!(bob["properties"]["plan"], "gold", "what was set here survives the first full report");
    assert_eq!(client(&bob, "c1")["active"], true);
    assert_eq!(bob["conversationStarted"], true);
    program.kill();
    let program = home.start();
    assert_eq!(is_one(&program, &ours, "after a crash"), bob);
    // Under its old id it is changed like under the others.
    let changed =
        done(&program, &format!("PUT /v1/appusers/{ours}"), json!({ "properties": { "plan": "blue" } }));
    assert_eq!(
        (&changed["appUser"]["_id"], &changed["appUser"]["properties"]["plan"]),
        (&json!(SMOOCH), &json!("blue"))
    );
    deliver(&program, &webhook());
    assert_eq!(is_one(&program, &ours, "reported again")["properties"]["plan"], "blue");
}

#[test]
fn a_device_started_here_and_then_reported() {
    let home = Home::new();
    let program = home.start();
    let ours = start(&program, "d1", Some("bob"))["_id"].as_str().unwrap().to_owned();
    deliver(&program, &webhook());
    let bob = is_one(&program, &ours, "once reported");
    for device in ["c1", "d1"] {
        assert_eq!(client(&bob, device)["active"], true, "{device}");
    }
    program.stop();
    let program = home.start();
    assert_eq!(is_one(&program, &ours, "after a restart"), bob);
    assert_eq!(
        start(&program, "d1", Some("bob"))["_id"],
        SMOOCH,
        "the device is told the _id that holds now"
    );
}

#[test]
fn a_user_reported_first_is_not_created() {
    let program = Home::new().start();
    deliver(&program, &webhook());
    let taken = super::ask(&program, &super::app(), "POST /v1/appusers", &json!({ "userId": "bob" }));
    super::refused(&taken, 409, "conflict");
    assert_eq!(taken.json()["appUser"]["_id"], SMOOCH);
    assert_eq!(start(&program, "d1", Some("bob"))["_id"], SMOOCH);
    is_one(&program, SMOOCH, "reported first");
}

#[test]
fn reported_without_a_name_and_named_later() {
    let program = Home::new().start();
    deliver(&program, &message(SMOOCH, BEFORE, json!({ "clients": [] })));
    let ours = create(&program, "bob");
    done(&program, "PUT /v1/appusers/bob", json!({ "properties": { "plan": "gold" } }));
    assert_eq!(program.all_app_users().len(), 2, "nothing says yet that they are one");
    deliver(
        &program,
        &message(SMOOCH, BEFORE + 1.0, json!({ "userId": "bob", "properties": {}, "clients": [] })),
    );
    assert_eq!(is_one(&program, &ours, "once named")["properties"], json!({ "plan": "gold" }));
}
