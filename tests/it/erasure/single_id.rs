//! Only one `_id` is erased: the app user that it is part of stays.

use serde_json::json;

use super::traces::Traces;
use super::{CANARY, erase, is_rebuilt, message, ok, person};
use crate::feed::api;
use crate::support::Home;

#[test]
fn one_id_of_a_person_is_erased_alone() {
    let home = Home::with("[retention]\nhistory_entries = 3\n");
    let program = home.start();
    for n in 0..5 {
        let kept = json!({ "userId": "kept", "givenName": "Kept", "properties": { "plan": n } });
        ok(program.webhook(message("stays", 1_600_000_000.0 + f64::from(n), &kept, "Hi")));
        ok(program.webhook(message("goes", 1_600_000_000.0 + f64::from(n), &person(n as usize), CANARY)));
    }
    let merge = json!({ "surviving": { "_id": "stays" }, "discarded": { "_id": "goes" } });
    ok(api(&program, "POST", "/v1/appusers/merge", &merge));
    let before = ok(program.app_user("stays")).json()["appUser"].clone();
    assert!(before.to_string().contains(CANARY), "one person: {before}");

    let erased = erase(&home, &program, &["goes", "--only"]);
    assert!(erased.status.success(), "{erased:?}");
    let receipt: serde_json::Value = serde_json::from_slice(&erased.stdout).unwrap();
    assert_eq!(receipt["erasure"]["_ids"], json!(["goes"]));
    Traces::of(&home).nothing_in("the files");
    is_rebuilt(&home);
    assert_eq!(program.app_user("goes").status, 404);
    let after = ok(program.app_user("stays")).json()["appUser"].clone();
    assert_eq!((&after["givenName"], &after["properties"]), (&json!("Kept"), &json!({ "plan": 4 })));
    assert!(!after.to_string().contains(CANARY), "{after}");
    assert_eq!(program.get("/v1/appusers/stays/history").status, 200);
}
